#include "programs.h"

#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pass.h"
#include "base/tcp_info.h"
#include "base/why.h"
#include "ending.h"
#include "engine/program/children.h"
#include "engine/program/launch.h"
#include "engine/program/monitor.h"
#include "engine/program/program.h"
#include "linger.h"
#include "report.h"

#define IDLE_LOOKS_US 250000 /* at least, from a look at all sessions to the next */

static int open_programs(void *self, const struct model_parts *parts,
			 const struct prong_options *options, struct program **program,
			 struct why *why)
{
	struct programs *programs = self;

	programs->parts = *parts;
	programs->program = malloc(sizeof(*programs->program));
	programs->environment = malloc(sizeof(*programs->environment));
	programs->idle_look_us = CLOCK_NEVER;
	if (programs->program == NULL || programs->environment == NULL)
		return why_fail(why, -ENOMEM, "no memory");
	if (options->program->kill_descendants && options->privileges != NULL &&
	    options->privileges->root != NULL &&
	    options->privileges->drop == PRONG_DROP_SUPERVISOR)
		return why_fail(
			why, -EINVAL,
			"kill-descendants needs /proc, which a supervisor loses "
			"by chroot");
	*program = programs->program;
	return program_prepare(programs->program, options->program, why);
}

static void close_programs(void *self)
{
	struct programs *programs = self;

	free(programs->program);
	free(programs->environment);
}

static void settle(const void *self, struct settings *settings)
{
	const struct programs *programs = self;

	if (programs->program->options.warm == NULL || programs->program->cold != NULL)
		settings->spare = 0;
}

