#include "process.h"

#include <assert.h>
#include <errno.h>

#include "base/memory.h"

int processes_open(struct processes *processes, unsigned max)
{
	unsigned buckets = 64;
	size_t table;
	char *memory;

	while (buckets < max)
		buckets *= 2;
	table = max * sizeof(struct process);
	*processes = (struct processes){ .max = max, .hash_mask = buckets - 1 };
	processes->memory = table + buckets * sizeof(struct process *);
	memory = memory_private(processes->memory);
	if (memory == NULL)
		return -ENOMEM;
	processes->at = (struct process *)(void *)memory;
	processes->by_pid = (struct process **)(void *)(memory + table);
	return 0;
}

void processes_close(struct processes *processes)
{
	memory_release(processes->at, processes->memory);
	processes->at = NULL;
}

static void list_append(struct process_list *list, struct process *process)
{
	process->next = NULL;
	process->prev = list->last;
	if (list->last != NULL)
		list->last->next = process;
	else
		list->first = process;
	list->last = process;
	list->count++;
}

static void list_remove(struct process_list *list, struct process *process)
{
	if (process->prev != NULL)
		process->prev->next = process->next;
	else
		list->first = process->next;
	if (process->next != NULL)
		process->next->prev = process->prev;
	else
		list->last = process->prev;
	list->count--;
}

static struct process **bucket(const struct processes *processes, pid_t pid)
{
	return &processes->by_pid[(unsigned)pid & processes->hash_mask];
}

/* The slot freed last comes first: its memory is still in the cache. */
struct process *process_take(struct processes *processes)
{
	struct process *process = processes->in[PROCESS_FREE].last;

	if (process != NULL)
		list_remove(&processes->in[PROCESS_FREE], process);
	else if (processes->touched < processes->max)
		process = &processes->at[processes->touched++];
	else
		return NULL;
	processes->used++;
	*process = (struct process){ .state = PROCESS_FREE,
				     .channel = -1,
				     .client.fd = -1 };
	return process;
}

void process_occupy(struct processes *processes, struct process *process, pid_t pid,
		    enum process_state state, int64_t now)
{
	assert(process->pid == 0 && pid > 0);
	process->pid = pid;
	process->same_hash = *bucket(processes, pid);
	*bucket(processes, pid) = process;
	process->state = state;
	process->since = now;
	list_append(&processes->in[state], process);
}

void process_set_state(struct processes *processes, struct process *process,
		       enum process_state state, int64_t now)
{
	assert(process->pid > 0 && state != PROCESS_FREE);
	list_remove(&processes->in[process->state], process);
	process->state = state;
	process->since = now;
	list_append(&processes->in[state], process);
}

static void forget_pid(struct processes *processes, struct process *process)
{
	struct process **link = bucket(processes, process->pid);

	while (*link != process)
		link = &(*link)->same_hash;
	*link = process->same_hash;
}

void process_free(struct processes *processes, struct process *process)
{
	if (process->pid > 0) {
		list_remove(&processes->in[process->state], process);
		forget_pid(processes, process);
	}
	process->pid = 0;
	process->state = PROCESS_FREE;
	list_append(&processes->in[PROCESS_FREE], process);
	processes->used--;
}

struct process *process_find(const struct processes *processes, pid_t pid)
{
	struct process *process = *bucket(processes, pid);

	while (process != NULL && process->pid != pid)
		process = process->same_hash;
	return process;
}
