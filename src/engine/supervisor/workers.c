#include "workers.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/gate.h"
#include "base/pass.h"
#include "ending.h"
#include "engine/record/completion.h"
#include "engine/record/handover.h"
#include "engine/worker/worker.h"
#include "report.h"
#include "opening.h"

int workers_open(void *self, const struct model_parts *parts,
		 const struct prong_options *options, struct trial *trial,
		 struct why *why)
{
	struct workers *workers = self;

	(void)trial, (void)why;
	workers->parts = *parts;
	workers->wants_sandbox = options->sandbox != PRONG_SANDBOX_OFF;
	return 0;
}

static bool has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != ENXIO;
}

/*
 * A session of its own costs a worker up to a tenth of its speed, since the kernel
 * gives each one a scheduling group (CONFIG_SCHED_AUTOGROUP). A sandboxed worker does
 * not need one: it has no terminal to inherit and can open none.
 */
static bool needs_session(const struct workers *workers)
{
	return !workers->parts.sandbox->on || has_terminal();
}

int workers_run(void *self, struct listener *listener, int64_t now_us, struct why *why)
{
	struct workers *workers = self;

	(void)listener, (void)now_us, (void)why;
	workers->supervisor = getpid();
	workers->session = needs_session(workers);
	return 0;
}

static void close_nothing(void *self)
{
	(void)self;
}

void workers_announce(const void *self, struct start *start)
{
	const struct workers *workers = self;

	if (workers->wants_sandbox && !workers->parts.sandbox->on)
		opening_sandbox_unavailable(workers->parts.report);
	start->sandbox = sandbox_name(workers->parts.sandbox);
}

pid_t workers_fork(const struct workers *workers, const struct process *process,
		   const struct outfit *outfit)
{
	const struct processes *processes = workers->parts.processes;
	unsigned index = process_index(processes, process);
	struct worker worker = {
		.settings = *workers->parts.settings,
		.handler = workers->parts.handler,
		.arg = workers->parts.arg,
		.privileges = workers->parts.privileges,
		.sandbox = *workers->parts.sandbox,
		.row = scoreboard_row(&processes->board, index),
		.mark = scoreboard_mark(&processes->board, index),
		.supervisor = workers->supervisor,
		.session = workers->session,
		.channel = outfit->channel,
		.listener = outfit->listener,
		.tally = outfit->tally,
	};
	pid_t pid;

	if (outfit->client != NULL)
		worker.client = *outfit->client;
	pid = sandbox_fork(workers->parts.sandbox);
	if (pid == 0)
		worker_main(&worker);
	return pid;
}

/* A worker that serves several connections reports that it has finished with one. */
static void on_channel(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct workers *workers = owner;
	struct processes *processes = workers->parts.processes;
	struct process *process = &processes->at[index];
	struct completion completion;
	struct ending ending;
	ssize_t n;

	(void)events;
	if (process->channel < 0)
		return;
	n = recv(process->channel, &completion, sizeof(completion),
		 MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		/*
		 * A worker closes its channel before its last connection. An idle
		 * one is exiting; SIGCHLD tells how.
		 */
		process_drop_channel(processes, process);
		if (process->state == PROCESS_IDLE)
			process_lost(processes, process, now_us);
		return;
	}
	if (n != sizeof(completion) || process->session.client.id == 0 ||
	    completion.session != process->session.client.id ||
	    !reason_is_completion(completion.reason)) {
		/* No worker of ours sends this. */
		process_kill(processes, process, REASON_CRASH_SIGNAL, now_us);
		return;
	}
	ending_fill(&ending, (enum reason)completion.reason, process->pid,
		    process_row(processes, process));
	sessions_end(workers->parts.sessions, &process->session.client, &ending,
		     now_us);
	if (process->state == PROCESS_BUSY)
		process_set_state(processes, process, PROCESS_IDLE, now_us);
}

int workers_hear(struct workers *workers, struct process *process)
{
	return process_watch(workers->parts.processes, process, process->channel,
			     EPOLLIN, on_channel, workers);
}