static int run(void *self, struct listener *listener, int64_t now_us)
{
	struct programs *programs = self;

	(void)listener, (void)now_us;
	programs->supervisor = getpid();
	if (programs->program->options.kill_descendants &&
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return 0;
}

static void announce(const void *self, struct start *start)
{
	const struct programs *programs = self;

	(void)start;
	if (programs->program->cold != NULL)
		report_cold(programs->parts.report, programs->program->path,
			    programs->program->cold);
}

static void plan_idle_look(struct programs *programs, int64_t at_us)
{
	if (at_us < programs->idle_look_us)
		programs->idle_look_us = at_us;
}

/* What every program is launched with; without a client it waits on its channel. */
static struct launch plan_launch(const struct programs *programs,
				 const struct process *process)
{
	return (struct launch){
		.program = programs->program,
		.environment = programs->environment,
		.connection = *programs->parts.null_fd,
		.channel = -1,
		.null = *programs->parts.null_fd,
		.parent = programs->supervisor,
		.privileges = programs->parts.privileges,
		.row = process_row(programs->parts.processes, process),
	};
}

static pid_t start_cold(struct programs *programs, const struct process *process,
			const struct client *client)
{
	unsigned connections = sessions_of_source(programs->parts.sessions, client);
	struct launch launch = plan_launch(programs, process);

	launch.connection = client->fd;
	environment_fill(programs->environment, programs->program, client, connections);
	return launch_program(&launch);
}

static pid_t start_monitored(struct programs *programs, const struct process *process,
			     const struct client *client)
{
	struct monitor monitor = {
		.program = programs->program,
		.privileges = programs->parts.privileges,
		.client = *client,
		.connections = sessions_of_source(programs->parts.sessions, client),
		.row = process_row(programs->parts.processes, process),
		.supervisor = programs->supervisor,
		.null = *programs->parts.null_fd,
	};

	return monitor_start(&monitor);
}

/* A warm spare: its streams are /dev/null until a connection comes on its channel. */
static pid_t start_warm(struct programs *programs, struct process *process)
{
	struct launch launch = plan_launch(programs, process);
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	process->channel = pair[0];
	launch.channel = pair[1];
	environment_fill_warm(programs->environment, programs->program);
	pid = launch_program(&launch);
	close(pair[1]);
	return pid;
}

static pid_t start(void *self, struct process *process, const struct client *client)
{
	struct programs *programs = self;

	if (client == NULL)
		return start_warm(programs, process);
	return monitor_is_needed(programs->program)
		       ? start_monitored(programs, process, client)
		       : start_cold(programs, process, client);
}

static int hand_over(void *self, struct process *process, const struct client *client)
{
	struct programs *programs = self;
	struct environment *environment = programs->environment;
	int err;

	environment_fill(environment, programs->program, client,
			 sessions_of_source(programs->parts.sessions, client));
	err = pass_send(process->channel, environment->text, environment->used,
			client->fd);
	if (err == 0)
		process_drop_channel(programs->parts.processes, process);
	return err;
}

/* The client is gone for good, or so EPOLLHUP and EPOLLERR say. */
static void on_hangup(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct programs *programs = owner;
	struct processes *processes = programs->parts.processes;
	struct process *process = &processes->at[index];

	(void)events;
	process_unwatch(processes, process); /* or epoll would go on telling */
	if (programs->program->options.ignore_hangup ||
	    process->state != PROCESS_BUSY ||
	    atomic_load(&process_row(processes, process)->program_ended))
		return;
	process_terminate(processes, process, REASON_RESET, now_us);
}

static void begin(void *self, struct process *process, int64_t now_us)
{
	struct programs *programs = self;
	struct session *session = &process->session;

	/* No events asked for: EPOLLHUP and EPOLLERR come all the same (epoll_ctl(2)). */
	process_watch(programs->parts.processes, process, session->client.fd, 0,
		      on_hangup, programs);
	if (programs->parts.settings->idle_timeout_us > 0) {
		session->idle_at_us =
			now_us + programs->parts.settings->idle_timeout_us;
		plan_idle_look(programs, session->idle_at_us);
	}
}

/* What ended it outweighs how the program took that. */
static enum reason judge(const struct process *process, const siginfo_t *info,
			 bool reset)
{
	char byte;

	if (process->end_cause != REASON_NONE)
		return process->end_cause;
	if (info->si_code != CLD_EXITED)
		return info->si_status == SIGPIPE ? REASON_RESET : REASON_CRASH_SIGNAL;
	if (reset)
		return REASON_RESET;
	if (info->si_status != 0)
		return REASON_FAILED;
	if (recv(process->session.client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return REASON_EOF;
	return REASON_DONE;
}

/*
 * Processes that the program left behind in its group may still be talking to the
 * client: then only our own descriptor is closed, and the end is theirs.
 */
static bool others_go_on(const struct programs *programs, const struct process *process)
{
	return process->end_cause == REASON_NONE &&
	       programs->parts.processes->send(-process->pid, 0) == 0;
}

/* Lets go of the connection, whose program has ended. */
static void let_go(struct programs *programs, struct process *process, int64_t now_us)
{
	struct client *client = &process->session.client;

	process_unwatch(programs->parts.processes, process);
	if (others_go_on(programs, process))
		linger_close_fd(client->fd);
	else
		sessions_let_go(programs->parts.sessions, client->fd, now_us);
	client->fd = -1;
}

static void end_orphans(struct programs *programs);

static enum reason unbegun(void *self, const struct process *process,
			   const struct client *client, int64_t now_us)
{
	struct programs *programs = self;
	const struct score_row *row = process_row(programs->parts.processes, process);
	int step = atomic_load(&row->failed_step);
	int error = atomic_load(&row->error);

	/* A monitor that has been broken into may have written what is no errno. */
	if (error == 0 || strerrorname_np(error) == NULL)
		return REASON_NONE;
	if (step == 0) {
		report_exec_failed(programs->parts.report, client,
				   programs->program->path, error, now_us);
		return REASON_EXEC_FAILED;
	}
	report_privileges_failed(programs->parts.report, client, step, error, now_us);
	return REASON_REFUSED_PRIVILEGES;
}

static unsigned ended(void *self, struct process *process, const siginfo_t *info,
		      int64_t now_us, struct ending *ending)
{
	struct programs *programs = self;
	struct client *client = &process->session.client;
	struct score_row *row = process_row(programs->parts.processes, process);
	struct traffic traffic = { 0 };
	enum reason reason;

	if (info->si_code != CLD_EXITED)
		end_orphans(programs);
	if (client->id == 0)
		return process->state == PROCESS_IDLE || process->left_idle
			       ? OUTCOME_SPARE_DIED
			       : 0;
	reason = unbegun(programs, process, client, now_us);
	if (tcp_info_read(client->fd, &traffic) == 0) {
		score_add(&row->bytes_in, traffic.in_bytes);
		score_add(&row->bytes_out, traffic.out_bytes);
	}
	if (reason == REASON_NONE)
		reason = judge(process, info, traffic.reset);
	let_go(programs, process, now_us);
	ending_fill(ending, reason, process->pid, row);
	ending->info = info;
	return OUTCOME_SESSION;
}

static bool is_ours(void *arg, pid_t pid)
{
	const struct processes *processes = arg;

	return process_find(processes, pid) != NULL;
}

/* Monitors may have been killed, and have left children to us. */
static void end_orphans(struct programs *programs)
{
	if (programs->program->options.kill_descendants)
		children_kill_others(is_ours, programs->parts.processes);
}

static void stranger_ended(void *self)
{
	end_orphans(self);
}

static unsigned wanted(const void *self)
{
	const struct programs *programs = self;

	return programs->parts.settings->spare;
}

/* Ends a session that has idled long enough; otherwise learns when that may be. */
static void check_idle(struct programs *programs, struct process *process,
		       int64_t now_us)
{
	int64_t timeout_us = programs->parts.settings->idle_timeout_us;
	struct session *session = &process->session;
	struct traffic traffic = { 0 };

	if (session->idle_at_us > now_us) {
		plan_idle_look(programs, session->idle_at_us);
		return;
	}
	if (tcp_info_read(session->client.fd, &traffic) == 0 &&
	    traffic.idle_us >= timeout_us) {
		process_terminate(programs->parts.processes, process, REASON_IDLE,
				  now_us);
		return;
	}
	session->idle_at_us = now_us + timeout_us - traffic.idle_us;
	plan_idle_look(programs, session->idle_at_us);
}

static void tick(void *self, int64_t heard_us, int64_t now_us)
{
	struct programs *programs = self;
	struct process *process = programs->parts.processes->in[PROCESS_BUSY].first;

	(void)now_us;
	if (programs->idle_look_us > heard_us)
		return;
	programs->idle_look_us = CLOCK_NEVER;
	while (process != NULL) {
		struct process *next = process->next;

		check_idle(programs, process, heard_us);
		process = next;
	}
	/* With many sessions there would always be one that is due. */
	if (programs->idle_look_us < heard_us + IDLE_LOOKS_US)
		programs->idle_look_us = heard_us + IDLE_LOOKS_US;
}

static int64_t deadline(const void *self)
{
	const struct programs *programs = self;

	return programs->idle_look_us;
}

const struct model model_programs = {
	.name = "programs",
	.lacks = LACKS_REUSE | LACKS_SANDBOX | LACKS_ACCEPTING,
	.counts_sources = true,
	.open = open_programs,
	.close = close_programs,
	.settle = settle,
	.run = run,
	.announce = announce,
	.spare_state = PROCESS_IDLE,
	.spares_are_dear = true,
	.start = start,
	.hand_over = hand_over,
	.begin = begin,
	.ended = ended,
	.unbegun = unbegun,
	.stranger_ended = stranger_ended,
	.wanted = wanted,
	.tick = tick,
	.deadline = deadline,
};
