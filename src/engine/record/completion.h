/* What a worker that lives on answers when it is done with a connection. */
#ifndef ENGINE_COMPLETION_H
#define ENGINE_COMPLETION_H

#include <stdint.h>

struct completion {
	uint64_t session; /* the number that came with the connection; handover.h */
	uint64_t
		reason; /* enum reason; any number, where a worker has been broken into */
};

#endif
