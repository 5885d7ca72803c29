/* What a worker of a pool sends when it has finished with a connection. */
#ifndef ENGINE_COMPLETION_H
#define ENGINE_COMPLETION_H

#include <stdint.h>

struct completion {
	uint64_t session; /* the number received with the connection; handover.h */
	uint64_t reason;  /* enum reason; any number if the worker was broken into */
};

#endif
