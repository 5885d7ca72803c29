/*
 * Lists of prefixes: which clients are allowed, and which are exempt from the limits.
 */
#ifndef ENGINE_ACCESS_H
#define ENGINE_ACCESS_H

#include <stdbool.h>

#include "base/prefix.h"

#define ACCESS_RULES_MAX 256

struct address;

struct access_rule {
	struct prefix prefix;
	bool allow;
};

/* The longest prefix comes first, so the first one that contains a client decides. */
struct access {
	struct access_rule rules[ACCESS_RULES_MAX];
	unsigned count;
	bool otherwise; /* the answer for clients that no rule matches */
};

/*
 * Adds a rule for each text (NULL-terminated; NULL: none). Returns 0, or -EINVAL with a
 * sentence in why: for a text that is not a prefix, for a prefix that is both allowed
 * and denied, and for more than ACCESS_RULES_MAX rules.
 */
int access_add(struct access *access, const char *const *texts, bool allow,
	       struct why *why);

/* Whether the client's address is allowed. */
bool access_allows(const struct access *access, const struct address *address);

#endif
