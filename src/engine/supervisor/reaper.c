#include "reaper.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#include "engine/worker/accepting.h"
#include "admission.h"
#include "base/clock.h"
#include "base/gate.h"
#include "dispatch.h"
#include "report.h"
#include "server.h"
#include "session.h"
#include "stop.h"

#define SWEEP_PAUSE         1000 /* from a sweep to the next; microseconds, at least */
#define SWEEP_PAUSE_EACH    5 /* and so much for each child: it costs a 50th of that */
#define LOOK_PAUSE_EACH     2 /* between looks for marks, for each page; microseconds */
#define FALSE_MARKS_AT_ONCE 64 /* by workers that have not ended, in one look */

void connection_ended(struct prong *server, struct process *process, enum reason reason,
		      const siginfo_t *info, int64_t now)
{
	const struct score_row *row = server_row(server, process);
	struct ending ending = {
		.reason = reason,
		.info = info,
		.bytes_in = score_read_clamped(&row->bytes_in),
		.bytes_out = score_read_clamped(&row->bytes_out),
		.forbidden_call =
			(int)((unsigned)atomic_load(&row->forbidden_call) - 1),
	};

	admission_ended(server, &process->client, reason, now);
	score_sum(&server->totals.bytes_in, ending.bytes_in);
	score_sum(&server->totals.bytes_out, ending.bytes_out);
	report_close(server, process, &ending, now);
	process->client.id = 0;
}

/* What killed it counts before what it says; a writer's SIGPIPE is the client's end. */
static enum reason reason_of_exit(const struct prong *server,
				  const struct process *process, const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return reason_from_exit_status(info->si_status);
	if (process->cut != REASON_NONE)
		return process->cut;
	if (info->si_status == SIGSYS && server->sandbox.on)
		return REASON_CRASH_SANDBOX;
	return info->si_status == SIGPIPE ? REASON_RESET : REASON_CRASH_SIGNAL;
}

static enum reason worker_end(struct prong *server, const struct process *process,
			      const siginfo_t *info, int64_t now)
{
	enum reason reason = reason_of_exit(server, process, info);
	const struct score_row *row = server_row(server, process);
	int step = atomic_load(&row->failed_step);

	/* A handler may leave with such a status of its own accord. */
	if ((reason == REASON_REFUSED_PRIVILEGES && step == 0) ||
	    (reason == REASON_CRASH_SANDBOX && !server->sandbox.on))
		return REASON_CRASH_EXIT;
	if (reason == REASON_REFUSED_PRIVILEGES)
		report_privileges_failed(
			server, process->client.id != 0 ? &process->client : NULL, step,
			atomic_load(&row->error), now);
	return reason;
}

static void spare_died(struct prong *server, const struct process *process,
		       const siginfo_t *info, int64_t now)
{
	const struct score_row *row = server_row(server, process);
	int step = atomic_load(&row->failed_step);
	int error = atomic_load(&row->error);

	backoff_failed(&server->dispatch.spares, now);
	if (step != 0)
		report_privileges_failed(server, NULL, step, error, now);
	else if (server->program != NULL && error != 0)
		report_exec_failed(server, NULL, error, now);
	else
		report_spare_died(server, info, now);
}

/*
 * A worker that accepted for itself: whom it served nobody knows any more. One that had
 * nobody, and was not told to leave, is not replaced in a hurry.
 */
static void accepting_gone(struct prong *server, struct process *process,
			   const siginfo_t *info, int64_t now)
{
	struct accepting_life life = accepting_fold(server, process);
	bool as_told = process->cut != REASON_NONE || server->stop.asked;

	if (life.accepted > 0)
		backoff_succeeded(&server->dispatch.spares);
	if (life.open) {
		process->client = (struct client){ .fd = -1, .source = SOURCE_NONE };
		connection_ended(server, process,
				 worker_end(server, process, info, now), info, now);
	} else if (!as_told && (life.accepted == 0 || info->si_code != CLD_EXITED ||
				info->si_status != 0)) {
		spare_died(server, process, info, now);
	}
}

static void child_gone(struct prong *server, const siginfo_t *info)
{
	struct process *process = process_find(&server->processes, info->si_pid);
	int64_t now = clock_now();

	if (process == NULL) {
		sessions_end_orphans(server);
		return; /* it was an orphan, or a child that the host program had */
	}
	if (process->client.id != 0) {
		enum reason reason = server->handler != NULL
					     ? worker_end(server, process, info, now)
					     : session_end(server, process, info, now);

		connection_ended(server, process, reason, info, now);
	} else if (server->tallies != NULL) {
		accepting_gone(server, process, info, now);
	} else if (process->state == PROCESS_IDLE || process->unasked) {
		spare_died(server, process, info, now);
	}
	report_reap(server, info);
	dispatch_drop_channel(server, process);
	process_free(&server->processes, process);
	if (info->si_code != CLD_EXITED)
		sessions_end_orphans(server);
}

