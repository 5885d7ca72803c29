#include "users.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "engine/confine/privileges.h"

enum user_state {
	USER_FREE,
	USER_KEPT,  /* by a session whose program has ended */
	USER_TAKEN, /* by a process */
};

int users_open(struct users *users, const struct prong_options *options,
	       struct privileges *privileges, struct why *why)
{
	*users = (struct users){
		.first = options->user_first,
		.count = options->user_count / USERS_IDS,
	};
	if (users->count == 0)
		return 0;
	users->at = memory_private(users->count);
	if (users->at == NULL)
		return why_fail(why, -ENOMEM, "no memory for %u users", users->count);
	privileges_give_users(privileges, options->user_first, options->user_count);
	return 0;
}

void users_close(struct users *users)
{
	memory_release(users->at, users->count);
	users->at = NULL;
}

/* The next user in that state; NULL: none. */
static unsigned char *find(const struct users *users, enum user_state state)
{
	unsigned char *at =
		memchr(users->at + users->next, (int)state, users->count - users->next);

	return at != NULL ? at : memchr(users->at, (int)state, users->next);
}

uid_t users_take(struct users *users)
{
	unsigned char *at;
	unsigned index;

	if (users->at == NULL)
		return 0;
	at = find(users, USER_FREE);
	if (at == NULL)
		at = find(users, USER_KEPT);
	assert(at != NULL);
	*at = USER_TAKEN;
	index = (unsigned)(at - users->at);
	users->next = (index + 1) % users->count;
	return users->first + USERS_IDS * index;
}

static void change(struct users *users, uid_t uid, enum user_state from,
		   enum user_state to)
{
	unsigned char *at;

	if (uid == 0)
		return;
	at = &users->at[(uid - users->first) / USERS_IDS];
	if (*at == from)
		*at = (unsigned char)to;
}

void users_give_back(struct users *users, uid_t uid)
{
	change(users, uid, USER_TAKEN, USER_FREE);
}

void users_keep(struct users *users, uid_t uid)
{
	change(users, uid, USER_TAKEN, USER_KEPT);
}

void users_release(struct users *users, uid_t uid)
{
	change(users, uid, USER_KEPT, USER_FREE);
}
