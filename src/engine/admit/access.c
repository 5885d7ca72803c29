#include "access.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

/*
 * Two prefixes of the same length contain a common address only if they are the same.
 */
static int insert(struct access *access, const struct access_rule *rule,
		  const char *text, struct why *why)
{
	unsigned at = 0;

	while (at < access->count && access->rules[at].prefix.bits > rule->prefix.bits)
		at++;
	for (unsigned i = at; i < access->count; i++) {
		if (!prefix_is_same(&access->rules[i].prefix, &rule->prefix))
			continue;
		if (access->rules[i].allow == rule->allow)
			return 0;
		return why_fail(why, -EINVAL, "\"%.60s\" is both allowed and denied",
				text);
	}
	if (access->count == ACCESS_RULES_MAX)
		return why_fail(why, -EINVAL, "more than %d prefixes are listed",
				ACCESS_RULES_MAX);
	/* "all" counts as shorter than 0.0.0.0/0 and ::/0. */
	while (at < access->count &&
	       access->rules[at].prefix.bits == rule->prefix.bits &&
	       access->rules[at].prefix.family != AF_UNSPEC)
		at++;
	memmove(&access->rules[at + 1], &access->rules[at],
		(access->count - at) * sizeof(*rule));
	access->rules[at] = *rule;
	access->count++;
	return 0;
}

int access_add(struct access *access, const char *const *texts, bool allow,
	       struct why *why)
{
	for (; texts != NULL && *texts != NULL; texts++) {
		struct access_rule rule = { .allow = allow };
		int err = prefix_parse(&rule.prefix, *texts, why);

		if (err == 0)
			err = insert(access, &rule, *texts, why);
		if (err < 0)
			return err;
	}
	return 0;
}

bool access_allows(const struct access *access, const struct address *address)
{
	for (unsigned i = 0; i < access->count; i++)
		if (prefix_holds(&access->rules[i].prefix, address))
			return access->rules[i].allow;
	return access->otherwise;
}
