/* Clients in an order: the overdue first, or the longest held. One is in one at most. */
#ifndef PRONG_BENCH_CHAIN_H
#define PRONG_BENCH_CHAIN_H

struct client;

struct chain {
	struct client *first, *last; /* linked by before and after of struct client */
};

/* Add at the end. */
void chain_append(struct chain *chain, struct client *client);

/* Take out from wherever it is; it must be in this chain. */
void chain_remove(struct chain *chain, struct client *client);

#endif
