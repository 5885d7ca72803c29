#include "chain.h"

#include <stddef.h>

#include "client.h"

void chain_append(struct chain *chain, struct client *client)
{
	client->before = chain->last;
	client->after = NULL;
	if (chain->last)
		chain->last->after = client;
	else
		chain->first = client;
	chain->last = client;
}

void chain_remove(struct chain *chain, struct client *client)
{
	if (client->before)
		client->before->after = client->after;
	else
		chain->first = client->after;
	if (client->after)
		client->after->before = client->before;
	else
		chain->last = client->before;
	client->before = client->after = NULL;
}
