/*
 * What is known of each source: how many connections it has open, and how much of its
 * rate it has used up. A source is a client's address, cut to a prefix; on a UNIX
 * socket, its user.
 *
 * Bounded: there is a place for every connection that can be open, so counts are
 * never lost, and SOURCES_REMEMBERED more for sources that had not regained their whole
 * rate when they left. When those are used up, the one that left first is forgotten,
 * which gives it a full bucket again; nobody is locked out.
 */
#ifndef ENGINE_SOURCE_H
#define ENGINE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_NONE        UINT32_MAX
#define SOURCES_REMEMBERED 65536

struct address;

/* An IPv6 prefix, an IPv4 one v4-mapped, or a user: these cannot be confused. */
struct source_key {
	uint32_t word[4];
};

struct source {
	struct source_key key;
	int64_t full_at_ns; /* of its rate; rate.h */
	uint32_t connections;
	uint32_t exempt;       /* of these, those that no limit concerns */
	uint32_t next;         /* with the same hash, or free; SOURCE_NONE ends it */
	uint32_t older, newer; /* among those remembered without a connection */
};

struct sources {
	struct source *at;
	uint32_t *buckets;
	uint32_t mask, max;
	uint32_t free;           /* chain of unused ones */
	uint32_t touched;        /* at[touched] and beyond have never been used */
	uint32_t oldest, newest; /* of those remembered; SOURCE_NONE */
	uint32_t connected;      /* sources with a connection */
	uint64_t secret[5];      /* of the hash */
	size_t memory;
};

/* Remembers as many sources without a connection. Returns 0 or -ENOMEM. */
int sources_open(struct sources *sources, unsigned max_connections,
		 unsigned remembered);
void sources_close(struct sources *sources);

/* The source of a client; fd is asked for the user where the address is a UNIX one. */
void source_key_fill(struct source_key *key, const struct address *address, int fd,
		     unsigned ipv4_bits, unsigned ipv6_bits);

/* The source's index; SOURCE_NONE if nothing is known of it. */
uint32_t source_find(const struct sources *sources, const struct source_key *key);

/* Counts a connection of this source; returns its index. */
uint32_t source_enter(struct sources *sources, const struct source_key *key,
		      bool exempt);

/* Takes it back; now_ns is rate_clock_ns(). */
void source_leave(struct sources *sources, uint32_t index, bool exempt, int64_t now_ns);

#endif
