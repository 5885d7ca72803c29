#include "fork.h"

#include <sys/syscall.h>

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "call.h"
#include "gate.h"

#if defined(__GLIBC__) && defined(__has_include) && __has_include(<sys/single_threaded.h>)

#include <sys/single_threaded.h>

#include <link.h>
#include <sched.h>
#include <string.h>

/*
 * Offsets in glibc's struct pthread, for 64 bits since 2004: pid_t tid, unused; void
 * *robust_prev; struct robust_list_head robust_head;
 */
#define TID_BEFORE_ROBUST 16

struct names {
	const char *text; /* DT_STRTAB: each name lies between two NULs */
	size_t size;
	size_t own; /* offset of the object's own name; 0: it has none */
};

/* The loader replaces offsets by addresses in most objects, but not in all: elf(5). */
static struct names names_of(const struct dl_phdr_info *object, const ElfW(Dyn) * entry)
{
	struct names names = { 0 };

	for (; entry->d_tag != DT_NULL; entry++) {
		ElfW(Addr) at = entry->d_un.d_ptr;

		if (entry->d_tag == DT_STRTAB)
			names.text = (const char *)(at < object->dlpi_addr
							    ? at + object->dlpi_addr
							    : at);
		else if (entry->d_tag == DT_STRSZ)
			names.size = entry->d_un.d_val;
		else if (entry->d_tag == DT_SONAME)
			names.own = entry->d_un.d_val;
	}
	return names;
}

static bool has_name(const struct names *names, const char *name)
{
	size_t length = strlen(name) + 1;
	const char *found = names->text == NULL
				    ? NULL
				    : memmem(names->text, names->size, name, length);

	return found != NULL && found > names->text && found[-1] == '\0';
}

/* libc itself contains both names because it defines them. */
static int refers_to_atfork(struct dl_phdr_info *object, size_t size, void *arg)
{
	(void)size, (void)arg;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		struct names names;

		if (object->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		names = names_of(object,
				 (const ElfW(Dyn) *)(object->dlpi_addr +
						     object->dlpi_phdr[i].p_vaddr));
		if (names.own != 0 && names.text != NULL &&
		    strcmp(names.text + names.own, "libc.so.6") == 0)
			continue;
		if (has_name(&names, "__register_atfork") ||
		    has_name(&names, "pthread_atfork"))
			return 1;
	}
	return 0;
}

static bool without_id;

void fork_without_thread_id(void)
{
	without_id = true;
}

void fork_choose(struct fork_way *way)
{
	struct robust_list_head *robust = NULL;
	size_t size = 0;
	int *tid;

	*way = (struct fork_way){ 0 };
	if (sizeof(void *) != 8 || GATE(get_robust_list, 0, &robust, &size) < 0 ||
	    size != sizeof(*robust) || robust == NULL)
		return;
	tid = (int *)((char *)robust - TID_BEFORE_ROBUST);
	way->robust = robust;
	way->tid = without_id ? NULL : tid;
	way->is_short = *tid == gettid() && __libc_single_threaded &&
			dl_iterate_phdr(refers_to_atfork, NULL) == 0;
}

/*
 * The child's list is empty, like the parent's, but the kernel must be told about it.
 */
static pid_t fork_short(const struct fork_way *way)
{
	unsigned long flags =
		way->tid != NULL ? CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID : 0;
	/*
	 * The order of the last two arguments depends on the processor; only one is
	 * used.
	 */
	pid_t pid = (pid_t)GATE(clone, flags | SIGCHLD, NULL, NULL, way->tid, way->tid);

	if (pid == 0 && way->tid != NULL)
		CALL(set_robust_list, way->robust, sizeof(*way->robust));
	return pid;
}

static bool holds_robust_mutex(const struct robust_list_head *robust)
{
	return robust->list.next != &robust->list;
}

#else

void fork_without_thread_id(void)
{
}

void fork_choose(struct fork_way *way)
{
	*way = (struct fork_way){ 0 };
}

static pid_t fork_short(const struct fork_way *way)
{
	(void)way;
	return -ENOSYS;
}

static bool holds_robust_mutex(const struct robust_list_head *robust)
{
	(void)robust;
	return true;
}

#endif

pid_t fork_by(const struct fork_way *way)
{
	pid_t pid;

	if (way->is_short && !holds_robust_mutex(way->robust))
		return fork_short(way);
	pid = fork();
	return pid < 0 ? -errno : pid;
}
