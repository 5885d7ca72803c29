/*
 * The source addresses of connections, used in turn. One address has some 28,000 ports
 * (ip_local_port_range, ip(7)), and each connection takes one.
 */
#ifndef PRONG_BENCH_ORIGIN_H
#define PRONG_BENCH_ORIGIN_H

#include <stdint.h>

/* count IPv4 addresses: first, first + 1, ...; count 0: the system chooses. */
struct origin {
	uint32_t first; /* in host byte order */
	uint32_t count;
	uint32_t next;
};

/* Reads "127.0.0.2" or "127.0.0.2/200". Returns 0, or -EINVAL with *out untouched. */
int origin_parse(struct origin *out, const char *text);

/*
 * The share of worker index of workers. Two workers have no address in common, unless
 * there are fewer addresses than workers.
 */
struct origin origin_share(const struct origin *whole, unsigned index,
			   unsigned workers);

/*
 * Binds fd to the next address. connect(2) chooses the port, so that every address can
 * use all ports. Does nothing without addresses. Returns 0 or a negative errno of
 * bind(2).
 */
int origin_bind(struct origin *origin, int fd);

#endif
