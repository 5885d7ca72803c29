#include "session.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "admission.h"
#include "engine/program/monitor.h"
#include "base/clock.h"
#include "base/pass.h"
#include "linger.h"
#include "engine/program/launch.h"
#include "dispatch.h"
#include "report.h"
#include "server.h"
#include "stop.h"
#include "base/tcp_info.h"

#define IDLE_LOOKS \
	250000 /* at most one look at all sessions in so long; microseconds */

static void plan_idle_look(struct prong *server, int64_t at)
{
	if (at < server->sessions.look_at)
		server->sessions.look_at = at;
}

/* The session of slot's process with client begins. */
static void begin(struct prong *server, struct process *process,
		  const struct client *client, int64_t now)
{
	process->client = *client;
	/* No events asked for: EPOLLHUP and EPOLLERR come all the same (epoll_ctl(2)). */
	process->polled = server_watch(server, client->fd, 0, WATCH_SESSION,
				       process_index(&server->processes, process)) == 0;
	if (server->settings.idle_timeout > 0) {
		process->idle_at = now + server->settings.idle_timeout;
		plan_idle_look(server, process->idle_at);
	}
	report_serve(server, client, process->pid);
}

static void occupy(struct prong *server, struct process *process, pid_t pid,
		   enum process_state state, int64_t now)
{
	process_occupy(&server->processes, process, pid, state, now);
	server->totals.processes++;
	backoff_succeeded(&server->dispatch.fork);
}

/* Starts the program itself. */
static pid_t start_program(struct prong *server, const struct client *client,
			   unsigned connections, const struct process *process)
{
	struct launch launch = {
		.program = server->program,
		.environment = server->sessions.environment,
		.connection = client->fd,
		.channel = -1,
		.null = server->null_fd,
		.parent = server->pid,
		.privileges = server->privileges,
		.row = server_row(server, process),
	};

	environment_fill(server->sessions.environment, server->program, client,
			 connections);
	return launch_program(&launch);
}

static pid_t start_attended(struct prong *server, const struct client *client,
			    unsigned connections, const struct process *process)
{
	struct monitor monitor = {
		.program = server->program,
		.privileges = server->privileges,
		.client = *client,
		.connections = connections,
		.row = server_row(server, process),
		.supervisor = server->pid,
		.null = server->null_fd,
	};

	return monitor_start(&monitor);
}

/*
 * Why a process could not start its program, and says so; REASON_NONE if it could. A
 * broken-in attendant may have written what is no errno.
 */
static enum reason report_unbegun(struct prong *server, const struct process *process,
				  const struct client *client, int64_t now)
{
	const struct score_row *row = server_row(server, process);
	int step = atomic_load(&row->failed_step);
	int error = atomic_load(&row->error);

	if (error == 0 || strerrorname_np(error) == NULL)
		return REASON_NONE;
	if (step == 0) {
		report_exec_failed(server, client, error, now);
		return REASON_EXEC_FAILED;
	}
	report_privileges_failed(server, client, step, error, now);
	return REASON_REFUSED_PRIVILEGES;
}

/* The connection of a program that was not begun: its end is all the client sees. */
static void end_unbegun(struct prong *server, struct process *process,
			struct client *client, int64_t now)
{
	enum reason reason = report_unbegun(server, process, client, now);

	admission_ended(server, client, reason, now);
	process_free(&server->processes, process);
	linger_start(server, client->fd, server->settings.linger, now);
}

/* In a process that is started for it. */
static int start_cold(struct prong *server, struct client *client, int64_t now)
{
	struct process *process = process_take(&server->processes);
	unsigned connections = policy_connections(&server->policy, client);
	pid_t pid;

	if (process == NULL)
		return -EAGAIN;
	server_reset_row(server, process);
	pid = monitor_is_needed(server->program)
		      ? start_attended(server, client, connections, process)
		      : start_program(server, client, connections, process);
	if (pid > 0) {
		occupy(server, process, pid, PROCESS_BUSY, now);
		begin(server, process, client, now);
		return 0;
	}
	if (pid == 0) {
		end_unbegun(server, process, client, now);
		return 0;
	}
	process_free(&server->processes, process);
	backoff_failed(&server->dispatch.fork, now);
	report_fork_failed(server, -(int)pid, now);
	return (int)pid;
}

/* In a warm process. Returns 0, or what pass_send() said. */
static int start_warm(struct prong *server, struct process *process,
		      struct client *client, int64_t now)
{
	struct environment *environment = server->sessions.environment;
	int err;

	score_begin(server_row(server, process));
	environment_fill(environment, server->program, client,
			 policy_connections(&server->policy, client));
	err = pass_send(process->channel, environment->text, environment->used,
			client->fd);
	if (err < 0)
		return err;
	dispatch_drop_channel(server, process);
	process_set_state(&server->processes, process, PROCESS_BUSY, now);
	begin(server, process, client, now);
	backoff_succeeded(&server->dispatch.spares);
	return 0;
}

int session_start(struct prong *server, struct client *client, int64_t now)
{
	struct process *process;

	while ((process = server->processes.in[PROCESS_IDLE].last) != NULL) {
		if (start_warm(server, process, client, now) == 0)
			return 0;
		dispatch_lost_spare(server, process, now);
	}
	if (backoff_waits(&server->dispatch.fork, now))
		return -EAGAIN;
	return start_cold(server, client, now);
}

