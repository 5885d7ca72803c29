/*
 * A conversation with a server, from the connected socket to the exit status. Owns the
 * writing process, and decides how the conversation ended. The reader prints what the
 * server sends, between the start and the finish.
 */
#ifndef PRONG_CONVERSATION_H
#define PRONG_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>

#include "writer.h"

enum ending {
	ENDING_NONE,          /* it is not over */
	ENDING_SERVER_CLOSED, /* the server closed in order */
	ENDING_UNSENT,        /* the same, but the socket took no more of the input */
	ENDING_CONNECTION_FAILED,
	ENDING_OUTPUT_FAILED,
	ENDING_OUTPUT_GONE, /* the reader of stdout has closed it: not an error */
	ENDING_INPUT_FAILED,
	ENDING_IDLE,      /* no traffic for too long */
	ENDING_TIMED_OUT, /* the whole took too long */
	ENDING_WRITER_DIED,
	ENDING_INTERRUPTED,
};

/* Time limits of a conversation; 0: no limit. */
struct conversation_limits {
	int64_t idle_ms;
	int64_t whole_ms;    /* for the message; deadline_us says when it is over */
	int64_t deadline_us; /* CLOCK_NEVER: none */
};

struct conversation {
	int sock;           /* connected, non-blocking; the caller's */
	int interrupts;     /* of interrupt_open(); the caller's */
	const char *server; /* its address, for messages */
	bool verbose;
	struct writer_rules rules;
	struct conversation_limits limits;

	/* The reader maintains these. */
	uint64_t received_bytes;
	int64_t read_us;  /* when it last received or printed */
	bool printing;    /* some output is still to be printed */
	bool output_gone; /* the reader of stdout has closed it */
	int64_t output_gone_us;

	struct writer writer;
	bool parting; /* the server has closed; the writing process is ending */
	int64_t parting_since_us;
	int64_t began_us; /* clock_now_us() */
	enum ending ending;
	int error; /* errno of ..._FAILED; the signal of the last two, or 0 */
};

/*
 * Starts the conversation and its writing process. The caller has set the fields above
 * the reader's, and the others to zero. SIGPIPE must be ignored, SIGCHLD must not.
 * Returns 0, and the caller ends it with conversation_finish(); or a negative errno of
 * writer_start(), with nothing left.
 */
int conversation_start(struct conversation *talk);

/*
 * Finishes a conversation that has an ending: stops the writing process, closes stdout,
 * and reports the ending on stderr. Returns the exit status.
 */
int conversation_finish(struct conversation *talk);

/* Ends the conversation: sets ending and error. */
void conversation_end(struct conversation *talk, enum ending ending, int error);

/*
 * The server has closed, and everything that it sent has been printed: ends the
 * conversation as soon as the writing process has sent the available input. The server
 * may still take it (a half-close) or not; that does not change how the conversation
 * ends.
 */
void conversation_server_closed(struct conversation *talk);

/* recv(2) has failed with error, and everything that came before has been printed. */
void conversation_receive_failed(struct conversation *talk, int error);

/*
 * When conversation_expire() is due; CLOCK_NEVER: never. Moves while the writing
 * process sends.
 */
int64_t conversation_deadline_us(const struct conversation *talk);

/*
 * Ends the conversation if a deadline has passed. If quiet is false, there was other
 * work to do, and only the time limit for the whole is checked.
 */
void conversation_expire(struct conversation *talk, int64_t now_us, bool quiet);

/* The writing process has ended: reaps it, and ends the conversation if it must. */
void conversation_writer_ended(struct conversation *talk);

#endif
