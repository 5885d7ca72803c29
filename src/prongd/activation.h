/* Listening sockets that a service manager has opened: sd_listen_fds(3). */
#ifndef PRONGD_ACTIVATION_H
#define PRONGD_ACTIVATION_H

#include <stddef.h>

#include "base/why.h"

#define ACTIVATION_MAX 64 /* sockets */
struct activation {
	size_t count; /* 0: none was handed over */
	int fds[ACTIVATION_MAX];
	const char *names[ACTIVATION_MAX]; /* "": without a name */
};

/*
 * Takes over the sockets of LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, if they are
 * meant for this process, and removes these variables from the environment. The names
 * last as long as the process. Returns 0, or -EINVAL or -ENOMEM with a sentence in why.
 */
int activation_take(struct activation *out, struct why *why);

#endif
