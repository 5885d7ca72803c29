#include "policy.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

#define IPV4_BITS 32
#define IPV6_BITS 64 /* commonly what one customer or one machine has: RFC 6177 */

static int fill_rate(struct rate *rate, const struct prong_rate *given,
		     const char *name, struct why *why)
{
	unsigned burst = given->burst == 0 ? given->count : given->burst;

	*rate = (struct rate){ 0 };
	if (given->count == 0 && given->period == 0 && given->burst == 0)
		return 0;
	if (given->count < 1 || given->count > NUMBER_RATE_MAX ||
	    burst > NUMBER_RATE_MAX || given->period < 1 ||
	    given->period > NUMBER_RATE_PERIOD_MAX_MS)
		return why_fail(
			why, -EINVAL,
			"%s: counts must be from 1 to %d, and the period from 1 ms "
			"to 1 day",
			name, NUMBER_RATE_MAX);
	rate->interval_ns = given->period * 1000000 / given->count;
	if (__builtin_mul_overflow(rate->interval_ns, (int64_t)burst - 1,
				   &rate->allowance_ns) ||
	    rate->allowance_ns > NUMBER_DURATION_MAX_MS * 1000000)
		return why_fail(
			why, -EINVAL,
			"%s: the burst is too large: at this rate it is regained "
			"only after over ten years",
			name);
	return 0;
}

static int fill_prefix(struct policy *policy, const struct prong_options *options,
		       struct why *why)
{
	policy->ipv4_bits = options->source_prefix_ipv4;
	policy->ipv6_bits = options->source_prefix_ipv6;
	if (policy->ipv4_bits == 0)
		policy->ipv4_bits = IPV4_BITS;
	if (policy->ipv6_bits == 0)
		policy->ipv6_bits = IPV6_BITS;
	if (policy->ipv4_bits <= 32 && policy->ipv6_bits <= 128)
		return 0;
	return why_fail(why, -EINVAL,
			"source-prefix: at most 32 bits of IPv4 and 128 bits of IPv6");
}

static int add_list(struct access *access, const char *const *texts, bool allow,
		    const char *name, struct why *why)
{
	int err = access_add(access, texts, allow, why);

	if (err < 0)
		why_prepend(why, "%s: ", name);
	return err;
}

/* A list of allowed prefixes alone denies all other clients. */
static int fill_lists(struct policy *policy, const struct prong_options *options,
		      struct why *why)
{
	int err = add_list(&policy->access, options->allow, true, "allow", why);

	policy->access.otherwise = policy->access.count == 0 ||
				   (options->deny != NULL && options->deny[0] != NULL);
	if (err == 0)
		err = add_list(&policy->access, options->deny, false, "deny", why);
	if (err == 0)
		err = add_list(&policy->exempt, options->exempt, true, "exempt", why);
	return err;
}

int policy_open(struct policy *policy, const struct prong_options *options,
		unsigned max, bool count, struct why *why)
{
	bool remembers;
	int err = fill_rate(&policy->rate_per_source, &options->rate_per_source,
			    "rate-per-source", why);

	if (err == 0)
		err = fill_rate(&policy->rate, &options->rate, "rate", why);
	if (err == 0)
		err = fill_prefix(policy, options, why);
	if (err == 0)
		err = fill_lists(policy, options, why);
	if (err < 0)
		return err;
	policy->max_per_source = options->max_per_source;
	remembers = rate_is_set(&policy->rate_per_source);
	policy->counts = count || remembers || policy->max_per_source > 0;
	if (!policy->counts)
		return 0;
	/* One more than there are processes, for the client that is held. */
	err = sources_open(&policy->sources, max + 1,
			   remembers ? SOURCES_REMEMBERED : 0);
	if (err == -ENOMEM)
		return why_fail(why, err, "no memory for the table of sources");
	return err < 0 ? why_call(why, err, "choose a secret", "getrandom(2)") : 0;
}

void policy_close(struct policy *policy)
{
	if (policy->counts)
		sources_close(&policy->sources);
}

static void key_of(const struct policy *policy, const struct client *client,
		   struct source_key *key)
{
	source_key_fill(key, &client->peer, client->fd, policy->ipv4_bits,
			policy->ipv6_bits);
}

/*
 * Rules do not apply to clients of UNIX sockets: the path's mode says who may connect.
 */
static bool is_denied(const struct policy *policy, const struct client *client)
{
	return policy->access.count > 0 && address_family(&client->peer) != AF_UNIX &&
	       !access_allows(&policy->access, &client->peer);
}

static bool is_exempt(const struct policy *policy, const struct client *client)
{
	return policy->exempt.count > 0 &&
	       access_allows(&policy->exempt, &client->peer);
}

enum reason policy_judge(const struct policy *policy, const struct client *client,
			 int64_t now_us)
{
	const struct source unknown = { 0 };
	const struct source *source = &unknown;

	if (is_denied(policy, client))
		return REASON_REFUSED_DENIED;
	if (is_exempt(policy, client))
		return REASON_NONE;
	if (policy->counts) {
		struct source_key key;
		uint32_t index;

		key_of(policy, client, &key);
		index = source_find(&policy->sources, &key);
		if (index != SOURCE_NONE)
			source = &policy->sources.at[index];
	}
	if (!rate_allows(&policy->rate_per_source, source->full_at_ns,
			 rate_clock_ns(now_us)))
		return REASON_REFUSED_RATE_PER_SOURCE;
	if (!rate_allows(&policy->rate, policy->full_at_ns, rate_clock_ns(now_us)))
		return REASON_REFUSED_RATE;
	if (policy->max_per_source > 0 &&
	    source->connections - source->exempt >= policy->max_per_source)
		return REASON_REFUSED_MAX_PER_SOURCE;
	return REASON_NONE;
}

void policy_enter(struct policy *policy, struct client *client, int64_t now_us)
{
	bool limited = !is_exempt(policy, client);
	struct source_key key;

	if (limited && rate_is_set(&policy->rate))
		policy->full_at_ns = rate_take(&policy->rate, policy->full_at_ns,
					       rate_clock_ns(now_us));
	client->source = SOURCE_NONE;
	if (!policy->counts)
		return;
	key_of(policy, client, &key);
	client->source = source_enter(&policy->sources, &key, !limited);
	if (limited && rate_is_set(&policy->rate_per_source)) {
		int64_t *full_at_ns = &policy->sources.at[client->source].full_at_ns;

		*full_at_ns = rate_take(&policy->rate_per_source, *full_at_ns,
					rate_clock_ns(now_us));
	}
}

void policy_leave(struct policy *policy, struct client *client, int64_t now_us)
{
	if (policy->counts && client->source != SOURCE_NONE)
		source_leave(&policy->sources, client->source,
			     is_exempt(policy, client), rate_clock_ns(now_us));
	client->source = SOURCE_NONE;
}

unsigned policy_connections(const struct policy *policy, const struct client *client)
{
	return policy->sources.at[client->source].connections;
}
