/*
 * The users of a range, one for each program: no two programs have the same user at the
 * same time. They are given out in turn, so that each is used again as late as
 * possible. Until then, what a program has left behind runs as its user; it is ended
 * before the next program with that user begins. After each user in the range comes an
 * id with which such a program begins; privileges.h.
 */
#ifndef ENGINE_USERS_H
#define ENGINE_USERS_H

#include <sys/types.h>

#include "base/why.h"
#include "prong.h"

#define USERS_IDS 2 /* ids of the range for each user */

struct privileges;

struct users {
	unsigned char
		*at; /* the state of each; NULL: programs have no users of their own */
	uid_t first;
	unsigned count;
	unsigned next; /* the user whose turn it is */
};

/*
 * If options has a range, makes a table of its users, at least as many as processes at
 * once, and tells privileges. Returns 0, or -ENOMEM with a sentence in why.
 */
int users_open(struct users *users, const struct prong_options *options,
	       struct privileges *privileges, struct why *why);
void users_close(struct users *users);

/* Takes the next user for a process. Returns its id; 0: there is no range. */
uid_t users_take(struct users *users);

/* The process of user uid (or 0) has ended, and so has its session, if it had one. */
void users_give_back(struct users *users, uid_t uid);

/*
 * The process has ended but its session has not: other processes hold the connection.
 * Its user is used again only if no other is left, or after users_release(), when the
 * session ends.
 */
void users_keep(struct users *users, uid_t uid);
void users_release(struct users *users, uid_t uid);

#endif
