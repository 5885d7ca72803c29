/*
 * The kinds of load. A mode decides when connections begin and what each does next;
 * it never reads, writes or waits itself (but for keep with one connection).
 */
#ifndef BENCH_MODE_H
#define BENCH_MODE_H

#include "run.h"

struct mode {
	const char *name;
	const char *summary;
	const char *letters; /* the options it takes besides those all take */
	struct options defaults;
	unsigned parts;       /* bits by enum part: what the report has */
	bool talks_at_once;   /* sends without waiting to be told it is connected */
	bool shuts_when_sent; /* half-closes after its last byte, not after the echo */

	/* Set total, slots and what else the run needs before its memory is got. */
	void (*plan)(struct run *run);
	/* Begin what may begin now. Called before each wait. */
	void (*start)(struct run *run);
	/* The client has its goal received and verified. */
	void (*exchanged)(struct run *run, struct client *client);
	/* The server's end of file came as it should; the client is idle after this. */
	void (*ended)(struct run *run, struct client *client);
	/* The timer or stdin is ready. NULL: nothing to do. */
	void (*woken)(struct run *run);
};

/* The mode of that name, or NULL. */
const struct mode *mode_find(const char *name);

/* The modes in order, for help; NULL after the last. */
const struct mode *mode_at(size_t index);

#endif
