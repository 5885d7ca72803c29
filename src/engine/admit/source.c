#include "source.h"

#include <sys/random.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "base/address.h"
#include "base/memory.h"
#include "base/prefix.h"

int sources_open(struct sources *sources, unsigned max_connections, unsigned remembered)
{
	uint32_t max = max_connections + remembered;
	uint32_t buckets = 64;
	char *memory;

	while (buckets < max)
		buckets *= 2;
	*sources = (struct sources){
		.mask = buckets - 1,
		.max = max,
		.free = SOURCE_NONE,
		.oldest = SOURCE_NONE,
		.newest = SOURCE_NONE,
	};
	if (getrandom(sources->secret, sizeof(sources->secret), 0) < 0)
		return -errno;
	sources->memory = max * sizeof(struct source) + buckets * sizeof(uint32_t);
	memory = memory_private(sources->memory);
	if (memory == NULL)
		return -ENOMEM;
	sources->at = (struct source *)(void *)memory;
	sources->buckets = (uint32_t *)(void *)(memory + max * sizeof(struct source));
	return 0;
}

void sources_close(struct sources *sources)
{
	memory_release(sources->at, sources->memory);
	sources->at = NULL;
}

/* ff00::/8 is multicast and no client's address, so users are stored there. */
static void fill_user(unsigned char bytes[16], int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	bytes[0] = 0xff;
	memcpy(bytes + 12, &peer.uid, sizeof(peer.uid));
}

void source_key_fill(struct source_key *key, const struct address *address, int fd,
		     unsigned ipv4_bits, unsigned ipv6_bits)
{
	unsigned char bytes[16] = { 0 };
	struct prefix_bytes cut;

	if (!prefix_cut(&cut, address, ipv4_bits, ipv6_bits)) {
		fill_user(bytes, fd);
	} else if (address_family(address) == AF_INET) {
		bytes[10] = bytes[11] = 0xff;
		memcpy(bytes + 12, cut.at, 4);
	} else {
		memcpy(bytes, cut.at, sizeof(bytes));
	}
	memcpy(key->word, bytes, sizeof(key->word));
}

/*
 * Pair-multiply-shift with a secret (Thorup, High Speed Hashing for Integers and
 * Strings, 3.5): an attacker who chooses addresses cannot choose their bucket.
 */
static uint32_t *bucket(const struct sources *sources, const struct source_key *key)
{
	const uint64_t *secret = sources->secret;
	uint64_t sum = (secret[0] + key->word[1]) * (secret[1] + key->word[0]) +
		       (secret[2] + key->word[3]) * (secret[3] + key->word[2]) +
		       secret[4];

	return &sources->buckets[(uint32_t)(sum >> 32) & sources->mask];
}

/* Buckets hold index + 1, so zeroed memory means empty. */
static uint32_t first(const uint32_t *bucket)
{
	return *bucket == 0 ? SOURCE_NONE : *bucket - 1;
}

uint32_t source_find(const struct sources *sources, const struct source_key *key)
{
	uint32_t index = first(bucket(sources, key));

	while (index != SOURCE_NONE &&
	       memcmp(&sources->at[index].key, key, sizeof(*key)) != 0)
		index = sources->at[index].next;
	return index;
}

static void remember(struct sources *sources, uint32_t index)
{
	struct source *source = &sources->at[index];

	source->newer = SOURCE_NONE;
	source->older = sources->newest;
	if (source->older != SOURCE_NONE)
		sources->at[source->older].newer = index;
	else
		sources->oldest = index;
	sources->newest = index;
}

static void recall(struct sources *sources, uint32_t index)
{
	struct source *source = &sources->at[index];

	if (source->older != SOURCE_NONE)
		sources->at[source->older].newer = source->newer;
	else
		sources->oldest = source->newer;
	if (source->newer != SOURCE_NONE)
		sources->at[source->newer].older = source->older;
	else
		sources->newest = source->older;
}

static void unchain(struct sources *sources, uint32_t index)
{
	uint32_t *head = bucket(sources, &sources->at[index].key);
	uint32_t before = first(head);

	if (before == index) {
		uint32_t next = sources->at[index].next;

		*head = next == SOURCE_NONE ? 0 : next + 1;
		return;
	}
	while (sources->at[before].next != index)
		before = sources->at[before].next;
	sources->at[before].next = sources->at[index].next;
}

static void forget(struct sources *sources, uint32_t index)
{
	unchain(sources, index);
	sources->at[index].next = sources->free;
	sources->free = index;
}

/*
 * Takes an unused place. Connections alone cannot fill the table: see sources_open().
 */
static uint32_t take_place(struct sources *sources)
{
	uint32_t index = sources->oldest;

	if (sources->free == SOURCE_NONE && sources->touched < sources->max)
		return sources->touched++;
	if (sources->free == SOURCE_NONE) {
		recall(sources, index);
		forget(sources, index);
	}
	index = sources->free;
	sources->free = sources->at[index].next;
	return index;
}

static uint32_t add(struct sources *sources, const struct source_key *key)
{
	uint32_t index = take_place(sources);
	uint32_t *head = bucket(sources, key);

	sources->at[index] = (struct source){ .key = *key, .next = first(head) };
	*head = index + 1;
	return index;
}

uint32_t source_enter(struct sources *sources, const struct source_key *key,
		      bool exempt)
{
	uint32_t index = source_find(sources, key);

	if (index == SOURCE_NONE)
		index = add(sources, key);
	else if (sources->at[index].connections == 0)
		recall(sources, index);
	if (sources->at[index].connections++ == 0)
		sources->connected++;
	sources->at[index].exempt += exempt;
	return index;
}

void source_leave(struct sources *sources, uint32_t index, bool exempt, int64_t now_ns)
{
	struct source *source = &sources->at[index];

	source->exempt -= exempt;
	if (--source->connections > 0)
		return;
	sources->connected--;
	if (source->full_at_ns > now_ns)
		remember(sources, index);
	else
		forget(sources, index);
}
