/*
 * An ordered chain of clients: by deadline, or by how long they have been held. A
 * client is in at most one chain.
 */
#ifndef PRONG_BENCH_CHAIN_H
#define PRONG_BENCH_CHAIN_H

struct client;

struct chain {
	struct client *first, *last; /* linked by before and after of struct client */
};

/* Adds at the end. */
void chain_append(struct chain *chain, struct client *client);

/* Removes the client from anywhere in this chain. */
void chain_remove(struct chain *chain, struct client *client);

#endif
