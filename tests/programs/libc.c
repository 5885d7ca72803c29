/*
 * A server whose handler calls libc's functions for several processes: locks in memory
 * that all workers share, and whatever depends on a thread's id. Each line of the
 * client is a call, "VERB [OBJECT]"; the answer is a line with its result, 0 or an
 * errno.
 *
 *	libc --ready-fd N [-v] [-l ADDRESS] --sandbox off|strict -s N --host KIND
 *
 * KIND is what the process was before prong_open(): "plain", or "threads" if several
 * threads had run, of which some had allocated memory and printed. libc-atfork is the
 * same program with functions of pthread_atfork(3).
 */
#include <sys/mman.h>

#include <errno.h>
#include <getopt.h>
#include <prong.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "line.h"

#define TYPES 4

static const char *const type_names[TYPES] = { "normal", "recursive", "errorcheck",
					       "adaptive" };
static const int types[TYPES] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE,
				  PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_ADAPTIVE_NP };

/* In memory that all workers share. */
static struct shared {
	pthread_mutex_t mutex[TYPES][2]; /* not robust, robust */
	pthread_cond_t changed;
	pthread_rwlock_t rwlock;
	pthread_barrier_t pair;
	sem_t semaphore;
	int ready;
} * shared;

static struct {
	int prepare, parent, child;
} calls; /* made by the functions of pthread_atfork(3) */

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "libc: %s\n", what);
	exit(1);
}

static void make_mutexes(void)
{
	pthread_mutexattr_t kind;

	must(pthread_mutexattr_init(&kind) == 0 &&
		     pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) == 0,
	     "mutexattr");
	for (int i = 0; i < 2 * TYPES; i++)
		must(pthread_mutexattr_settype(&kind, types[i / 2]) == 0 &&
			     pthread_mutexattr_setrobust(
				     &kind, i % 2 != 0 ? PTHREAD_MUTEX_ROBUST
						       : PTHREAD_MUTEX_STALLED) == 0 &&
			     pthread_mutex_init(&shared->mutex[i / 2][i % 2], &kind) ==
				     0,
		     "mutex");
}

static void make_others(void)
{
	pthread_condattr_t condition;
	pthread_rwlockattr_t rwlock;
	pthread_barrierattr_t barrier;

	must(pthread_condattr_init(&condition) == 0 &&
		     pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED) ==
			     0 &&
		     pthread_cond_init(&shared->changed, &condition) == 0,
	     "condition");
	must(pthread_rwlockattr_init(&rwlock) == 0 &&
		     pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED) ==
			     0 &&
		     pthread_rwlock_init(&shared->rwlock, &rwlock) == 0,
	     "rwlock");
	must(pthread_barrierattr_init(&barrier) == 0 &&
		     pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED) ==
			     0 &&
		     pthread_barrier_init(&shared->pair, &barrier, 2) == 0,
	     "barrier");
	must(sem_init(&shared->semaphore, 1, 0) == 0, "semaphore");
}

/* Makes everything anew, while no other worker uses it. */
static int make_anew(const char *name)
{
	(void)name;
	memset(shared, 0, sizeof(*shared));
	make_mutexes();
	make_others();
	return 0;
}

/* "recursive" or "recursive-robust" */
static pthread_mutex_t *find_mutex(const char *name)
{
	bool robust = strstr(name, "-robust") != NULL;

	for (int i = 0; i < TYPES; i++)
		if (strncmp(name, type_names[i], strlen(type_names[i])) == 0)
			return &shared->mutex[i][robust];
	return &shared->mutex[0][robust];
}

static struct timespec soon(void)
{
	struct timespec at;

	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_nsec += 20 * 1000 * 1000;
	at.tv_sec += at.tv_nsec / (1000 * 1000 * 1000);
	at.tv_nsec %= 1000 * 1000 * 1000;
	return at;
}

static int lock(const char *name)
{
	return pthread_mutex_lock(find_mutex(name));
}

static int lock_for_a_while(const char *name)
{
	struct timespec until = soon();

	return pthread_mutex_timedlock(find_mutex(name), &until);
}

static int try_lock(const char *name)
{
	return pthread_mutex_trylock(find_mutex(name));
}

static int unlock(const char *name)
{
	return pthread_mutex_unlock(find_mutex(name));
}