/* Only a worker that serves several connections answers on its channel. */
static int open_channel(struct workers *workers, struct process *process,
			int *childs_end)
{
	int pair[2];
	int err;

	do
		err = (int)GATE(socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair);
	while (err == -EMFILE && sessions_make_room(workers->parts.sessions));
	if (err < 0)
		return err;
	process->channel = pair[0];
	if (workers->parts.settings->reuse != 1)
		err = workers_hear(workers, process);
	if (err < 0) {
		close(pair[1]);
		return err;
	}
	*childs_end = pair[1];
	return 0;
}

static pid_t start(void *self, struct process *process, const struct client *client)
{
	struct workers *workers = self;
	struct outfit outfit = { .client = client, .channel = -1, .listener = -1 };
	pid_t pid;
	int err;

	if (client == NULL || workers->parts.settings->reuse != 1) {
		err = open_channel(workers, process, &outfit.channel);
		if (err < 0)
			return err;
	}
	pid = workers_fork(workers, process, &outfit);
	if (outfit.channel >= 0)
		close(outfit.channel);
	return pid;
}

static int hand_over(void *self, struct process *process, const struct client *client)
{
	struct workers *workers = self;
	struct handover handover = {
		.session = client->id,
		.accepted_at_us = client->accepted_at_us,
		.peer = client->peer,
	};
	int err = pass_send(process->channel, &handover, sizeof(handover), client->fd);

	if (err == 0 && workers->parts.settings->reuse == 1)
		process_drop_channel(workers->parts.processes, process);
	return err;
}

static void begin(void *self, struct process *process, int64_t now_us)
{
	(void)self, (void)now_us;
	close(process->session.client.fd);
	process->session.client.fd = -1;
}

enum reason workers_unbegun(void *self, const struct process *process,
			    const struct client *client, int64_t now_us)
{
	struct workers *workers = self;
	const struct score_row *row = process_row(workers->parts.processes, process);
	int step = atomic_load(&row->failed_step);
	int error = atomic_load(&row->error);

	if (step == 0)
		return REASON_NONE;
	if (step == PRIVILEGES_ACCEPT)
		report_accept_failed(workers->parts.report, error, now_us);
	else
		report_privileges_failed(workers->parts.report, client, step, error,
					 now_us);
	return REASON_REFUSED_PRIVILEGES;
}

void workers_judge(struct workers *workers, const struct process *process,
		   const siginfo_t *info, int64_t now_us, struct ending *ending)
{
	const struct score_row *row = process_row(workers->parts.processes, process);
	enum reason reason =
		ending_of_worker(process, row, info, workers->parts.sandbox->on);

	if (reason == REASON_REFUSED_PRIVILEGES)
		workers_unbegun(workers, process, &process->session.client, now_us);
	ending_fill(ending, reason, process->pid, row);
	if (reason_is_crash(reason))
		ending->info = info;
}

unsigned workers_ended(void *self, struct process *process, const siginfo_t *info,
		       int64_t now_us, struct ending *ending)
{
	if (process->session.client.id != 0) {
		workers_judge(self, process, info, now_us, ending);
		return OUTCOME_SESSION;
	}
	return process->state == PROCESS_IDLE || process->left_idle ? OUTCOME_SPARE_DIED
								    : 0;
}

static unsigned wanted(const void *self)
{
	const struct workers *workers = self;

	return workers->parts.settings->spare;
}

/* A channel for each worker that waits or will serve again. */
static unsigned count_descriptors(const struct settings *settings, unsigned processes)
{
	return settings->reuse == 1 && settings->spare < processes ? settings->spare
								   : processes;
}

/* The default, when no other model is asked for. */
static bool is_asked(const struct prong_options *options)
{
	return options->accept == PRONG_ACCEPT_SUPERVISOR;
}

const struct model model_workers = {
	.name = "handlers",
	.calls_handler = true,
	.lacks = LACKS_USERS,
	.is_asked = is_asked,
	.spare_state = PROCESS_IDLE,
	.open = workers_open,
	.close = close_nothing,
	.run = workers_run,
	.announce = workers_announce,
	.allowance_us = WORKERS_ALLOWANCE_US,
	.descriptors = count_descriptors,
	.start = start,
	.hand_over = hand_over,
	.begin = begin,
	.ended = workers_ended,
	.unbegun = workers_unbegun,
	.wanted = wanted,
};
