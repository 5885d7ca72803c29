/* Lists of prefixes: who may come in at all, and whom the limits leave alone. */
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

/* The longest prefix first, so that the first that holds a client decides. */
struct access {
	struct access_rule rules[ACCESS_RULES_MAX];
	unsigned count;
	bool otherwise; /* what is true of those whom no rule holds */
};

/*
 * Adds a rule for each text (NULL-terminated; NULL: none).
 * Returns 0, or -EINVAL, with a sentence in why, for text that is no prefix, for one that
 * is both allowed and denied, and for more than ACCESS_RULES_MAX.
 */
int access_add(struct access *access, const char *const *texts, bool allow,
	       struct why *why);

/* Whether the client's address is allowed. */
bool access_allows(const struct access *access, const struct address *address);

#endif
