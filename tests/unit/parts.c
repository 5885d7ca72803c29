#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "engine/supervisor/ending.h"

struct parts parts;

static void keep_line(void *arg, const char *line, size_t length)
{
	(void)arg, (void)length;
	assert_true(parts.line_count < LINES_MAX);
	/* The time differs from run to run. */
	strcpy(parts.lines[parts.line_count++], strstr(line, "level="));
}

static int note_signal(pid_t pid, int number)
{
	assert_true(parts.sent_count < SENT_MAX);
	parts.sent[parts.sent_count].pid = pid;
	parts.sent[parts.sent_count++].number = number;
	return 0;
}

static pid_t lead_group(pid_t pid)
{
	return pid;
}

static const struct group_calls calls = { note_signal, lead_group };

static pid_t play_start(void *self, struct process *process,
			const struct client *client)
{
	struct played *model = self;

	(void)process, (void)client;
	model->asked++;
	return model->error != 0 ? model->error : ++model->last;
}

/* Here, as if the process had its own copy. */
static void play_begin(void *self, struct process *process, int64_t now_us)
{
	(void)self, (void)now_us;
	close(process->session.client.fd);
	process->session.client.fd = -1;
}

static unsigned play_ended(void *self, struct process *process, const siginfo_t *info,
			   int64_t now_us, struct ending *ending)
{
	const struct played *model = self;

	(void)info, (void)now_us;
	ending_fill(ending, model->reason != REASON_NONE ? model->reason : REASON_DONE,
		    process->pid, process_row(&parts.processes, process));
	if (model->outcome != 0)
		return model->outcome;
	return process->session.client.id != 0 ? OUTCOME_SESSION : 0;
}

static enum reason play_unbegun(void *self, const struct process *process,
				const struct client *client, int64_t now_us)
{
	const struct score_row *row = process_row(&parts.processes, process);

	(void)self;
	if (row->failed_step != 0) {
		report_privileges_failed(&parts.report, client, row->failed_step,
					 row->error, now_us);
		return REASON_REFUSED_PRIVILEGES;
	}
	if (row->error == 0)
		return REASON_NONE;
	report_exec_failed(&parts.report, client, "/no/such", row->error, now_us);
	return REASON_EXEC_FAILED;
}

static void play_stranger_ended(void *self)
{
	struct played *model = self;

	model->strangers++;
}

static unsigned play_wanted(const void *self)
{
	const struct played *model = self;

	return model->wanted;
}

static void play_drain(void *self, int64_t now_us)
{
	struct played *model = self;

	(void)now_us;
	model->drained = true;
}

static bool play_has_strays(const void *self)
{
	const struct played *model = self;

	return model->has_strays;
}

static void play_leave_strays(const void *self)
{
	(void)self;
	report_unkillable(&parts.report, STRAY_PID, 0);
}

static const struct model played = {
	.name = "played",
	.spare_state = PROCESS_IDLE,
	.start = play_start,
	.begin = play_begin,
	.ended = play_ended,
	.unbegun = play_unbegun,
	.stranger_ended = play_stranger_ended,
	.wanted = play_wanted,
	.drain = play_drain,
	.has_strays = play_has_strays,
	.leave_strays = play_leave_strays,
};

static void join_parts(void)
{
	parts.sessions = (struct sessions){
		&parts.settings, &parts.policy, &parts.lingering, &parts.report, { 0 }
	};
	parts.dispatch.processes = &parts.processes;
	parts.dispatch.sessions = &parts.sessions;
	parts.dispatch.report = &parts.report;
	parts.dispatch.serving = (struct serving){ &played, &parts.model };
	parts.admission.loop = &parts.loop;
	parts.admission.sessions = &parts.sessions;
	parts.admission.dispatch = &parts.dispatch;
	parts.admission.report = &parts.report;
	parts.admission.settings = &parts.settings;
	parts.departures = (struct departures){ &parts.processes, &parts.sessions,
						&parts.dispatch, &parts.report };
	parts.stop.admission = &parts.admission;
	parts.stop.processes = &parts.processes;
	parts.stop.lingering = &parts.lingering;
	parts.stop.report = &parts.report;
}

int parts_open(void **state)
{
	note_what_is_open(state);
	parts = (struct parts){ .model.last = FIRST_PID - 1 };
	join_parts();
	assert_int_equal(loop_open(&parts.loop), 0);
	assert_int_equal(processes_open(&parts.processes, &parts.loop, PARTS_MAX), 0);
	parts.processes.calls = &calls;
	assert_int_equal(log_open(&parts.report.log, -1, keep_line, NULL), 0);
	parts.report.log.most = LOG_INFO;
	assert_int_equal(notify_open(&parts.report.notify, NULL), 0);
	parts_limit(&(const struct prong_options){ 0 });
	linger_open(&parts.lingering, &parts.loop, 1024 * 1024);
	dispatch_open(&parts.dispatch, 0);
	stop_open(&parts.stop);
	parts.admission.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	admission_open(&parts.admission);
	return 0;
}

int parts_close(void **state)
{
	linger_finish(&parts.lingering);
	for (unsigned i = 0; i < parts.processes.touched; i++)
		process_drop_channel(&parts.processes, &parts.processes.at[i]);
	admission_end(&parts.admission);
	admission_close_listeners(&parts.admission);
	close(parts.admission.null_fd);
	policy_close(&parts.policy);
	notify_close(&parts.report.notify);
	log_close(&parts.report.log);
	processes_close(&parts.processes);
	loop_close(&parts.loop);
	return nothing_is_left(state);
}

void parts_limit(const struct prong_options *options)
{
	struct why why;

	policy_close(&parts.policy);
	parts.policy = (struct policy){ 0 };
	assert_int_equal(policy_open(&parts.policy, options, PARTS_MAX, false, &why),
			 0);
}

struct process *parts_process(enum process_state state, int64_t now_us)
{
	struct process *process = process_take(&parts.processes);

	assert_non_null(process);
	process_occupy(&parts.processes, process, ++parts.model.last, state, now_us);
	return process;
}

struct process *parts_server_of(uint64_t session)
{
	for (unsigned i = 0; i < parts.processes.touched; i++)
		if (parts.processes.at[i].pid > 0 &&
		    parts.processes.at[i].session.client.id == session)
			return &parts.processes.at[i];
	fail_msg("no process serves session %d", (int)session);
	return NULL;
}

void parts_end(struct process *process, int64_t now_us)
{
	siginfo_t info = { .si_code = CLD_EXITED };

	info.si_pid = process->pid;
	departure(&parts.departures, &info, now_us);
}

bool was_sent(unsigned index, pid_t pid, int number)
{
	return index < parts.sent_count && parts.sent[index].pid == pid &&
	       parts.sent[index].number == number;
}

unsigned lines_with(const char *text)
{
	unsigned count = 0;

	for (unsigned i = 0; i < parts.line_count; i++)
		if (strstr(parts.lines[i], text) != NULL)
			count++;
	return count;
}

void last_line_has(const char *text, ...)
{
	const char *line;
	va_list texts;

	assert_true(parts.line_count > 0);
	line = parts.lines[parts.line_count - 1];
	va_start(texts, text);
	for (; text != NULL; text = va_arg(texts, const char *))
		if (strstr(line, text) == NULL)
			fail_msg("not in the last line: %s\n%s", text, line);
	va_end(texts);
}