static int make_consistent(const char *name)
{
	return pthread_mutex_consistent(find_mutex(name));
}

/* Waits with a mutex held; the condition is a number that other workers increase. */
static int wait_for_change(const char *name)
{
	int err = 0;

	while (shared->ready == 0 && err == 0)
		err = pthread_cond_wait(&shared->changed, find_mutex(name));
	shared->ready = 0;
	return err;
}

static int wait_for_a_while(const char *name)
{
	struct timespec until = soon();

	return pthread_cond_timedwait(&shared->changed, find_mutex(name), &until);
}

static int change(const char *name)
{
	int err = pthread_mutex_lock(find_mutex(name));

	if (err != 0)
		return err;
	shared->ready = 1;
	err = pthread_cond_broadcast(&shared->changed);
	return err != 0 ? err : pthread_mutex_unlock(find_mutex(name));
}

static int take_semaphore(const char *name)
{
	(void)name;
	return sem_wait(&shared->semaphore) < 0 ? errno : 0;
}

static int take_semaphore_for_a_while(const char *name)
{
	struct timespec until = soon();

	(void)name;
	return sem_timedwait(&shared->semaphore, &until) < 0 ? errno : 0;
}

static int post_semaphore(const char *name)
{
	(void)name;
	return sem_post(&shared->semaphore) < 0 ? errno : 0;
}

static int read_lock(const char *name)
{
	(void)name;
	return pthread_rwlock_rdlock(&shared->rwlock);
}

static int write_lock(const char *name)
{
	(void)name;
	return pthread_rwlock_wrlock(&shared->rwlock);
}

static int try_write_lock(const char *name)
{
	(void)name;
	return pthread_rwlock_trywrlock(&shared->rwlock);
}

static int unlock_rwlock(const char *name)
{
	(void)name;
	return pthread_rwlock_unlock(&shared->rwlock);
}

/* Returns 1 in one of the two, 0 in the other. */
static int meet(const char *name)
{
	(void)name;
	return pthread_barrier_wait(&shared->pair) == PTHREAD_BARRIER_SERIAL_THREAD;
}

/* libc's ids must be the kernel's, and a lock's owner must be this process. */
static int check_ids(const char *name)
{
	pthread_mutex_t *mutex = find_mutex("recursive");

	(void)name;
	if (getpid() != gettid() || getppid() == getpid())
		return EPROTO;
	if (pthread_mutex_lock(mutex) != 0)
		return EBUSY;
	if (mutex->__data.__owner != getpid())
		return EOWNERDEAD;
	return pthread_mutex_unlock(mutex);
}

static int raise_term(const char *name)
{
	(void)name;
	return raise(SIGTERM) != 0;
}

static int call_abort(const char *name)
{
	(void)name;
	abort();
}

static int crash(const char *name)
{
	(void)name;
	__builtin_trap();
}

static int print(const char *name)
{
	(void)name;
	flockfile(stderr);
	if (ftrylockfile(stderr) != 0)
		return EBUSY;
	funlockfile(stderr);
	funlockfile(stderr);
	return snprintf((char[40]){ 0 }, 40, "%d %g", 1, 1.5) == 5 ? 0 : EIO;
}

static int allocate(const char *name)
{
	(void)name;
	for (size_t size = 16; size <= 4u << 20; size *= 4) {
		char *memory = malloc(size);

		if (memory == NULL)
			return ENOMEM;
		memset(memory, 'x', size);
		memory = realloc(memory, 2 * size);
		if (memory == NULL || memory[size - 1] != 'x')
			return ENOMEM;
		free(memory);
	}
	return 0;
}

/* How often the functions were called that this worker must know of: 11, or 0. */
static int count_calls(const char *name)
{
	(void)name;
	return calls.child * 10 + (calls.prepare > 0) + 100 * (calls.child > 1);
}

static int count_parents_calls(const char *name)
{
	(void)name;
	return calls.prepare - calls.parent; /* 1: our own fork is still to come */
}

