/*
 * The built-in services, in a table. Each is a handler on the library's public
 * calls: what it costs to write a server with libprong can be read here.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "prong.h"

struct service {
	const char *name;
	prong_handler *handler;
	const char *what; /* for --help and the manual */
	const char *rfc;
};

/*
 * In a pool the next client is served with the same memory: nothing of this one's may be
 * left. A loop, since a fresh process would pay a page fault for a function of libc's.
 */
static inline void service_forget(void *buffer, size_t size)
{
	volatile char *bytes = buffer;

	for (size_t i = 0; i < size; i++)
		bytes[i] = 0;
}

/* Ends with a row whose name is NULL. */
extern const struct service services[];

/* The service of that name; NULL if there is none. */
const struct service *service_find(const char *name);

prong_handler service_echo, service_discard, service_chargen, service_daytime,
	service_time;

#endif
