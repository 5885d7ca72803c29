/*
 * The built-in services, in a table. Each is a handler on the library's public
 * calls: what it costs to write a server with libprong can be read here.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <string.h>

#include "prong.h"

struct service {
	const char *name;
	prong_handler *handler;
	const char *what; /* for --help and the manual */
	const char *rfc;
};

#define SERVICE_PIECE 64 /* bytes; buffers are whole pieces */

/*
 * In a pool the next client is served with the same memory: nothing of this one's may be
 * left. In pieces of a few instructions, since a fresh process would pay a page fault for
 * a function of libc's: the builtin is no call, not even of __memset_chk(), with which
 * i386 cannot be linked statically.
 */
static inline void service_forget(char *buffer, size_t used)
{
	for (char *piece = buffer; piece < buffer + used; piece += SERVICE_PIECE) {
		__builtin_memset(piece, 0, SERVICE_PIECE);
		__asm__ volatile("" : : "r"(piece) : "memory"); /* or it is left out */
	}
}

/* Ends with a row whose name is NULL. */
extern const struct service services[];

/* The service of that name; NULL if there is none. */
const struct service *service_find(const char *name);

prong_handler service_echo, service_discard, service_chargen, service_daytime,
	service_time;

#endif
