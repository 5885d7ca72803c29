#include "plan.h"

static uint64_t share(uint64_t whole, unsigned index, unsigned workers)
{
	if (whole == PLAN_UNBOUNDED)
		return whole;
	return whole / workers + (index < whole % workers);
}

struct plan plan_share(const struct plan *plan, unsigned index)
{
	struct plan part = *plan;

	part.index = index;
	part.count = share(plan->count, index, plan->workers);
	part.concurrency = share(plan->concurrency, index, plan->workers);
	part.under_way = share(plan->under_way, index, plan->workers);
	if (part.under_way == 0)
		part.under_way = 1;
	part.origin = origin_share(&plan->origin, index, plan->workers);
	return part;
}
