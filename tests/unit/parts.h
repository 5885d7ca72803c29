/*
 * The parts of a supervisor, joined as open.c joins them, around a model that is played:
 * it starts no process, and notes what it is asked for. No signal is sent, and lines of
 * the log are kept. The time is what the test says it is.
 */
#ifndef UNIT_PARTS_H
#define UNIT_PARTS_H

#include "engine/admit/policy.h"
#include "engine/supervisor/admission.h"
#include "engine/supervisor/departure.h"
#include "engine/supervisor/linger.h"
#include "engine/supervisor/reaper.h"
#include "engine/supervisor/stop.h"

#define PARTS_MAX 200 /* processes; a test may lower processes.max */
#define SENT_MAX  100
#define LINES_MAX 64                  /* lines of the log that are kept */
#define START_US  INT64_C(1000000000) /* where a test's clock may begin */
#define FIRST_PID 5000001             /* over every pid that Linux gives */
#define STRAY_PID 4999999             /* of what model.has_strays tells of */
#define SECOND_US 1000000
#define MINUTE_US (60 * SECOND_US)

struct played {
	int error;          /* of starting a process, negative; 0: none */
	unsigned asked;     /* to start one */
	pid_t last;         /* that was started */
	unsigned wanted;    /* spares */
	unsigned outcome;   /* of a process that ends; 0: what its session tells */
	enum reason reason; /* of such an end; REASON_NONE: done */
	unsigned strangers; /* children that are not in the table */
	bool drained, has_strays;
};

struct parts {
	struct settings settings;
	struct policy policy;
	struct loop loop;
	struct processes processes;
	struct lingering lingering;
	struct report report;
	struct sessions sessions;
	struct dispatch dispatch;
	struct admission admission;
	struct departures departures;
	struct stop stop;

	struct played model;
	struct {
		pid_t pid;
		int number;
	} sent[SENT_MAX];
	unsigned sent_count;
	char lines[LINES_MAX][LOG_LINE_MAX];
	unsigned line_count;
};

extern struct parts parts;

/* A test that has the parts, without limits, and leaves no child and no descriptor. */
#define with_parts(function) \
	cmocka_unit_test_setup_teardown(function, parts_open, parts_close)

int parts_open(void **state);
int parts_close(void **state);

/* Gives policy these options instead of none. */
void parts_limit(const struct prong_options *options);

/* Enters a process in the table, with a pid that no process has. */
struct process *parts_process(enum process_state state, int64_t now_us);

/* The process that serves the session of this number; fails the test without one. */
struct process *parts_server_of(uint64_t session);

/* Tells departure() that the process has exited with status 0. */
void parts_end(struct process *process, int64_t now_us);

/* Whether the signal sent as number index, from 0, is this one. */
bool was_sent(unsigned index, pid_t pid, int number);

/* How many lines of the log have this text in them. */
unsigned lines_with(const char *text);

/* Fails the test unless the last line has all of the texts, up to NULL, in it. */
void last_line_has(const char *text, ...) __attribute__((sentinel));

#endif
