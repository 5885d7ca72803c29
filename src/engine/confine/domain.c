#include "domain.h"

#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "base/call.h"
#include "base/gate.h"

/* Defined here, since the system's header may be older than its kernel. */
#define VERSION_SCOPES 6
#define VERSION_REFER  2
#define REFER          (UINT64_C(1) << 13) /* renaming, linking between directories */
#define ABSTRACT       (UINT64_C(1) << 0)  /* connecting to abstract UNIX sockets */
#define QUESTION       1                   /* LANDLOCK_CREATE_RULESET_VERSION */
#define PATH_BENEATH   1                   /* LANDLOCK_RULE_PATH_BENEATH */

struct handled {
	uint64_t filesystem, network, scoped;
};

struct path_rule {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

int domain_version(void)
{
	return (int)GATE(landlock_create_ruleset, NULL, 0, QUESTION);
}

/* Allows what every program does, so that being in a domain costs it only mount(2). */
static int allow_everywhere(int domain)
{
	struct path_rule rule = { REFER, open("/", O_PATH | O_CLOEXEC) };
	int err;

	if (rule.parent < 0)
		return -errno;
	err = (int)GATE(landlock_add_rule, domain, PATH_BENEATH, &rule, 0);
	close(rule.parent);
	return err;
}

static int open_older(void)
{
	struct handled handled = { .filesystem = REFER };
	int domain = (int)GATE(landlock_create_ruleset, &handled,
			       sizeof(handled.filesystem), 0);
	int err = domain < 0 ? domain : allow_everywhere(domain);

	if (err == 0)
		return domain;
	if (domain >= 0)
		close(domain);
	return err;
}

int domain_open(int version, bool gains)
{
	struct handled handled = { .scoped = ABSTRACT };

	if (version < 0)
		return version;
	if (version >= VERSION_SCOPES)
		return (int)GATE(landlock_create_ruleset, &handled, sizeof(handled), 0);
	return version >= VERSION_REFER && !gains ? open_older() : -EOPNOTSUPP;
}

int domain_enter(int domain)
{
	return (int)CALL(landlock_restrict_self, domain, 0);
}
