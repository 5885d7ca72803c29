#include "descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#define OWN_FEW   36 /* the loop, signals, the log, /proc, a connection in transit */
#define OWN_ROOM  96 /* extra, for the addresses of a name, which are not counted */
#define PROBE_MAX 1024

/* Without /proc, tests the first descriptors one by one. */
static unsigned probe_open(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < PROBE_MAX; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static unsigned count_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	unsigned count = 0;

	if (directory == NULL)
		return probe_open();
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count - 1; /* without the directory's own descriptor */
}

static unsigned count_free_below(int end)
{
	unsigned count = 0;

	for (int fd = 0; fd < end; fd++)
		count += fcntl(fd, F_GETFD) < 0;
	return count;
}

void descriptors_count(struct descriptors *descriptors, unsigned listeners,
		       int keep_fds)
{
	*descriptors = (struct descriptors){
		.own = count_open() + count_free_below(keep_fds) + listeners + OWN_FEW,
	};
}

int descriptors_check(const struct descriptors *descriptors, struct why *why)
{
	unsigned needed = descriptors->own + descriptors->kept;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max >= needed)
		return 0;
	return why_fail(why, -EMFILE,
			"the server needs %u descriptors for itself and %u for the "
			"processes that it keeps; the hard limit of open files "
			"(RLIMIT_NOFILE), %llu, is too low by %llu: raise it "
			"(ulimit -Hn %u; in a unit LimitNOFILE=%u), or lower spare "
			"or, with reuse, max-processes",
			descriptors->own, descriptors->kept,
			(unsigned long long)limit.rlim_max,
			(unsigned long long)(needed - limit.rlim_max), needed, needed);
}

static rlim_t needed_at_most(const struct descriptors *descriptors)
{
	return (rlim_t)descriptors->own + OWN_ROOM + descriptors->processes +
	       descriptors->lingering;
}

void descriptors_raise(struct descriptors *descriptors)
{
	rlim_t wanted = needed_at_most(descriptors);
	struct rlimit limit;

	descriptors->raised = false;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	descriptors->before = limit.rlim_cur;
	if (wanted > limit.rlim_max)
		wanted = limit.rlim_max;
	if (limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	descriptors->raised = setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

void descriptors_restore(struct descriptors *descriptors)
{
	struct rlimit limit;

	if (!descriptors->raised || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	descriptors->raised = false;
	limit.rlim_cur = descriptors->before < limit.rlim_max ? descriptors->before
							      : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

bool descriptors_are_short(const struct descriptors *descriptors,
			   struct shortage *shortage)
{
	rlim_t needed = (rlim_t)descriptors->own + descriptors->processes;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max >= needed)
		return false;
	*shortage = (struct shortage){ limit.rlim_max, needed };
	return true;
}
