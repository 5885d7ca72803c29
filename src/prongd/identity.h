/* The user and group that --user and --group name. */
#ifndef PRONGD_IDENTITY_H
#define PRONGD_IDENTITY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/why.h"

#define IDENTITY_VARIABLES 4

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary groups; free(3) releases them */
	size_t group_count;
	/*
	 * "HOME=/root", then USER, LOGNAME and SHELL: what login(1) sets. NULL: the
	 * number has no entry. Each comes from malloc(3) and lasts as long as the
	 * process.
	 */
	char *variables[IDENTITY_VARIABLES];
};

/*
 * Finds user, a name or a number, and its groups; group, if not NULL, replaces its
 * primary group. A number without an entry has no supplementary groups, and needs
 * group. Returns 0, or -ENOENT, -E2BIG or -ENOMEM with a sentence in why.
 */
int identity_find(struct identity *out, const char *user, const char *group,
		  struct why *why);

/*
 * Checks that no account has one of these ids. Returns 0, or -EEXIST with a sentence in
 * why that names one.
 */
int identity_check_range(uint32_t first, uint32_t count, struct why *why);

/*
 * The id of the user, or group, that text names or numbers. Returns 0, or -ENOENT as
 * above.
 */
int identity_find_user(uid_t *out, const char *text, struct why *why);
int identity_find_group(gid_t *out, const char *text, struct why *why);

#endif
