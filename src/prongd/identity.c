#include "identity.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

#define ID_MAX (UINT32_MAX - 1) /* (uid_t)-1 is no id */

/* error comes from getpwnam(3) or getgrnam(3), which have several for "not found". */
static int unknown(struct why *why, const char *what, const char *name, int error)
{
	if (error == EACCES || error == EIO || error == EMFILE || error == ENFILE ||
	    error == ENOMEM)
		return why_fail(why, -error, "cannot look up the %s \"%.60s\": %s",
				what, name, strerror(error));
	return why_fail(why, -ENOENT,
			"unknown %s \"%.60s\": give a name from /etc/%s or a number",
			what, name, what[0] == 'u' ? "passwd" : "group");
}

int identity_find_user(uid_t *out, const char *text, struct why *why)
{
	const struct passwd *user;
	uint64_t number;
	int error;

	errno = 0;
	user = getpwnam(text);
	error = errno;
	if (user != NULL)
		*out = user->pw_uid;
	else if (number_parse(text, 0, ID_MAX, &number) == 0)
		*out = (uid_t)number;
	else
		return unknown(why, "user", text, error);
	return 0;
}

int identity_find_group(gid_t *out, const char *text, struct why *why)
{
	const struct group *group;
	uint64_t number;
	int error;

	errno = 0;
	group = getgrnam(text);
	error = errno;
	if (group != NULL)
		*out = group->gr_gid;
	else if (number_parse(text, 0, ID_MAX, &number) == 0)
		*out = (gid_t)number;
	else
		return unknown(why, "group", text, error);
	return 0;
}

static int refuse_range(const char *what, const char *name, unsigned id,
			struct why *why)
{
	return why_fail(why, -EEXIST,
			"--user-range contains %u, which is the %s \"%.60s\": choose "
			"numbers that no user and no group has",
			id, what, name);
}

int identity_check_range(uint32_t first, uint32_t count, struct why *why)
{
	const struct passwd *user;
	const struct group *group;
	int err = 0;

	setpwent();
	while (err == 0 && (user = getpwent()) != NULL)
		if (user->pw_uid - first < count)
			err = refuse_range("user", user->pw_name, user->pw_uid, why);
	endpwent();
	setgrent();
	while (err == 0 && (group = getgrent()) != NULL)
		if (group->gr_gid - first < count)
			err = refuse_range("group", group->gr_name, group->gr_gid, why);
	endgrent();
	return err;
}

static int list_groups(struct identity *identity, const char *name, struct why *why)
{
	int count = NGROUPS_MAX;

	if (getgrouplist(name, identity->gid, identity->groups, &count) < 0) {
		if (count <= NGROUPS_MAX)
			return why_fail(why, -ENOMEM,
					"no memory for the groups of %.60s", name);
		return why_fail(why, -E2BIG, "%.60s is in more than %d groups", name,
				NGROUPS_MAX);
	}
	identity->group_count = (size_t)count;
	return 0;
}

/* An entry without a shell means /bin/sh: passwd(5). */
static int describe(struct identity *identity, const struct passwd *entry,
		    struct why *why)
{
	const char *shell = entry->pw_shell[0] != '\0' ? entry->pw_shell : "/bin/sh";

	if (asprintf(&identity->variables[0], "HOME=%s", entry->pw_dir) < 0 ||
	    asprintf(&identity->variables[1], "USER=%s", entry->pw_name) < 0 ||
	    asprintf(&identity->variables[2], "LOGNAME=%s", entry->pw_name) < 0 ||
	    asprintf(&identity->variables[3], "SHELL=%s", shell) < 0)
		return why_fail(why, -ENOMEM, "no memory for a user's variables");
	return 0;
}

static int fill(struct identity *identity, const char *user, const char *group,
		struct why *why)
{
	const struct passwd *entry;
	uint64_t number = 0;
	int err = 0;
	int error;

	errno = 0;
	entry = getpwnam(user);
	error = errno;
	if (entry == NULL && number_parse(user, 0, ID_MAX, &number) < 0)
		return unknown(why, "user", user, error);
	if (entry == NULL)
		entry = getpwuid((uid_t)number);
	if (entry == NULL && group == NULL)
		return why_fail(
			why, -ENOENT,
			"no user in /etc/passwd has the number %.20s: give --group "
			"as well",
			user);
	identity->uid = entry != NULL ? entry->pw_uid : (uid_t)number;
	identity->gid = entry != NULL ? entry->pw_gid : 0;
	if (group != NULL)
		err = identity_find_group(&identity->gid, group, why);
	if (err == 0 && entry != NULL)
		err = describe(identity, entry, why);
	if (err == 0 && entry != NULL)
		err = list_groups(identity, entry->pw_name, why);
	return err;
}

int identity_find(struct identity *out, const char *user, const char *group,
		  struct why *why)
{
	struct identity identity = { 0 };
	int err;

	identity.groups = malloc(NGROUPS_MAX * sizeof(gid_t));
	if (identity.groups == NULL)
		return why_fail(why, -ENOMEM, "no memory for a list of groups");
	err = fill(&identity, user, group, why);
	if (err < 0) {
		free(identity.groups);
		return err;
	}
	*out = identity;
	return 0;
}
