#include "tally.h"

#include <string.h>

#include "base/memory.h"

struct tally *tallies_open(unsigned count)
{
	return memory_shared(count * sizeof(struct tally));
}

void tallies_close(struct tally *tallies, unsigned count)
{
	memory_release(tallies, count * sizeof(struct tally));
}

/* Reads closed first: a connection that is accepted in between is not closed yet. */
static void add(struct totals *totals, const struct tally *tally)
{
	for (int i = 0; i < REASON_COUNT; i++)
		score_sum(&totals->closed[i], score_read_clamped(&tally->closed[i]));
	atomic_thread_fence(memory_order_acquire);
	score_sum(&totals->accepted, score_read_clamped(&tally->accepted));
	score_sum(&totals->bytes_in, score_read_clamped(&tally->bytes_in));
	score_sum(&totals->bytes_out, score_read_clamped(&tally->bytes_out));
}

void tallies_add(const struct tally *tallies, unsigned count, struct totals *totals)
{
	for (unsigned i = 0; i < count; i++)
		add(totals, &tallies[i]);
}

struct tally_life tally_fold(struct tally *tally, struct totals *totals)
{
	struct totals own = { 0 };
	struct tally_life life;

	add(&own, tally);
	life.accepted = own.accepted;
	life.open = own.accepted > totals_closed(&own);
	add(totals, tally);
	memset(tally, 0, sizeof(*tally));
	return life;
}

void tallies_retire(struct tally *tallies, const struct processes *processes,
		    unsigned count)
{
	const struct process *process = processes->in[PROCESS_ACCEPTING].last;

	for (; process != NULL; process = process->prev) {
		struct tally *tally = &tallies[process_index(processes, process)];

		atomic_store(&tally->retires, count > 0);
		if (count > 0)
			count--;
	}
}
