#include "programs.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pass.h"
#include "base/tcp_info.h"
#include "base/why.h"
#include "ending.h"
#include "engine/confine/privileges.h"
#include "engine/confine/sandbox.h"
#include "engine/program/launch.h"
#include "engine/program/monitor.h"
#include "engine/program/program.h"
#include "engine/program/warm.h"
#include "report.h"
#include "opening.h"

#define HANGUP_MS    5000 /* from the hang-up of a program's client to the end */
#define ERRNO_MOST   4095 /* the kernel's MAX_ERRNO */
#define SPARE_AGE_US INT64_C(3600000000) /* libraries are upgraded now and then */

static int find(void *program, struct why *why)
{
	return program_find(program, why);
}

static int open_programs(void *self, const struct model_parts *parts,
			 const struct prong_options *options, struct trial *trial,
			 struct why *why)
{
	struct programs *programs = self;
	int err;

	*programs = (struct programs){
		.parts = *parts,
		.program = malloc(sizeof(*programs->program)),
		.strays.sweep_us = CLOCK_NEVER,
	};
	custody_open(&programs->custody, parts->processes, parts->sessions);
	programs->custody.leftovers.voices = &programs->voices;
	programs->custody.leftovers.users = &programs->users;
	if (programs->program == NULL ||
	    (voices_are_heard(options) &&
	     voices_open(&programs->voices, parts->processes->loop, parts->report,
			 parts->processes->max + LEFTOVER_MAX) < 0))
		return why_fail(why, -ENOMEM, "no memory");
	if (sandbox_is_set())
		return why_fail(why, -ENOTSUP,
				"programs cannot be started where a sandbox has been");
	err = users_open(&programs->users, options, parts->privileges, why);
	if (err == 0)
		err = monitor_check(options, why);
	if (err < 0)
		return err;
	*trial = (struct trial){
		.run = find,
		.state = programs->program,
		.size = sizeof(*programs->program),
		.in_child = options->program->directory != NULL,
		.apart = !options->program->allow_debugging,
	};
	return program_prepare(programs->program, options->program, options->spare,
			       why);
}

static void close_programs(void *self)
{
	struct programs *programs = self;

	voices_close(&programs->voices);
	users_close(&programs->users);
	custody_close(&programs->custody);
	launchpads_close(&programs->launchpads);
	free(programs->program);
}

static void settle(const void *self, struct settings *settings)
{
	const struct programs *programs = self;
	int64_t grace_ms = programs->program->options.hangup_grace;

	if (programs->program->options.warm == NULL || programs->program->cold != NULL)
		settings->spare = 0;
	settings->hears_programs = programs->voices.at != NULL;
	settings->hangup_us = clock_us_from_ms(grace_ms == 0 ? HANGUP_MS : grace_ms);
}

