/*
 * Who may come in: the order of the checks that a client meets before it is given a
 * process, and what is counted of it while it is here. See prongd(8), LIMITS.
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
	struct access exempt; /* whom rates and max_per_source do not concern */
	struct rate rate_per_source, rate;
	int64_t full_at_ns;      /* of rate, all sources together */
	unsigned max_per_source; /* 0: no limit */
	unsigned ipv4_bits, ipv6_bits;
	bool counts; /* connections are counted by source */
	struct sources sources;
};

/*
 * Takes the options; counts connections by source if count is set, or a limit needs
 * it. max is how many connections there can be. *policy is zeroed before.
 * Returns 0; -EINVAL or -ENOMEM, with a sentence in why.
 */
int policy_open(struct policy *policy, const struct prong_options *options,
		unsigned max, bool count, struct why *why);
void policy_close(struct policy *policy);

/* The first check that the client fails; REASON_NONE if it may in. Counts nothing. */
enum reason policy_judge(const struct policy *policy, const struct client *client,
			 int64_t now_us);

/* The client is in: it is counted, and uses up rate. */
void policy_enter(struct policy *policy, struct client *client, int64_t now_us);

/* It has left, or could not be served after all. Harmless for one that was never in. */
void policy_leave(struct policy *policy, struct client *client, int64_t now_us);

/* How many connections its source has open, itself included. */
unsigned policy_connections(const struct policy *policy, const struct client *client);

#endif
