/* Listening sockets that a service manager has opened: sd_listen_fds(3). */
#ifndef PRONGD_ACTIVATION_H
#define PRONGD_ACTIVATION_H

#include <stddef.h>

#include "base/why.h"

#define ACTIVATION_MAX 64 /* sockets */
struct activation {
	size_t count; /* 0: none were handed over */
	int fds[ACTIVATION_MAX];
	const char *names[ACTIVATION_MAX]; /* "" where there is none */
};

/*
 * Takes what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES tell, if that is meant for this
 * process, and removes them from the environment. Names last as long as the process.
 * Returns 0; -EINVAL, or -ENOMEM, with a sentence in why.
 */
int activation_take(struct activation *out, struct why *why);

#endif
