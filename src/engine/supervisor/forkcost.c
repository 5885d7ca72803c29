#include "forkcost.h"

#include <alloca.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rseq.h"
#include "engine/confine/sandbox.h"

/*
 * In a pool the same few processes wake each other for every connection. With
 * SCHED_BATCH (sched(7)) the process that is woken does not preempt the one that runs.
 * That saves context switches, 2.4 a connection instead of 4.1, and gives a third more
 * connections a second on two cores. The price: while other programs want the processor
 * too, a wake-up may wait for the end of their slice. A policy that was chosen before
 * is left alone.
 */
static bool schedule_as_batch(void)
{
	struct sched_param none = { 0 };

	return sched_getscheduler(0) == SCHED_OTHER &&
	       sched_setscheduler(0, SCHED_BATCH, &none) == 0;
}

void forkcost_reduce(struct forkcost *forkcost, bool pool)
{
	/* The kernel would write there after a fork: one copied page on either side. */
	forkcost->rseq_ended = rseq_end();
	forkcost->batch = pool && schedule_as_batch();
}

void forkcost_restore(const struct forkcost *forkcost)
{
	struct sched_param none = { 0 };

	if (forkcost->batch)
		sched_setscheduler(0, SCHED_OTHER, &none);
	if (forkcost->rseq_ended)
		rseq_begin();
}

/* The place where a sandboxed child notes its row is on the same page; trap.h. */
__attribute__((noinline)) static int call(int (*run)(void *arg), void *arg)
{
	struct score_row *confined = NULL;
	int result;

	sandbox_place(&confined);
	result = run(arg);
	sandbox_place(NULL);
	return result;
}

/*
 * After each fork the stack's pages are shared, and the first write to one costs either
 * side a fault. What runs from here on, down to the end of a short exchange in a
 * worker, needs less than a page. So it begins at the top of one.
 */
__attribute__((noinline)) int forkcost_call(int (*run)(void *arg), void *arg)
{
	volatile char *rest = alloca((uintptr_t)__builtin_frame_address(0) % 4096 + 1);

	*rest = 0;
	return call(run, arg);
}
