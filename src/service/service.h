/*
 * The built-in services, in a table. Each is a handler that uses only the library's
 * public calls, and so an example of a server written with libprong.
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

#define SERVICE_PIECE 64 /* bytes; buffers are whole multiples of it */

/*
 * In a pool the next client is served with the same memory, so nothing of this client
 * may be left. The memory is cleared in pieces of a few instructions, since a call of a
 * libc function would cost a fresh process a page fault. The builtin makes no call, not
 * even of __memset_chk(), with which i386 cannot be linked statically.
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
