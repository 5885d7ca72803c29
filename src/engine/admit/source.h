/*
 * What is known about each source: how many connections it has open, and how much of
 * its rate it has used. A source is a client's address, cut to a prefix; on a UNIX
 * socket, its user.
 *
 * The table is bounded. It has a place for every connection that can be open, so counts
 * are never lost, and SOURCES_REMEMBERED more for sources that left before they had
 * regained their whole rate. When those are used up, the source that left first is
 * forgotten and starts with a full bucket; no client is locked out.
 */
#ifndef ENGINE_SOURCE_H
#define ENGINE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_NONE        UINT32_MAX
#define SOURCES_REMEMBERED 65536

struct address;

/* An IPv6 prefix, a v4-mapped IPv4 prefix, or a user; the three never collide. */
struct source_key {
	uint32_t word[4];
};

struct source {
	struct source_key key;
	int64_t full_at_ns; /* when its rate is full again; rate.h */
	uint32_t connections;
	uint32_t exempt;       /* how many of these are exempt from the limits */
	uint32_t next;         /* next of the same hash, or free; or SOURCE_NONE */
	uint32_t older, newer; /* neighbours among those without a connection */
};

struct sources {
	struct source *at;
	uint32_t *buckets;
	uint32_t mask, max;
	uint32_t free;           /* first of the chain of unused ones */
	uint32_t touched;        /* at[touched] and beyond have never been used */
	uint32_t oldest, newest; /* of those remembered; SOURCE_NONE: none */
	uint32_t connected;      /* sources with a connection */
	uint64_t secret[5];      /* key of the hash */
	size_t memory;
};

/*
 * Keeps max_connections sources with a connection and remembered ones without. Returns
 * 0 or -ENOMEM.
 */
int sources_open(struct sources *sources, unsigned max_connections,
		 unsigned remembered);
void sources_close(struct sources *sources);

/* The source of a client; if the address is a UNIX one, the user is read from fd. */
void source_key_fill(struct source_key *key, const struct address *address, int fd,
		     unsigned ipv4_bits, unsigned ipv6_bits);

/* The source's index; SOURCE_NONE if it is unknown. */
uint32_t source_find(const struct sources *sources, const struct source_key *key);

/* Counts a connection of this source; returns its index. */
uint32_t source_enter(struct sources *sources, const struct source_key *key,
		      bool exempt);

/* Removes a connection of this source; now_ns is rate_clock_ns(). */
void source_leave(struct sources *sources, uint32_t index, bool exempt, int64_t now_ns);

#endif
