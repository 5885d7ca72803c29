/* What the supervisor knows of an accepted connection on its way to a process. */
#ifndef ENGINE_CLIENT_H
#define ENGINE_CLIENT_H

#include <stdint.h>

#include "base/address.h"

struct client {
	int fd;                 /* -1: none, or handed over */
	uint64_t id;            /* from 1; 0: no client */
	int64_t accepted_at_us; /* clock_now_us() */
	struct address peer;
	uint32_t source; /* where it is counted; SOURCE_NONE: nowhere, source.h */
};

#endif
