/* What the supervisor sends to a worker with a connection's descriptor; base/pass.h. */
#ifndef ENGINE_HANDOVER_H
#define ENGINE_HANDOVER_H

#include <stdint.h>

#include "base/address.h"

struct handover {
	uint64_t session; /* its number, client.id */
	int64_t accepted_at_us;
	struct address peer;
};

#endif
