#include "source.h"

#include <errno.h>
#include <string.h>

#include "base/address.h"
#include "base/memory.h"

int sources_open(struct sources *sources, unsigned max)
{
	uint32_t buckets = 64;
	char *memory;

	while (buckets < max)
		buckets *= 2;
	*sources = (struct sources){ .mask = buckets - 1, .free = SOURCE_NONE };
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

static void make_key(unsigned char key[16], const struct address *address)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(key, 0, 16);
	if (address_family(address) == AF_INET6) {
		memcpy(key, &address->any.in6.sin6_addr, 16);
	} else if (address_family(address) == AF_INET) {
		memcpy(key, mapped, sizeof(mapped));
		memcpy(key + 12, &address->any.in.sin_addr, 4);
	}
}

/* FNV-1a. Chains hold living connections only, so nobody can make them long. */
static uint32_t *bucket(const struct sources *sources, const unsigned char key[16])
{
	uint32_t hash = UINT32_C(2166136261);

	for (int i = 0; i < 16; i++)
		hash = (hash ^ key[i]) * UINT32_C(16777619);
	return &sources->buckets[hash & sources->mask];
}

/* Buckets hold index + 1, so that fresh memory means empty. */
static uint32_t first(const uint32_t *bucket)
{
	return *bucket == 0 ? SOURCE_NONE : *bucket - 1;
}

uint32_t source_enter(struct sources *sources, const struct address *address)
{
	unsigned char key[16];
	uint32_t *head;
	uint32_t index;

	make_key(key, address);
	head = bucket(sources, key);
	for (index = first(head); index != SOURCE_NONE; index = sources->at[index].next)
		if (memcmp(sources->at[index].key, key, sizeof(key)) == 0)
			break;
	if (index == SOURCE_NONE) {
		index = sources->free;
		if (index != SOURCE_NONE)
			sources->free = sources->at[index].next;
		else
			index = sources->touched++;
		memcpy(sources->at[index].key, key, sizeof(key));
		sources->at[index].connections = 0;
		sources->at[index].next = first(head);
		*head = index + 1;
	}
	sources->at[index].connections++;
	return index;
}

static void unchain(struct sources *sources, uint32_t index)
{
	uint32_t *head = bucket(sources, sources->at[index].key);
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

void source_leave(struct sources *sources, uint32_t index)
{
	if (--sources->at[index].connections > 0)
		return;
	unchain(sources, index);
	sources->at[index].next = sources->free;
	sources->free = index;
}