/* The process of a warm spare: its streams are /dev/null until a connection comes. */
static pid_t launch_spare(struct prong *server, const struct process *process,
			  int channel)
{
	struct launch launch = {
		.program = server->program,
		.environment = server->sessions.environment,
		.connection = server->null_fd,
		.channel = channel,
		.null = server->null_fd,
		.parent = server->pid,
		.privileges = server->privileges,
		.row = server_row(server, process),
	};

	server_reset_row(server, process);
	environment_fill_warm(server->sessions.environment, server->program);
	return launch_program(&launch);
}

/* No spare: either no process could be made, or that is not what was wrong. */
static int spare_failed(struct prong *server, struct process *process, pid_t result,
			int64_t now)
{
	backoff_failed(&server->dispatch.spares, now);
	if (result < 0)
		report_fork_failed(server, -(int)result, now);
	else
		report_unbegun(server, process, NULL, now);
	process_free(&server->processes, process);
	return result < 0 ? (int)result : -ENOEXEC;
}

int session_start_spare(struct prong *server, int64_t now)
{
	struct process *process = process_take(&server->processes);
	int pair[2] = { -1, -1 };
	pid_t pid;

	if (process == NULL)
		return -EAGAIN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0)
		pid = launch_spare(server, process, pair[1]);
	else
		pid = -errno;
	if (pair[1] >= 0)
		close(pair[1]);
	if (pid > 0) {
		process->channel = pair[0];
		occupy(server, process, pid, PROCESS_IDLE, now);
		return 0;
	}
	if (pair[0] >= 0)
		close(pair[0]);
	return spare_failed(server, process, pid, now);
}

static void unwatch(struct prong *server, struct process *process)
{
	if (process->polled)
		server_unwatch(server, process->client.fd);
	process->polled = false;
}

void session_hangup(struct prong *server, unsigned index)
{
	struct process *process = &server->processes.at[index];

	unwatch(server, process); /* or epoll would go on telling */
	if (server->program->asked.ignore_hangup || process->state != PROCESS_BUSY ||
	    atomic_load(&server_row(server, process)->program_ended))
		return;
	stop_terminate(server, process, REASON_RESET);
}

/* What ended it outweighs how the program took that. */
static enum reason judge(const struct process *process, const siginfo_t *info,
			 bool reset)
{
	char byte;

	if (process->cut != REASON_NONE)
		return process->cut;
	if (info->si_code != CLD_EXITED)
		return info->si_status == SIGPIPE ? REASON_RESET : REASON_CRASH_SIGNAL;
	if (reset)
		return REASON_RESET;
	if (info->si_status != 0)
		return REASON_FAILED;
	if (recv(process->client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return REASON_EOF;
	return REASON_DONE;
}

/*
 * Processes that the program left behind in its group may still be talking to the
 * client: then only our own descriptor is closed, and the end is theirs.
 */
static bool others_go_on(const struct process *process)
{
	return process->cut == REASON_NONE && kill(-process->pid, 0) == 0;
}

enum reason session_end(struct prong *server, struct process *process,
			const siginfo_t *info, int64_t now)
{
	struct score_row *row = server_row(server, process);
	enum reason reason = report_unbegun(server, process, &process->client, now);
	struct traffic traffic = { 0 };

	if (tcp_info_read(process->client.fd, &traffic) == 0) {
		score_add(&row->bytes_in, traffic.in);
		score_add(&row->bytes_out, traffic.out);
	}
	if (reason == REASON_NONE)
		reason = judge(process, info, traffic.reset);
	unwatch(server, process);
	if (others_go_on(process))
		linger_close_fd(process->client.fd);
	else
		linger_start(server, process->client.fd, server->settings.linger, now);
	process->client.fd = -1;
	return reason;
}

static bool is_session(void *arg, pid_t pid)
{
	const struct processes *processes = arg;

	return process_find(processes, pid) != NULL;
}

void sessions_end_orphans(struct prong *server)
{
	if (server->program != NULL && server->program->asked.kill_descendants)
		orphans_kill(is_session, &server->processes);
}

/* Ends one that has idled long enough; otherwise learns when that may be. */
static void check_idle(struct prong *server, struct process *process, int64_t now)
{
	struct traffic traffic = { 0 };

	if (process->idle_at > now) {
		plan_idle_look(server, process->idle_at);
		return;
	}
	if (tcp_info_read(process->client.fd, &traffic) == 0 &&
	    traffic.idle >= server->settings.idle_timeout) {
		stop_terminate(server, process, REASON_IDLE);
		return;
	}
	process->idle_at = now + server->settings.idle_timeout - traffic.idle;
	plan_idle_look(server, process->idle_at);
}

void sessions_check_idle(struct prong *server, int64_t now)
{
	struct process *process = server->processes.in[PROCESS_BUSY].first;

	if (server->sessions.look_at > now)
		return;
	server->sessions.look_at = CLOCK_NEVER;
	while (process != NULL) {
		struct process *next = process->next;

		check_idle(server, process, now);
		process = next;
	}
	/* With many sessions there would always be one that is due. */
	if (server->sessions.look_at < now + IDLE_LOOKS)
		server->sessions.look_at = now + IDLE_LOOKS;
}

int64_t sessions_deadline(const struct prong *server)
{
	return server->sessions.look_at;
}
