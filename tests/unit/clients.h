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
 * A test that has one listener on 127.0.0.1, in parts.admission, which is started. A limit
 * on descriptors that the test has set is taken back.
 */
#define with_listener(function) \
	cmocka_unit_test_setup_teardown(function, listener_and_parts, clients_and_parts)

int listener_and_parts(void **state);
int clients_and_parts(void **state);

/* Opens one more listener, on an address as users type it. */
void listen_on(const char *text);

/* That many more clients connect to the first listener, and are in its queue. */
void clients_come(unsigned count);

/* The same, to the listener of that number. */
void clients_come_to(unsigned index, unsigned count);

/* Tries to connect to that address. Returns a client's descriptor or a negative errno. */
int try_to_come(const struct address *address);

/* Waits until as many clients wait in the queue of the first listener. */
void await_queue(unsigned count);

/* Reads what the client of that number, from 0, gets up to the end of its connection. */
ssize_t client_reads(unsigned number, char *text, size_t size);

/* As the supervisor's loop: events, if there are any, then clients; nothing waits. */
void admit_at(int64_t now_us);

/* Leaves no descriptor to be had; and gives them back. */
void take_descriptors(void);
void give_descriptors(void);

#endif
