/*
 * A model that serves nothing, and a dispatch that uses it. The model notes what it was
 * asked for, and the test sets the results. Its neighbours are those of fake.h.
 */
#ifndef UNIT_SERVING_H
#define UNIT_SERVING_H

#include "engine/supervisor/dispatch.h"
#include "fake.h"

#define SERVING_NOTED_MAX 8
#define SERVING_FIRST_PID 1000

struct serving_fake {
	struct model model; /* a test may change it */
	struct dispatch dispatch;

	unsigned wanted;
	pid_t start_result;     /* of start(): a negative errno; 1: the next pid */
	int error, failed_step; /* what start() leaves in the row */
	bool full;              /* result of is_full(), if the model has it */

	/* Results of hand_over(), in the order of its calls; after those 0. */
	int hand_over_results[SERVING_NOTED_MAX];
	const struct process *handed_to[SERVING_NOTED_MAX];
	unsigned hand_overs;

	unsigned starts;             /* calls of start(), */
	unsigned spares;             /* of those, without a client */
	const struct process *begun; /* the process of the last begin() */
	unsigned drains;
};

extern struct serving_fake serving;

/* A test with this model and the neighbours of fake.h. */
#define served(function) \
	cmocka_unit_test_setup_teardown(function, serving_open, fake_close)

int serving_open(void **state);

/* A client whose connection is fd. */
struct client serving_client(uint64_t id, int fd, int64_t accepted_at_us);

#endif
