#include "serving.h"

#include "check.h"
#include "engine/admit/source.h"
#include "peer.h"

struct serving_fake serving;

static pid_t start(void *self, struct process *process, const struct client *client)
{
	struct score_row *row = process_row(&fake.processes, process);

	assert_ptr_equal(self, &serving);
	serving.starts++;
	serving.spares += client == NULL;
	row->error = serving.error;
	row->failed_step = serving.failed_step;
	return serving.start_result == 1 ? SERVING_FIRST_PID + (pid_t)serving.starts - 1
					 : serving.start_result;
}

static int hand_over(void *self, struct process *process, const struct client *client)
{
	unsigned call = serving.hand_overs++;

	assert_ptr_equal(self, &serving);
	assert_non_null(client);
	assert_true(call < SERVING_NOTED_MAX);
	serving.handed_to[call] = process;
	return serving.hand_over_results[call];
}

static void begin(void *self, struct process *process, int64_t now_us)
{
	(void)now_us;
	assert_ptr_equal(self, &serving);
	assert_int_equal(process->state, PROCESS_BUSY);
	serving.begun = process;
}

static enum reason unbegun(void *self, const struct process *process,
			   const struct client *client, int64_t now_us)
{
	const struct score_row *row = process_row(&fake.processes, process);

	(void)self;
	if (row->failed_step != 0) {
		report_privileges_failed(&fake.report, client, row->failed_step,
					 row->error, now_us);
		return REASON_REFUSED_PRIVILEGES;
	}
	if (row->error == 0)
		return REASON_NONE;
	report_exec_failed(&fake.report, client, "/no/such", row->error, now_us);
	return REASON_EXEC_FAILED;
}

static unsigned wanted(const void *self)
{
	assert_ptr_equal(self, &serving);
	return serving.wanted;
}

int serving_open(void **state)
{
	serving = (struct serving_fake){
		.model = {
			.name = "fake",
			.spare_state = PROCESS_IDLE,
			.start = start,
			.hand_over = hand_over,
			.begin = begin,
			.unbegun = unbegun,
			.wanted = wanted,
		},
		.dispatch = {
			.processes = &fake.processes,
			.sessions = &fake.sessions,
			.report = &fake.report,
			.serving = { &serving.model, &serving },
		},
		.start_result = 1,
	};
	dispatch_open(&serving.dispatch, 0);
	return fake_open(state);
}

struct client serving_client(uint64_t id, int fd, int64_t accepted_at_us)
{
	return (struct client){
		.fd = fd,
		.id = id,
		.accepted_at_us = accepted_at_us,
		.peer = peer_at("192.0.2.1"),
		.source = SOURCE_NONE,
	};
}