static const struct {
	const char *name;
	int (*call)(const char *object);
} verbs[] = {
	{ "make-anew", make_anew },
	{ "lock", lock },
	{ "lock-for-a-while", lock_for_a_while },
	{ "try-lock", try_lock },
	{ "unlock", unlock },
	{ "make-consistent", make_consistent },
	{ "wait", wait_for_change },
	{ "wait-for-a-while", wait_for_a_while },
	{ "change", change },
	{ "take", take_semaphore },
	{ "take-for-a-while", take_semaphore_for_a_while },
	{ "post", post_semaphore },
	{ "read-lock", read_lock },
	{ "write-lock", write_lock },
	{ "try-write-lock", try_write_lock },
	{ "unlock-rwlock", unlock_rwlock },
	{ "meet", meet },
	{ "check-ids", check_ids },
	{ "raise", raise_term },
	{ "abort", call_abort },
	{ "crash", crash },
	{ "print", print },
	{ "allocate", allocate },
	{ "count-calls", count_calls },
	{ "count-parents-calls", count_parents_calls },
};

static int obey(struct prong_conn *conn, void *arg)
{
	char line[100], text[20];

	(void)arg;
	while (read_line(conn, line, sizeof(line))) {
		const char *object = line + strcspn(line, " ");
		size_t i = 0;
		int n;

		object += *object == ' ';
		line[strcspn(line, " ")] = '\0';
		while (i < sizeof(verbs) / sizeof(verbs[0]) - 1 &&
		       strcmp(verbs[i].name, line) != 0)
			i++;
		n = snprintf(text, sizeof(text), "%d\n", verbs[i].call(object));
		if (prong_send(conn, text, (size_t)n) < 0)
			return -EPIPE;
	}
	return 0;
}

static void *work(void *unused)
{
	char text[100];

	(void)unused;
	for (int i = 0; i < 100; i++)
		free(malloc((size_t)i * 1000));
	fputs("", stderr);
	snprintf(text, sizeof(text), "%p", (void *)text);
	return malloc(100);
}

static void use_threads(void)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		must(pthread_create(&threads[i], NULL, work, NULL) == 0, "thread");
	for (int i = 0; i < 3; i++) {
		void *memory;

		must(pthread_join(threads[i], &memory) == 0, "join");
		free(memory);
	}
}

/* A second program with functions of pthread_atfork(3), under a name of its own. */
#ifdef WITH_ATFORK
static void note_prepare(void)
{
	calls.prepare++;
}

static void note_parent(void)
{
	calls.parent++;
}

/* Makes a call that no confined worker may make. */
static void note_child(void)
{
	calls.child += getuid() == geteuid();
}

static void register_atfork(void)
{
	must(pthread_atfork(note_prepare, note_parent, note_child) == 0, "atfork");
}
#else
static void register_atfork(void)
{
}
#endif

static void become(const char *kind)
{
	if (strcmp(kind, "threads") == 0)
		use_threads();
	register_atfork();
}

static const char *parse(struct prong_options *options, const char **listen, int argc,
			 char **argv)
{
	static const struct option longs[] = {
		{ "ready-fd", required_argument, NULL, 'f' },
		{ "sandbox", required_argument, NULL, 'b' },
		{ "host", required_argument, NULL, 'h' },
		{ 0 },
	};
	const char *kind = "plain";
	int code;

	while ((code = getopt_long(argc, argv, "l:s:v", longs, NULL)) != -1) {
		if (code == 'l')
			listen[0] = optarg;
		else if (code == 's')
			options->spare = (unsigned)atoi(optarg);
		else if (code == 'v')
			options->log_level = PRONG_LOG_VERBOSE;
		else if (code == 'f')
			options->ready_fd = atoi(optarg);
		else if (code == 'b')
			options->sandbox = strcmp(optarg, "off") == 0
						   ? PRONG_SANDBOX_OFF
						   : PRONG_SANDBOX_AUTO;
		else if (code == 'h')
			kind = optarg;
		else
			exit(2);
	}
	return kind;
}

int main(int argc, char **argv)
{
	const char *listen[2] = { NULL };
	char error[PRONG_ERROR_MAX] = "";
	struct prong_options options = {
		.size = sizeof(options),
		.listen = listen,
		.log_fd = 2,
		.error = error,
		.error_size = sizeof(error),
	};
	struct prong *server;

	become(parse(&options, listen, argc, argv));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared != MAP_FAILED, "mmap");
	must(prong_open(&server, &options, obey, NULL) == 0, error);
	must(prong_run(server) == 0, "prong_run");
	prong_close(server);
	return 0;
}
