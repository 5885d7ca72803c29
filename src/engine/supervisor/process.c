#include "process.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/gate.h"
#include "base/memory.h"

int processes_open(struct processes *processes, struct loop *loop, unsigned max)
{
	unsigned buckets = 64;
	size_t table_bytes;
	char *memory;
	int err;

	while (buckets < max)
		buckets *= 2;
	table_bytes = max * sizeof(struct process);
	*processes = (struct processes){
		.loop = loop,
		.calls = &group_calls,
		.max = max,
		.hash_mask = buckets - 1,
		.memory_bytes = table_bytes + buckets * sizeof(struct process *),
	};
	err = scoreboard_open(&processes->board, max);
	if (err < 0)
		return err;
	memory = memory_private(processes->memory_bytes);
	if (memory == NULL)
		return -ENOMEM;
	processes->at = (struct process *)(void *)memory;
	processes->by_pid = (struct process **)(void *)(memory + table_bytes);
	return 0;
}

void processes_close(struct processes *processes)
{
	scoreboard_close(&processes->board);
	memory_release(processes->at, processes->memory_bytes);
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

/* The slot freed last is used first: its memory is still in the cache. */
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
	*process = (struct process){
		.state = PROCESS_FREE,
		.channel = -1,
		.watched = -1,
		.session.client.fd = -1,
	};
	scoreboard_reset(&processes->board, process_index(processes, process));
	return process;
}

void process_occupy(struct processes *processes, struct process *process, pid_t pid,
		    enum process_state state, int64_t now_us)
{
	assert(process->pid == 0 && pid > 0);
	process->pid = pid;
	process->same_hash = *bucket(processes, pid);
	*bucket(processes, pid) = process;
	process->state = state;
	process->since_us = now_us;
	list_append(&processes->in[state], process);
	processes->started++;
}

void process_set_state(struct processes *processes, struct process *process,
		       enum process_state state, int64_t now_us)
{
	assert(process->pid > 0 && state != PROCESS_FREE);
	list_remove(&processes->in[process->state], process);
	process->state = state;
	process->since_us = now_us;
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
	process_unwatch(processes, process);
	process_drop_channel(processes, process);
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

int process_watch(struct processes *processes, struct process *process, int fd,
		  uint32_t events, loop_ready *ready, void *owner)
{
	int err;

	process->watch =
		(struct watch){ ready, owner, process_index(processes, process) };
	err = loop_add(processes->loop, fd, events, &process->watch);
	if (err == 0)
		process->watched = fd;
	return err;
}

void process_unwatch(struct processes *processes, struct process *process)
{
	if (process->watched >= 0)
		loop_remove(processes->loop, process->watched);
	process->watched = -1;
}

void process_drop_channel(struct processes *processes, struct process *process)
{
	if (process->channel < 0)
		return;
	if (process->watched == process->channel)
		process_unwatch(processes, process);
	close(process->channel);
	process->channel = -1;
}

/* Asked again, because its last report may be old. */
int process_check_waiting(const struct process *process)
{
	siginfo_t info = { 0 };

	if (GATE(waitid, P_PID, process->pid, &info,
		 WEXITED | WSTOPPED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0)
		return 0;
	return info.si_code == CLD_STOPPED ? -EAGAIN : -EPIPE;
}

void process_lost(struct processes *processes, struct process *process, int64_t now_us)
{
	process_drop_channel(processes, process);
	process->left_idle = true;
	process_set_state(processes, process, PROCESS_ENDING, now_us);
}

void process_hang_up(struct processes *processes, struct process *process, int number,
		     int64_t now_us)
{
	if (process->end_cause == REASON_NONE)
		process->end_cause = REASON_RESET;
	process_set_state(processes, process, PROCESS_HUNG_UP, now_us);
	processes->calls->send(process->pid, number);
}

void process_terminate(struct processes *processes, struct process *process,
		       enum reason cause, int64_t now_us)
{
	if (process->end_cause == REASON_NONE)
		process->end_cause = cause;
	process_set_state(processes, process, PROCESS_ENDING, now_us);
	group_signal(processes->calls, process->pid, SIGTERM);
}

void process_kill(struct processes *processes, struct process *process,
		  enum reason cause, int64_t now_us)
{
	if (process->end_cause == REASON_NONE)
		process->end_cause = cause;
	process_drop_channel(processes, process);
	process_set_state(processes, process, PROCESS_KILLED, now_us);
	process_kill_again(processes, process);
}

int process_kill_again(const struct processes *processes, const struct process *process)
{
	return group_signal(processes->calls, process->pid, SIGKILL);
}

void processes_kill(struct processes *processes, enum reason cause, int64_t now_us)
{
	static const enum process_state living[] = {
		PROCESS_STARTING,  PROCESS_IDLE,    PROCESS_BUSY,
		PROCESS_ACCEPTING, PROCESS_HUNG_UP, PROCESS_ENDING,
	};

	for (size_t i = 0; i < sizeof(living) / sizeof(living[0]); i++) {
		const struct process_list *list = &processes->in[living[i]];

		while (list->first != NULL)
			process_kill(processes, list->first, cause, now_us);
	}
}
