/*
 * The parts of a supervisor, connected as in open.c, with a fake model: it starts no
 * process, and notes what it is asked for. No signal is sent, and lines of the log are
 * kept. The test sets the time.
 */
#ifndef UNIT_PARTS_H
#define UNIT_PARTS_H

#include "engine/admit/policy.h"
#include "engine/supervisor/admission.h"
#include "engine/supervisor/departure.h"
#include "engine/supervisor/linger.h"
#include "engine/supervisor/reaper.h"
#include "engine/supervisor/stop.h"

#define PARTS_MAX 200 /* processes; a test may set processes.max lower */
#define SENT_MAX  100
#define LINES_MAX 64                  /* lines of the log that are kept */
#define START_US  INT64_C(1000000000) /* a time at which a test may begin */
#define FIRST_PID 5000001             /* above every pid that Linux assigns */
#define STRAY_PID 4999999             /* of the stray that model.has_strays reports */
#define SECOND_US 1000000
#define MINUTE_US (60 * SECOND_US)

struct played {
	int error;          /* of starting a process, negative; 0: none */
	unsigned asked;     /* how often to start one */
	pid_t last;         /* the one started last */
	unsigned wanted;    /* number of spares */
	unsigned outcome;   /* of a process that ends; 0: by its session */
	enum reason reason; /* of such an end; REASON_NONE: done */
	unsigned strangers; /* children that ended and are not in the table */
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

/* A test with the parts, without limits. It must leave no child and no descriptor. */
#define with_parts(function) \
	cmocka_unit_test_setup_teardown(function, parts_open, parts_close)

int parts_open(void **state);
int parts_close(void **state);

/* Gives policy these options. */
void parts_limit(const struct prong_options *options);

/* Enters a process in the table, with a pid that no process has. */
struct process *parts_process(enum process_state state, int64_t now_us);

/*
 * The process that serves the session with this number; fails the test if there is
 * none.
 */
struct process *parts_server_of(uint64_t session);

/* Tells departure() that the process has exited with status 0. */
void parts_end(struct process *process, int64_t now_us);

/* Whether the signal that was sent as number index, from 0, is this one. */
bool was_sent(unsigned index, pid_t pid, int number);

/* How many lines of the log contain this text. */
unsigned lines_with(const char *text);

/* Fails the test unless the last line contains all of the texts, up to NULL. */
void last_line_has(const char *text, ...) __attribute__((sentinel));

#endif
