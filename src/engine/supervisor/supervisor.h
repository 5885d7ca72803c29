/*
 * The supervisor: struct prong, which prong.h leaves opaque, is a list of parts. Only
 * the loop and open.c and run.c see all of it; each part is handed what it needs.
 */
#ifndef ENGINE_SUPERVISOR_H
#define ENGINE_SUPERVISOR_H

#include "acceptors.h"
#include "admission.h"
#include "base/loop.h"
#include "deadline.h"
#include "departure.h"
#include "descriptors.h"
#include "dispatch.h"
#include "engine/admit/policy.h"
#include "engine/confine/sandbox.h"
#include "engine/record/settings.h"
#include "forkcost.h"
#include "linger.h"
#include "programs.h"
#include "reaper.h"
#include "report.h"
#include "signals.h"
#include "stop.h"
#include "workers.h"

struct prong {
	struct settings settings;
	struct privileges *privileges; /* on the heap, which children inherit */
	struct sandbox sandbox;
	int null_fd; /* /dev/null */
	bool has_run;
	char *error; /* options.error: what failed in prong_run(); NULL: not wanted */
	size_t error_size;
	struct forkcost forkcost;
	struct descriptors descriptors;

	struct loop loop;
	unsigned failed_waits; /* of the loop, in a row */
	struct report report;
	struct watch log_watch;
	int log_watched; /* the log's descriptor in the loop; -1: none */
	struct signals signals;
	struct processes processes;
	struct policy policy;
	struct lingering lingering;
	struct sessions sessions;
	union { /* the state of the model in use, dispatch.serving */
		struct workers workers;
		struct acceptors acceptors;
		struct programs programs;
	} model;
	struct dispatch dispatch;
	struct admission admission;
	struct departures departures;
	struct reaper reaper;
	struct deadlines deadlines;
	struct stop stop;
};

/* Serves until the stop is complete. Returns 0, or a negative errno of the loop. */
int supervise(struct prong *server);

/* Ends all processes after the loop has failed, and counts their sessions. */
void supervisor_end_all(struct prong *server);

/* The server's totals, including what living workers have counted. */
struct totals supervisor_totals(const struct prong *server);

/* How many sources are connected; -1 if they are not counted. */
int64_t supervisor_sources(const struct prong *server);

#endif
