/* An accepted connection on its way to a process, as the supervisor knows it. */
#ifndef ENGINE_CLIENT_H
#define ENGINE_CLIENT_H

#include <stdint.h>

#include "base/address.h"

struct client {
	int fd;                 /* -1: none, or handed over */
	uint64_t id;            /* from 1; 0: no client */
	int64_t accepted_at_us; /* clock_now_us() */
	struct address peer;
	uint32_t source; /* that it is counted with; SOURCE_NONE: none, source.h */
};

#endif
