/*
 * Admission policy: the order of the checks that a client passes before it is given a
 * process, and what is counted for it while it is connected. See prongd(8), LIMITS.
 */
#ifndef ENGINE_POLICY_H
#define ENGINE_POLICY_H

#include "access.h"
#include "engine/record/client.h"
#include "prong.h"
#include "rate.h"
#include "engine/record/reason.h"
#include "source.h"

struct policy {
	struct access access; /* who may connect */
	struct access exempt; /* exempt from the rates and max_per_source */
	struct rate rate_per_source, rate;
	int64_t full_at_ns;      /* when rate, for all sources, is full again */
	unsigned max_per_source; /* 0: no limit */
	unsigned ipv4_bits, ipv6_bits;
	bool counts; /* whether connections are counted by source */
	struct sources sources;
};

/*
 * Takes over the options; counts connections by source if count is set or a limit needs
 * it. max is the largest number of connections. *policy must be zeroed. Returns 0, or
 * -EINVAL or -ENOMEM with a sentence in why.
 */
int policy_open(struct policy *policy, const struct prong_options *options,
		unsigned max, bool count, struct why *why);
void policy_close(struct policy *policy);

/*
 * The first check that the client fails; REASON_NONE if it is admitted. Counts nothing.
 */
enum reason policy_judge(const struct policy *policy, const struct client *client,
			 int64_t now_us);

/* The client is admitted: counts it, and takes a token of each rate. */
void policy_enter(struct policy *policy, struct client *client, int64_t now_us);

/* The client has left, or could not be served. Harmless if it was never counted. */
void policy_leave(struct policy *policy, struct client *client, int64_t now_us);

/* How many connections the client's source has open, this one included. */
unsigned policy_connections(const struct policy *policy, const struct client *client);

#endif
