/*
 * The users of a range, one for each program: at any time no two programs have the same.
 * They are given out in turn, so that one comes again as late as can be: what a program
 * has left behind runs as its user until then, and is ended before the next program that
 * has it begins. Behind each is an id with which such a program begins; privileges.h.
 */
#ifndef ENGINE_USERS_H
#define ENGINE_USERS_H

#include <sys/types.h>

#include "base/why.h"
#include "prong.h"

#define USERS_IDS 2 /* of the range, for each user */

struct privileges;

struct users {
	unsigned char
		*at; /* the state of each; NULL: programs have no users of their own */
	uid_t first;
	unsigned count;
	unsigned next; /* whose turn it is */
};

/*
 * If options has a range, makes a table of its users, of which there are as many as
 * processes at once, or more, and tells privileges. Returns 0, or -ENOMEM with why filled.
 */
int users_open(struct users *users, const struct prong_options *options,
	       struct privileges *privileges, struct why *why);
void users_close(struct users *users);

/* Takes the next one, for a process. Returns its id; 0: there is no range. */
uid_t users_take(struct users *users);

/* The process of user uid, or 0, has ended, and with it its session, if it had one. */
void users_give_back(struct users *users, uid_t uid);

/*
 * It has ended, and its session has not: others hold the connection. Its user comes again
 * only where no other is left, or after users_release(), when the session ends.
 */
void users_keep(struct users *users, uid_t uid);
void users_release(struct users *users, uid_t uid);

#endif
