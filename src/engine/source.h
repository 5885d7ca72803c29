/*
 * How many connections each source has open. A source is a client's address without
 * its port; all peers of UNIX sockets are one source. Holds as many sources as there
 * can be connections, so it never overflows and never evicts.
 */
#ifndef ENGINE_SOURCE_H
#define ENGINE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct address;

#define SOURCE_NONE UINT32_MAX

struct source {
	unsigned char key[16]; /* an IPv6 address, or an IPv4 one v4-mapped; 0: UNIX */
	uint32_t connections;
	uint32_t next; /* with the same hash, or free; SOURCE_NONE ends the chain */
};

struct sources {
	struct source *at;
	uint32_t *buckets;
	uint32_t mask;
	uint32_t free;    /* chain of unused ones */
	uint32_t touched; /* at[touched] and beyond have never been used */
	size_t memory;
};

/* Returns 0 or -ENOMEM. */
int sources_open(struct sources *sources, unsigned max_connections);
void sources_close(struct sources *sources);

/* Counts a connection of this address; returns the source's index. */
uint32_t source_enter(struct sources *sources, const struct address *address);

/* Takes one back. */
void source_leave(struct sources *sources, uint32_t index);

#endif