static int run(void *self, struct listener *listener, int64_t now_us, struct why *why)
{
	struct programs *programs = self;

	(void)listener, (void)now_us;
	programs->supervisor = getpid();
	if (programs->program->options.kill_descendants)
		strays_open(&programs->strays, programs->parts.processes);
	/* Orphans that programs leave become our children, and are seen; custody.c. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return why_call(why, -errno, "adopt orphans of programs",
				"prctl(PR_SET_CHILD_SUBREAPER)");
	return custody_start(&programs->custody, monitor_is_needed(programs->program),
			     programs->program->options.ignore_hangup, why);
}

static void announce(const void *self, struct start *start)
{
	const struct programs *programs = self;
	const struct privileges *privileges = programs->parts.privileges;
	const struct program *program = programs->program;
	bool may_gain = privileges->options.allow_new_privs && !privileges_are_fixed();

	start->new_privs = may_gain ? "yes" : "no";
	start->separated = privileges->apart ? "yes" : "no";
	if (privileges->apart_error != 0)
		opening_not_separated(programs->parts.report, privileges->apart_error);
	if (!may_gain && program->gains != NULL)
		opening_no_new_privs(programs->parts.report, program->path,
				     program->gains);
	if (program->cold != NULL)
		opening_cold(programs->parts.report, program->path, program->cold);
}

/*
 * What every program is launched with, except its environment. Without a client it
 * waits on its channel. NULL: no memory.
 */
static struct launchpad *prepare_launch(struct programs *programs,
					const struct process *process, int error)
{
	struct launchpad *pad = launchpad_take(&programs->launchpads);

	if (pad != NULL)
		pad->launch = (struct launch){
			.program = programs->program,
			.connection = *programs->parts.null_fd,
			.channel = -1,
			.null = *programs->parts.null_fd,
			.error = error,
			.parent = programs->supervisor,
			.privileges = programs->parts.privileges,
			.uid = process->uid,
			.row = process_row(programs->parts.processes, process),
		};
	return pad;
}

/* The program's process looks up the names itself. */
static void describe_client(const struct programs *programs, struct launchpad *pad,
			    const struct client *client)
{
	unsigned connections = sessions_of_source(programs->parts.sessions, client);

	pad->launch.connection = client->fd;
	if (programs->program->options.resolve) {
		pad->launch.client = client;
		pad->launch.connections = connections;
	} else {
		environment_fill(&pad->environment, programs->program, client,
				 connections);
		environment_add_user(&pad->environment, programs->program,
				     pad->launch.uid);
	}
}

/* A warm program reports that it waits; or it has ended or is about to begin. */
static void on_waiting(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct programs *programs = owner;
	struct processes *processes = programs->parts.processes;
	struct process *process = &processes->at[index];
	char said = 0;
	ssize_t n;

	(void)events;
	if (process->channel < 0 || process->state != PROCESS_STARTING)
		return;
	n = recv(process->channel, &said, 1, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	process_unwatch(processes, process);
	if (n != 1 || said != WARM_WAITS)
		return;
	programs->waited = true;
	process_set_state(processes, process, PROCESS_IDLE, now_us);
}

/* A warm spare: its streams are /dev/null until a connection arrives on its channel. */
static pid_t start_warm(struct programs *programs, struct process *process, int error)
{
	struct launchpad *pad = prepare_launch(programs, process, error);
	int pair[2];
	pid_t pid;

	if (pad == NULL)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	process->channel = pair[0];
	pid = process_watch(programs->parts.processes, process, pair[0], EPOLLIN,
			    on_waiting, programs);
	if (pid == 0) {
		pad->launch.channel = pair[1];
		environment_fill_warm(&pad->environment, programs->program,
				      process->uid);
		process->vintage = vintage_look(&programs->vintage, programs->program,
						programs->parts.privileges);
		pid = launch_program(pad);
	}
	close(pair[1]);
	return pid;
}

static pid_t start_program(struct programs *programs, struct process *process,
			   const struct client *client, int error)
{
	struct launchpad *pad;
	int err;

	if (client == NULL)
		return start_warm(programs, process, error);
	err = custody_watch(&programs->custody, process, client);
	if (err < 0)
		return err;
	pad = prepare_launch(programs, process, error);
	if (pad == NULL)
		return -ENOMEM;
	describe_client(programs, pad, client);
	return monitor_is_needed(programs->program) ? monitor_start(pad)
						    : launch_program(pad);
}

static pid_t start_heard(struct programs *programs, struct process *process,
			 const struct client *client)
{
	struct voices *voices = &programs->voices;
	int error = *programs->parts.null_fd;
	int64_t now_us = clock_now_us();
	pid_t pid;

	if (voices->at == NULL)
		return start_program(programs, process, client, error);
	process->voice = voice_open(voices, &error, now_us);
	if (process->voice == NULL)
		return -errno;
	pid = start_program(programs, process, client, error);
	close(error);
	if (pid < 0)
		voice_end(voices, process->voice, now_us);
	else
		process->voice->pid = pid;
	return pid;
}

static pid_t start(void *self, struct process *process, const struct client *client)
{
	struct programs *programs = self;
	pid_t pid;

	process->uid = users_take(&programs->users);
	pid = start_heard(programs, process, client);
	if (pid < 0)
		users_give_back(&programs->users, process->uid);
	return pid;
}

static int hand_over(void *self, struct process *process, const struct client *client)
{
	struct programs *programs = self;
	struct environment environment;
	int err = process_check_waiting(process);

	if (err == 0 &&
	    process->vintage != vintage_look(&programs->vintage, programs->program,
					     programs->parts.privileges))
		err = -ESTALE;
	if (err == 0)
		err = custody_watch(&programs->custody, process, client);
	if (err < 0)
		return err;
	environment_fill(&environment, programs->program, client,
			 sessions_of_source(programs->parts.sessions, client));
	/* The channel is kept until the program has taken the connection; custody.c. */
	err = pass_send(process->channel, environment.text, environment.used,
			client->fd);
	if (err < 0)
		process_unwatch(programs->parts.processes, process);
	return err;
}

static void begin(void *self, struct process *process, int64_t now_us)
{
	struct programs *programs = self;
	struct session *session = &process->session;
	int64_t timeout_us = programs->parts.settings->idle_timeout_us;

	if (process->voice != NULL)
		process->voice->conn = session->client.id;
	custody_begin(&programs->custody, process, now_us);
	session->idle_at_us = timeout_us > 0 ? now_us + timeout_us : CLOCK_NEVER;
	custody_plan(&programs->custody, session->look_at_us);
	custody_plan(&programs->custody, session->idle_at_us);
}

static enum reason unbegun(void *self, const struct process *process,
			   const struct client *client, int64_t now_us)
{
	struct programs *programs = self;
	const struct score_row *row = process_row(programs->parts.processes, process);
	int step = atomic_load(&row->failed_step);
	int error = atomic_load(&row->error);

	/* A monitor that was broken into may have written a value that is no errno. */
	if (error <= 0 || error > ERRNO_MOST)
		return REASON_NONE;
	if (step == 0) {
		report_exec_failed(programs->parts.report, client,
				   programs->program->path, error, now_us);
		return REASON_EXEC_FAILED;
	}
	report_privileges_failed(programs->parts.report, client, step, error, now_us);
	return REASON_REFUSED_PRIVILEGES;
}

/* Its last lines are logged before the line that reports its end. */
static void hush(struct programs *programs, struct process *process, int64_t now_us)
{
	if (process->voice == NULL ||
	    voice_drain(&programs->voices, process->voice, now_us))
		return;
	voice_end(&programs->voices, process->voice, now_us);
	process->voice = NULL;
}

/* It ended by itself: the shim was not loaded, and it may have run without a client. */
static void note_unheld(struct programs *programs, const siginfo_t *info, int error)
{
	const char **cold = &programs->program->cold;

	if (programs->waited || *cold != NULL || error != 0 ||
	    info->si_code != CLD_EXITED)
		return;
	*cold = "it ended before it was ready";
	opening_cold(programs->parts.report, programs->program->path, *cold);
}

static unsigned ended(void *self, struct process *process, const siginfo_t *info,
		      int64_t now_us, struct ending *ending)
{
	struct programs *programs = self;
	struct client *client = &process->session.client;
	struct score_row *row = process_row(programs->parts.processes, process);
	struct traffic traffic = { 0 };
	enum reason reason;
	bool reset;

	/* A monitor that was killed has left its children to us. */
	if (info->si_code != CLD_EXITED)
		strays_expect(&programs->strays);
	hush(programs, process, now_us);
	if (client->id == 0) {
		users_give_back(&programs->users, process->uid);
		voice_end(&programs->voices, process->voice, now_us);
		note_unheld(programs, info, atomic_load(&row->error));
		return process->state == PROCESS_STARTING ||
				       process->state == PROCESS_IDLE ||
				       process->left_idle
			       ? OUTCOME_SPARE_DIED
			       : 0;
	}
	reason = unbegun(programs, process, client, now_us);
	reset = process->session.reset_at_us != 0 ||
		(client->fd >= 0 && tcp_info_take_error(client->fd));
	if (client->fd >= 0 && tcp_info_read(client->fd, reset, &traffic) == 0) {
		score_add(&row->bytes_in, traffic.in_bytes);
		score_add(&row->bytes_out, traffic.out_bytes);
	}
	if (reason == REASON_NONE)
		reason = custody_judge(process, info, reset);
	else if (process->end_cause == REASON_NONE)
		process->end_cause = reason; /* no program ever had it */
	ending_fill(ending, reason, process->pid, row);
	ending->info = info;
	ending->uid = process->uid;
	ending->voice = process->voice;
	if (!custody_end(&programs->custody, process, ending, now_us)) {
		users_keep(&programs->users, process->uid);
		return 0;
	}
	users_give_back(&programs->users, process->uid);
	voice_end(&programs->voices, process->voice, now_us);
	return OUTCOME_SESSION;
}

static void stranger_ended(void *self)
{
	strays_expect(&((struct programs *)self)->strays);
}

static unsigned wanted(const void *self)
{
	const struct programs *programs = self;

	return programs->program->cold == NULL ? programs->parts.settings->spare : 0;
}

static void tick(void *self, int64_t heard_us, int64_t now_us)
{
	struct programs *programs = self;

	custody_tick(&programs->custody, heard_us);
	voices_tick(&programs->voices, now_us);
	strays_sweep(&programs->strays, now_us);
}

/* A connection for each that serves, or a channel for each that waits; and a pipe. */
static unsigned count_descriptors(const struct settings *settings, unsigned processes)
{
	return settings->hears_programs ? 2 * processes : processes;
}

static int64_t deadline(const void *self)
{
	const struct programs *programs = self;
	const int64_t all[] = {
		custody_deadline(&programs->custody),
		voices_deadline(&programs->voices),
		programs->strays.sweep_us,
	};

	return clock_first(all, sizeof(all) / sizeof(all[0]));
}

/* When the server stops, other processes keep what programs left to them. */
static void drain(void *self, int64_t now_us)
{
	struct programs *programs = self;

	leftovers_drain(&programs->custody.leftovers, now_us);
	voices_drain(&programs->voices, now_us);
}

static void abandon(void *self, int64_t now_us)
{
	leftovers_release(&((struct programs *)self)->custody.leftovers, now_us);
}

static bool has_strays(const void *self)
{
	return strays_may_live(&((const struct programs *)self)->strays);
}

static void leave_strays(const void *self)
{
	const struct programs *programs = self;

	strays_report(&programs->strays, programs->parts.report);
}

static bool is_asked(const struct prong_options *options)
{
	return options->program != NULL;
}

const struct model model_programs = {
	.name = "programs",
	.root_may_gain = true,
	.is_asked = is_asked,
	.lacks = LACKS_REUSE | LACKS_SANDBOX | LACKS_ACCEPTING,
	.counts_sources = true,
	.open = open_programs,
	.close = close_programs,
	.settle = settle,
	.run = run,
	.announce = announce,
	.spare_state = PROCESS_STARTING,
	.descriptors = count_descriptors,
	.lingers = true,
	.spares_are_dear = true,
	.spare_age_us = SPARE_AGE_US,
	.start = start,
	.hand_over = hand_over,
	.begin = begin,
	.ended = ended,
	.unbegun = unbegun,
	.stranger_ended = stranger_ended,
	.wanted = wanted,
	.tick = tick,
	.deadline = deadline,
	.drain = drain,
	.abandon = abandon,
	.has_strays = has_strays,
	.leave_strays = leave_strays,
};
