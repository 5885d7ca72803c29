/* Clients of the listeners of the parts, in this process; parts.h. */
#ifndef UNIT_CLIENTS_H
#define UNIT_CLIENTS_H

#include <sys/types.h>

#include "base/address.h"

#define CLIENTS_MAX 32

struct clients {
	int fds[CLIENTS_MAX];
	unsigned count;
};

extern struct clients clients;

/*
 * A test with one listener on 127.0.0.1 in parts.admission, which is started. A limit
 * on descriptors that the test sets is restored.
 */
#define with_listener(function) \
	cmocka_unit_test_setup_teardown(function, listener_and_parts, clients_and_parts)

int listener_and_parts(void **state);
int clients_and_parts(void **state);

/* Opens one more listener, on an address as users type it. */
void listen_on(const char *text);

/* Connects count more clients to the first listener; they wait in its queue. */
void clients_come(unsigned count);

/* The same, for the listener with this number. */
void clients_come_to(unsigned index, unsigned count);

/*
 * Tries to connect to that address. Returns a client's descriptor or a negative errno.
 */
int try_to_come(const struct address *address);

/* Waits until count clients are in the queue of the first listener. */
void await_queue(unsigned count);

/*
 * Reads what the client with this number, from 0, receives until its connection ends.
 */
ssize_t client_reads(unsigned number, char *text, size_t size);

/*
 * Does what the supervisor's loop does: handles events, if any, then clients; never
 * waits.
 */
void admit_at(int64_t now_us);

/* Uses up all descriptors; and frees them again. */
void take_descriptors(void);
void give_descriptors(void);

#endif
