#include "session.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "admission.h"
#include "attend.h"
#include "base/clock.h"
#include "base/pass.h"
#include "farewell.h"
#include "launch.h"
#include "placement.h"
#include "report.h"
#include "server.h"
#include "stop.h"
#include "traffic.h"

#define IDLE_LOOKS \
	250000 /* at most one look at all sessions in so long; microseconds */

static void plan_idle_look(struct prong *server, int64_t at)
{
	if (at < server->sessions.look_at)
		server->sessions.look_at = at;
}

/* The session of slot's process with client begins. */
static void begin(struct prong *server, struct slot *slot, const struct client *client,
		  int64_t now)
{
	slot->client = *client;
	/* No events asked for: EPOLLHUP and EPOLLERR come all the same (epoll_ctl(2)). */
	slot->polled = server_watch(server, client->fd, 0, WATCH_SESSION,
				    slot_index(&server->slots, slot)) == 0;
	if (server->settings.idle_timeout > 0) {
		slot->idle_at = now + server->settings.idle_timeout;
		plan_idle_look(server, slot->idle_at);
	}
	report_serve(server, client, slot->pid);
}

static void occupy(struct prong *server, struct slot *slot, pid_t pid,
		   enum slot_state state, int64_t now)
{
	slot_occupy(&server->slots, slot, pid, state, now);
	server->totals.processes++;
	backoff_succeeded(&server->placement.fork);
}

/* Starts the program itself. */
static pid_t start_program(struct prong *server, const struct client *client,
			   unsigned connections, const struct slot *slot)
{
	struct launch launch = {
		.program = server->program,
		.environment = server->sessions.environment,
		.connection = client->fd,
		.channel = -1,
		.null = server->null_fd,
		.parent = server->pid,
		.rights = server->rights,
		.row = server_row(server, slot),
	};

	environment_fill(server->sessions.environment, server->program, client,
			 connections);
	return launch_program(&launch);
}

static pid_t start_attended(struct prong *server, const struct client *client,
			    unsigned connections, const struct slot *slot)
{
	struct attendance attendance = {
		.program = server->program,
		.rights = server->rights,
		.client = *client,
		.connections = connections,
		.row = server_row(server, slot),
		.supervisor = server->pid,
		.null = server->null_fd,
	};

	return attendant_start(&attendance);
}

/*
 * Why a process could not start its program, and says so; REASON_NONE if it could. A
 * broken-in attendant may have written what is no errno.
 */
static enum reason report_unbegun(struct prong *server, const struct slot *slot,
				  const struct client *client, int64_t now)
{
	const struct score_row *row = server_row(server, slot);
	int step = atomic_load(&row->failed_step);
	int error = atomic_load(&row->error);

	if (error == 0 || strerrorname_np(error) == NULL)
		return REASON_NONE;
	if (step == 0) {
		report_exec_failed(server, client, error, now);
		return REASON_EXEC_FAILED;
	}
	report_rights_failed(server, client, step, error, now);
	return REASON_REFUSED_RIGHTS;
}

/* The connection of a program that was not begun: its end is all the client sees. */
static void end_unbegun(struct prong *server, struct slot *slot, struct client *client,
			int64_t now)
{
	enum reason reason = report_unbegun(server, slot, client, now);

	admission_ended(server, client, reason, now);
	slot_free(&server->slots, slot);
	farewell_start(server, client->fd, server->settings.linger, now);
}

/* In a process that is started for it. */
static int start_cold(struct prong *server, struct client *client, int64_t now)
{
	struct slot *slot = slot_take(&server->slots);
	unsigned connections = policy_connections(&server->policy, client);
	pid_t pid;

	if (slot == NULL)
		return -EAGAIN;
	server_reset_row(server, slot);
	pid = attendant_is_needed(server->program)
		      ? start_attended(server, client, connections, slot)
		      : start_program(server, client, connections, slot);
	if (pid > 0) {
		occupy(server, slot, pid, SLOT_BUSY, now);
		begin(server, slot, client, now);
		return 0;
	}
	if (pid == 0) {
		end_unbegun(server, slot, client, now);
		return 0;
	}
	slot_free(&server->slots, slot);
	backoff_failed(&server->placement.fork, now);
	report_fork_failed(server, -(int)pid, now);
	return (int)pid;
}

/* In a warm process. Returns 0, or what pass_send() said. */
static int start_warm(struct prong *server, struct slot *slot, struct client *client,
		      int64_t now)
{
	struct environment *environment = server->sessions.environment;
	int err;

	score_begin(server_row(server, slot));
	environment_fill(environment, server->program, client,
			 policy_connections(&server->policy, client));
	err = pass_send(slot->channel, environment->text, environment->used,
			client->fd);
	if (err < 0)
		return err;
	placement_drop_channel(server, slot);
	slot_set_state(&server->slots, slot, SLOT_BUSY, now);
	begin(server, slot, client, now);
	backoff_succeeded(&server->placement.spares);
	return 0;
}

int session_start(struct prong *server, struct client *client, int64_t now)
{
	struct slot *slot;

	while ((slot = server->slots.in[SLOT_IDLE].last) != NULL) {
		if (start_warm(server, slot, client, now) == 0)
			return 0;
		placement_lost_spare(server, slot, now);
	}
	if (backoff_waits(&server->placement.fork, now))
		return -EAGAIN;
	return start_cold(server, client, now);
}

