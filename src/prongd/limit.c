#include "limit.h"

#include <sys/resource.h>

#include <errno.h>
#include <string.h>

#include "base/number.h"

/* The names of setrlimit(2), in small letters and without RLIMIT_. */
static const struct {
	const char *name;
	int resource;
} limits[] = {
	{ "as", RLIMIT_AS },
	{ "core", RLIMIT_CORE },
	{ "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },
	{ "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS },
	{ "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE },
	{ "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },
	{ "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS },
	{ "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME },
	{ "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

#define LIMITS (sizeof(limits) / sizeof(limits[0]))

static int find_name(int *resource, const char *name, size_t length)
{
	for (size_t i = 0; i < LIMITS; i++)
		if (strlen(limits[i].name) == length &&
		    memcmp(limits[i].name, name, length) == 0) {
			*resource = limits[i].resource;
			return 0;
		}
	return -EINVAL;
}

static int parse_value(const char *text, size_t length, uint64_t *out)
{
	static const char units[] = "KMG";
	char digits[32];
	const char *unit;
	unsigned shift = 0;
	int err;

	if (length == 0 || length >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, length);
	digits[length] = '\0';
	if (strcmp(digits, "unlimited") == 0) {
		*out = UINT64_MAX;
		return 0;
	}
	unit = strchr(units, digits[length - 1]);
	if (unit != NULL) {
		shift = 10 * (unsigned)(unit - units + 1);
		digits[length - 1] = '\0';
	}
	/* All ones would mean no limit. */
	err = number_parse(digits, 0, (UINT64_MAX - 1) >> shift, out);
	if (err == 0)
		*out <<= shift;
	return err;
}

static void say_names(const char *text, struct why *why)
{
	why_set(why, "\"%.40s\" names no resource limit; choose from", text);
	for (size_t i = 0; i < LIMITS; i++)
		why_append(why, " %s", limits[i].name);
}

int limit_parse(struct prong_rlimit *out, const char *text, struct why *why)
{
	size_t name = strcspn(text, "=");
	struct prong_rlimit limit = { 0 };
	const char *soft;
	const char *hard;
	size_t length;

	if (find_name(&limit.resource, text, name) < 0) {
		say_names(text, why);
		return -EINVAL;
	}
	soft = text + name + (text[name] == '=');
	length = strcspn(soft, ":");
	hard = soft[length] == ':' ? soft + length + 1 : soft;
	if (parse_value(soft, length, &limit.soft) < 0 ||
	    parse_value(hard, hard == soft ? length : strlen(hard), &limit.hard) < 0)
		return why_fail(why, -EINVAL,
				"\"%.60s\" is not NAME=SOFT[:HARD] with numbers or "
				"\"unlimited\": write nofile=64, as=512M:1G",
				text);
	if (limit.soft > limit.hard)
		return why_fail(why, -EINVAL,
				"\"%.60s\": the soft limit is over the hard limit",
				text);
	*out = limit;
	return 0;
}
