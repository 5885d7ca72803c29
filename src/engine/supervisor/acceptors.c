#include "acceptors.h"

#include <sys/epoll.h>

#include <errno.h>

#include "base/listener.h"
#include "base/why.h"
#include "engine/admit/source.h"
#include "report.h"
#include "tally.h"
#include "opening.h"

static struct totals count(const struct acceptors *acceptors)
{
	struct totals totals = acceptors->workers.parts.sessions->totals;

	tallies_add(acceptors->tallies, acceptors->workers.parts.processes->touched,
		    &totals);
	return totals;
}

static unsigned count_workers(const struct acceptors *acceptors)
{
	return acceptors->workers.parts.processes->in[PROCESS_ACCEPTING].count;
}

/* If the length of the queue is unknown, assume one client for each worker. */
static unsigned count_waiting(const struct acceptors *acceptors)
{
	int length = listener_queue_length(acceptors->listener);

	if (length >= 0)
		return (unsigned)length;
	return listener_queue_is_empty(acceptors->listener) ? 0
							    : count_workers(acceptors);
}

static struct autoscale_view look(const struct acceptors *acceptors)
{
	struct totals totals = count(acceptors);

	return (struct autoscale_view){
		.accepted = totals.accepted,
		.active = totals_active(&totals),
		.workers = count_workers(acceptors),
		.waiting = count_waiting(acceptors),
	};
}

/* Watches the queue while autoscale waits for an event of it. */
static void settle_watch(struct acceptors *acceptors, int64_t now_us)
{
	struct loop *loop = acceptors->workers.parts.processes->loop;
	bool watch = acceptors->autoscale.state == AUTOSCALE_WATCHES;
	struct autoscale_view view;
	int err;

	if (watch == acceptors->watched)
		return;
	acceptors->watched = false;
	if (!watch) {
		loop_remove(loop, acceptors->listener->fd);
		return;
	}
	err = loop_add(loop, acceptors->listener->fd, EPOLLIN, &acceptors->watch);
	if (err == 0) {
		acceptors->watched = true;
		return;
	}
	report_events_failed(acceptors->workers.parts.report, "epoll_ctl", -err,
			     now_us);
	view = look(acceptors);
	autoscale_missed(&acceptors->autoscale, &view, now_us);
}

static void on_queue(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct acceptors *acceptors = owner;
	struct autoscale_view view;

	(void)index, (void)events;
	if (!acceptors->watched)
		return;
	view = look(acceptors);
	autoscale_heard(&acceptors->autoscale, &view, now_us);
	settle_watch(acceptors, now_us);
}

static int open_acceptors(void *self, const struct model_parts *parts,
			  const struct prong_options *options, struct trial *trial,
			  struct why *why)
{
	struct acceptors *acceptors = self;

	workers_open(&acceptors->workers, parts, options, trial, why);
	acceptors->tallies = tallies_open(parts->processes->max);
	return acceptors->tallies == NULL ? why_fail(why, -ENOMEM, "no memory") : 0;
}

static void close_acceptors(void *self)
{
	struct acceptors *acceptors = self;

	tallies_close(acceptors->tallies, acceptors->workers.parts.processes->max);
}

/* Lends the listener to the workers, and begins to watch its queue. */
static int run(void *self, struct listener *listener, int64_t now_us, struct why *why)
{
	struct acceptors *acceptors = self;
	const struct workers *workers = &acceptors->workers;
	int err = workers_run(&acceptors->workers, listener, now_us, why);

	if (err == 0)
		err = listener_lend(listener);
	if (err < 0)
		return why_call(why, err, "hand the listener to workers", "fcntl(2)");
	acceptors->listener = listener;
	acceptors->watch = (struct watch){ on_queue, acceptors, 0 };
	autoscale_start(&acceptors->autoscale, workers->parts.settings->spare,
			workers->parts.processes->max);
	settle_watch(acceptors, now_us);
	return 0;
}

static void announce(const void *self, struct start *start)
{
	const struct acceptors *acceptors = self;

	start->accept = "workers";
	workers_announce(&acceptors->workers, start);
}