/* Returns whether there was an exit of that child, or of any (P_ALL), to collect. */
static bool collect(struct prong *server, idtype_t which, pid_t pid)
{
	siginfo_t info = { 0 };

	/* That there is no child is no news, and errno on a page that a fork has shared. */
	if (GATE(waitid, which, pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return false;
	child_gone(server, &info);
	return true;
}

/* Those that SIGCHLD named. */
static void collect_named(struct prong *server)
{
	struct signals *signals = &server->signals;

	for (unsigned i = 0; i < signals->exited_count; i++)
		collect(server, P_PID, signals->exited[i]);
	signals->exited_count = 0;
}

/* Returns whether the mark on that row led to nobody who has ended. */
static bool follow_mark(struct prong *server, unsigned index)
{
	const struct process *process = &server->processes.at[index];

	return index < server->processes.touched && process->pid > 0 &&
	       !collect(server, P_PID, process->pid);
}

/*
 * Those that marked their row before they left. A mark says no more than where to look:
 * the pid is the slot's. False ones are looked at in turn, a few at a time.
 */
static void collect_marked(struct prong *server)
{
	unsigned pages = scoreboard_pages(server->processes.touched);
	unsigned in_vain = 0;

	for (unsigned i = 0; i < pages && in_vain < FALSE_MARKS_AT_ONCE; i++) {
		unsigned page = server->reaper.page++ % pages;
		uint64_t marks = score_read(&server->board.pages[page].leaving);

		for (; marks != 0; marks &= marks - 1) {
			unsigned row = (unsigned)__builtin_ctzll(marks);

			if (row < SCORE_ROWS &&
			    follow_mark(server, page * SCORE_ROWS + row))
				in_vain++;
		}
	}
}

/*
 * Those of whom nobody has heard. To ask for any child is one walk over all of them for
 * each that has ended; so where one was missed, and there may be thousands, each of ours
 * is asked for by its pid, which is no walk.
 */
static void sweep(struct prong *server)
{
	if (!collect(server, P_ALL, 0))
		return;
	for (unsigned i = 0; i < server->processes.touched; i++)
		if (server->processes.at[i].pid > 0)
			collect(server, P_PID, server->processes.at[i].pid);
	while (collect(server, P_ALL, 0))
		;
}

/* Where there are very many rows, a look at all their marks is not worth one exit. */
static void look_for_marks(struct prong *server, int64_t now)
{
	struct reaper *reaper = &server->reaper;

	if (now < reaper->look_at)
		return;
	collect_marked(server);
	reaper->owes_look = false;
	reaper->look_at =
		now + LOOK_PAUSE_EACH * scoreboard_pages(server->processes.touched);
}

static void look_for_all(struct prong *server, int64_t now)
{
	struct reaper *reaper = &server->reaper;
	int64_t pause = SWEEP_PAUSE_EACH * (int64_t)server->processes.used;

	if (now < reaper->sweep_at)
		return;
	sweep(server);
	reaper->owes_sweep = reaper->owes_look = false;
	reaper->sweep_at = clock_now() + (pause > SWEEP_PAUSE ? pause : SWEEP_PAUSE);
}

void reaper_collect(struct prong *server)
{
	struct reaper *reaper = &server->reaper;
	int64_t now;

	if (server->signals.child_exited) {
		server->signals.child_exited = false;
		reaper->owes_look = reaper->owes_sweep = true;
		collect_named(server);
	}
	if (!reaper->owes_sweep)
		return;
	now = clock_now();
	if (reaper->owes_look)
		look_for_marks(server, now);
	look_for_all(server, now);
}

int64_t reaper_deadline(const struct prong *server)
{
	const struct reaper *reaper = &server->reaper;

	if (!reaper->owes_sweep)
		return CLOCK_NEVER;
	return reaper->owes_look && reaper->look_at < reaper->sweep_at
		       ? reaper->look_at
		       : reaper->sweep_at;
}

void reaper_end_all(struct prong *server)
{
	siginfo_t info;

	stop_now(server);
	while (server->processes.used > 0 && waitid(P_ALL, 0, &info, WEXITED) == 0)
		child_gone(server, &info);
}
