#include "slot.h"

#include <assert.h>
#include <errno.h>

#include "base/memory.h"

int slots_open(struct slots *slots, unsigned max)
{
	unsigned buckets = 64;
	size_t table;
	char *memory;

	while (buckets < max)
		buckets *= 2;
	table = max * sizeof(struct slot);
	*slots = (struct slots){ .max = max, .hash_mask = buckets - 1 };
	slots->memory = table + buckets * sizeof(struct slot *);
	memory = memory_private(slots->memory);
	if (memory == NULL)
		return -ENOMEM;
	slots->at = (struct slot *)(void *)memory;
	slots->by_pid = (struct slot **)(void *)(memory + table);
	return 0;
}

void slots_close(struct slots *slots)
{
	memory_release(slots->at, slots->memory);
	slots->at = NULL;
}

static void list_append(struct slot_list *list, struct slot *slot)
{
	slot->next = NULL;
	slot->prev = list->last;
	if (list->last != NULL)
		list->last->next = slot;
	else
		list->first = slot;
	list->last = slot;
	list->count++;
}

static void list_remove(struct slot_list *list, struct slot *slot)
{
	if (slot->prev != NULL)
		slot->prev->next = slot->next;
	else
		list->first = slot->next;
	if (slot->next != NULL)
		slot->next->prev = slot->prev;
	else
		list->last = slot->prev;
	list->count--;
}

static struct slot **bucket(const struct slots *slots, pid_t pid)
{
	return &slots->by_pid[(unsigned)pid & slots->hash_mask];
}

/* The slot freed last comes first: its memory is still in the cache. */
struct slot *slot_take(struct slots *slots)
{
	struct slot *slot = slots->in[SLOT_FREE].last;

	if (slot != NULL)
		list_remove(&slots->in[SLOT_FREE], slot);
	else if (slots->touched < slots->max)
		slot = &slots->at[slots->touched++];
	else
		return NULL;
	slots->used++;
	*slot = (struct slot){ .state = SLOT_FREE, .channel = -1, .client.fd = -1 };
	return slot;
}

void slot_occupy(struct slots *slots, struct slot *slot, pid_t pid,
		 enum slot_state state, int64_t now)
{
	assert(slot->pid == 0 && pid > 0);
	slot->pid = pid;
	slot->same_hash = *bucket(slots, pid);
	*bucket(slots, pid) = slot;
	slot->state = state;
	slot->since = now;
	list_append(&slots->in[state], slot);
}

void slot_set_state(struct slots *slots, struct slot *slot, enum slot_state state,
		    int64_t now)
{
	assert(slot->pid > 0 && state != SLOT_FREE);
	list_remove(&slots->in[slot->state], slot);
	slot->state = state;
	slot->since = now;
	list_append(&slots->in[state], slot);
}

static void forget_pid(struct slots *slots, struct slot *slot)
{
	struct slot **link = bucket(slots, slot->pid);

	while (*link != slot)
		link = &(*link)->same_hash;
	*link = slot->same_hash;
}

void slot_free(struct slots *slots, struct slot *slot)
{
	if (slot->pid > 0) {
		list_remove(&slots->in[slot->state], slot);
		forget_pid(slots, slot);
	}
	slot->pid = 0;
	slot->state = SLOT_FREE;
	list_append(&slots->in[SLOT_FREE], slot);
	slots->used--;
}

struct slot *slot_find(const struct slots *slots, pid_t pid)
{
	struct slot *slot = *bucket(slots, pid);

	while (slot != NULL && slot->pid != pid)
		slot = slot->same_hash;
	return slot;
}