/* At the stop, a client left in the queue gets a process without a tally. */
static pid_t start(void *self, struct process *process, const struct client *client)
{
	struct acceptors *acceptors = self;
	struct outfit outfit = { .client = client, .channel = -1, .listener = -1 };

	if (client == NULL) {
		unsigned index =
			process_index(acceptors->workers.parts.processes, process);

		outfit.listener = acceptors->listener->fd;
		outfit.tally = &acceptors->tallies[index];
	}
	return workers_fork(&acceptors->workers, process, &outfit);
}

static void begin(void *self, struct process *process, int64_t now_us)
{
	struct acceptors *acceptors = self;

	model_workers.begin(&acceptors->workers, process, now_us);
}

/*
 * It is not known which client a worker that accepted for itself has served. A worker
 * that had no client, and was not told to leave, is replaced only after a pause.
 */
static unsigned ended(void *self, struct process *process, const siginfo_t *info,
		      int64_t now_us, struct ending *ending)
{
	struct acceptors *acceptors = self;
	struct workers *workers = &acceptors->workers;
	bool as_told = process->end_cause != REASON_NONE || acceptors->draining;
	bool in_order = info->si_code == CLD_EXITED && info->si_status == 0;
	struct tally_life life;
	unsigned outcome = 0;

	if (process->session.client.id != 0)
		return workers_ended(workers, process, info, now_us, ending);
	life = tally_fold(
		&acceptors->tallies[process_index(workers->parts.processes, process)],
		&workers->parts.sessions->totals);
	if (life.accepted > 0)
		outcome |= OUTCOME_SPARE_SERVED;
	if (life.open) {
		process->session.client =
			(struct client){ .fd = -1, .source = SOURCE_NONE };
		workers_judge(workers, process, info, now_us, ending);
		return outcome | OUTCOME_SESSION;
	}
	if (!as_told && (life.accepted == 0 || !in_order))
		outcome |= OUTCOME_SPARE_DIED;
	return outcome;
}

static enum reason unbegun(void *self, const struct process *process,
			   const struct client *client, int64_t now_us)
{
	struct acceptors *acceptors = self;

	return workers_unbegun(&acceptors->workers, process, client, now_us);
}

static unsigned wanted(const void *self)
{
	const struct acceptors *acceptors = self;

	return acceptors->autoscale.wanted;
}

static bool is_full(const void *self)
{
	const struct acceptors *acceptors = self;

	return acceptors->autoscale.full;
}

static void add_living(const void *self, struct totals *totals)
{
	const struct acceptors *acceptors = self;

	tallies_add(acceptors->tallies, acceptors->workers.parts.processes->touched,
		    totals);
}

static void tick(void *self, int64_t heard_us, int64_t now_us)
{
	struct acceptors *acceptors = self;
	struct autoscale_view view;

	(void)heard_us;
	if (autoscale_deadline(&acceptors->autoscale) > now_us)
		return;
	view = look(acceptors);
	if (autoscale_settle(&acceptors->autoscale, &view, now_us))
		tallies_retire(acceptors->tallies, acceptors->workers.parts.processes,
			       acceptors->autoscale.retiring);
	settle_watch(acceptors, now_us);
}

static int64_t deadline(const void *self)
{
	const struct acceptors *acceptors = self;

	return autoscale_deadline(&acceptors->autoscale);
}

static void drain(void *self, int64_t now_us)
{
	struct acceptors *acceptors = self;

	(void)now_us;
	acceptors->draining = true;
	autoscale_stop(&acceptors->autoscale);
	if (acceptors->watched)
		loop_remove(acceptors->workers.parts.processes->loop,
			    acceptors->listener->fd);
	acceptors->watched = false;
}

static bool is_asked(const struct prong_options *options)
{
	return options->accept == PRONG_ACCEPT_WORKERS;
}

const struct model model_acceptors = {
	.name = "accept workers",
	.calls_handler = true,
	.is_asked = is_asked,
	.lacks = LACKS_ADMISSION | LACKS_LISTENERS | LACKS_FRESH | LACKS_NO_SPARES |
		 LACKS_USERS,
	.open = open_acceptors,
	.close = close_acceptors,
	.run = run,
	.announce = announce,
	.spare_state = PROCESS_ACCEPTING,
	.allowance_us = WORKERS_ALLOWANCE_US,
	.start = start,
	.begin = begin,
	.ended = ended,
	.unbegun = unbegun,
	.wanted = wanted,
	.is_full = is_full,
	.add_living = add_living,
	.tick = tick,
	.deadline = deadline,
	.drain = drain,
};