/* The process of a warm spare: its streams are /dev/null until a connection comes. */
static pid_t launch_spare(struct prong *server, const struct slot *slot, int channel)
{
	struct launch launch = {
		.program = server->program,
		.environment = server->sessions.environment,
		.connection = server->null_fd,
		.channel = channel,
		.null = server->null_fd,
		.parent = server->pid,
		.rights = server->rights,
		.row = server_row(server, slot),
	};

	server_reset_row(server, slot);
	environment_fill_warm(server->sessions.environment, server->program);
	return launch_program(&launch);
}

/* No spare: either no process could be made, or that is not what was wrong. */
static int spare_failed(struct prong *server, struct slot *slot, pid_t result,
			int64_t now)
{
	backoff_failed(&server->placement.spares, now);
	if (result < 0)
		report_fork_failed(server, -(int)result, now);
	else
		report_unbegun(server, slot, NULL, now);
	slot_free(&server->slots, slot);
	return result < 0 ? (int)result : -ENOEXEC;
}

int session_start_spare(struct prong *server, int64_t now)
{
	struct slot *slot = slot_take(&server->slots);
	int pair[2] = { -1, -1 };
	pid_t pid;

	if (slot == NULL)
		return -EAGAIN;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0)
		pid = launch_spare(server, slot, pair[1]);
	else
		pid = -errno;
	if (pair[1] >= 0)
		close(pair[1]);
	if (pid > 0) {
		slot->channel = pair[0];
		occupy(server, slot, pid, SLOT_IDLE, now);
		return 0;
	}
	if (pair[0] >= 0)
		close(pair[0]);
	return spare_failed(server, slot, pid, now);
}

static void unwatch(struct prong *server, struct slot *slot)
{
	if (slot->polled)
		server_unwatch(server, slot->client.fd);
	slot->polled = false;
}

void session_hangup(struct prong *server, unsigned index)
{
	struct slot *slot = &server->slots.at[index];

	unwatch(server, slot); /* or epoll would go on telling */
	if (server->program->asked.ignore_hangup || slot->state != SLOT_BUSY ||
	    atomic_load(&server_row(server, slot)->program_ended))
		return;
	stop_terminate(server, slot, REASON_RESET);
}

/* What ended it outweighs how the program took that. */
static enum reason judge(const struct slot *slot, const siginfo_t *info, bool reset)
{
	char byte;

	if (slot->cut != REASON_NONE)
		return slot->cut;
	if (info->si_code != CLD_EXITED)
		return info->si_status == SIGPIPE ? REASON_RESET : REASON_CRASH_SIGNAL;
	if (reset)
		return REASON_RESET;
	if (info->si_status != 0)
		return REASON_FAILED;
	if (recv(slot->client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return REASON_EOF;
	return REASON_DONE;
}

/*
 * Processes that the program left behind in its group may still be talking to the
 * client: then only our own descriptor is closed, and the end is theirs.
 */
static bool others_go_on(const struct slot *slot)
{
	return slot->cut == REASON_NONE && kill(-slot->pid, 0) == 0;
}

enum reason session_end(struct prong *server, struct slot *slot, const siginfo_t *info,
			int64_t now)
{
	struct score_row *row = server_row(server, slot);
	enum reason reason = report_unbegun(server, slot, &slot->client, now);
	struct traffic traffic = { 0 };

	if (traffic_read(slot->client.fd, &traffic) == 0) {
		score_add(&row->bytes_in, traffic.in);
		score_add(&row->bytes_out, traffic.out);
	}
	if (reason == REASON_NONE)
		reason = judge(slot, info, traffic.reset);
	unwatch(server, slot);
	if (others_go_on(slot))
		farewell_close(slot->client.fd);
	else
		farewell_start(server, slot->client.fd, server->settings.linger, now);
	slot->client.fd = -1;
	return reason;
}

static bool is_session(void *arg, pid_t pid)
{
	const struct slots *slots = arg;

	return slot_find(slots, pid) != NULL;
}

void sessions_end_orphans(struct prong *server)
{
	if (server->program != NULL && server->program->asked.kill_descendants)
		orphans_kill(is_session, &server->slots);
}

/* Ends one that has idled long enough; otherwise learns when that may be. */
static void check_idle(struct prong *server, struct slot *slot, int64_t now)
{
	struct traffic traffic = { 0 };

	if (slot->idle_at > now) {
		plan_idle_look(server, slot->idle_at);
		return;
	}
	if (traffic_read(slot->client.fd, &traffic) == 0 &&
	    traffic.idle >= server->settings.idle_timeout) {
		stop_terminate(server, slot, REASON_IDLE);
		return;
	}
	slot->idle_at = now + server->settings.idle_timeout - traffic.idle;
	plan_idle_look(server, slot->idle_at);
}

void sessions_check_idle(struct prong *server, int64_t now)
{
	struct slot *slot = server->slots.in[SLOT_BUSY].first;

	if (server->sessions.look_at > now)
		return;
	server->sessions.look_at = CLOCK_NEVER;
	while (slot != NULL) {
		struct slot *next = slot->next;

		check_idle(server, slot, now);
		slot = next;
	}
	/* With many sessions there would always be one that is due. */
	if (server->sessions.look_at < now + IDLE_LOOKS)
		server->sessions.look_at = now + IDLE_LOOKS;
}

int64_t sessions_deadline(const struct prong *server)
{
	return server->sessions.look_at;
}
