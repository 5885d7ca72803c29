/*
 * A key-value store whose clients share one table, each in a process of its own. The
 * table is in memory that all workers share, behind one robust mutex.
 *
 *	./store [ADDRESS]	127.0.0.1:7007
 *
 * A client sends lines (nc 127.0.0.1 7007):
 *
 *	set KEY VALUE	OK, or FULL
 *	get KEY		the value, or NONE
 *	count		the number of keys
 *	crash KEY VALUE	like set, but the worker dies half way, with the mutex held
 *
 * The kernel tells the next worker that the owner of the mutex has died
 * (pthread_mutex_lock(3), EOWNERDEAD). That worker undoes the unfinished change and
 * goes on: a crash costs one client its connection, and does not affect the others. The
 * workers are sandboxed; locks in shared memory work there too.
 */
#include <sys/mman.h>

#include <errno.h>
#include <prong.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES  1024
#define KEY_MAX  64
#define LINE_MAX 512

struct entry {
	char key[KEY_MAX]; /* "": free */
	char value[LINE_MAX];
};

static struct store {
	pthread_mutex_t mutex;
	unsigned count;
	/* The change in progress: its place, and what was there before. */
	_Atomic(struct entry *) changing; /* NULL: none; one address in all workers */
	struct entry before;
	struct entry at[ENTRIES];
} * store;

static void count_again(void)
{
	store->count = 0;
	for (int i = 0; i < ENTRIES; i++)
		store->count += store->at[i].key[0] != '\0';
}

/* The last owner died with the mutex held: undoes its unfinished change. */
static void repair(void)
{
	if (store->changing != NULL)
		*store->changing = store->before;
	store->changing = NULL;
	count_again();
	pthread_mutex_consistent(&store->mutex);
}

static int lock(void)
{
	int err = pthread_mutex_lock(&store->mutex);

	if (err == EOWNERDEAD)
		repair();
	return err == EOWNERDEAD ? 0 : -err;
}

/* The key's entry, or the free one where it belongs; NULL: the table is full. */
static struct entry *find(const char *key)
{
	unsigned hash = 5381;

	for (const char *c = key; *c != '\0'; c++)
		hash = hash * 33 + (unsigned char)*c;
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry *entry = &store->at[(hash + i) % ENTRIES];

		if (entry->key[0] == '\0' || strcmp(entry->key, key) == 0)
			return entry;
	}
	return NULL;
}

static const char *set(const char *key, const char *value, bool crashes)
{
	struct entry *entry = find(key);

	if (entry == NULL)
		return "FULL";
	store->before = *entry;
	store->changing = entry;
	store->count += entry->key[0] == '\0';
	snprintf(entry->key, sizeof(entry->key), "%s", key);
	if (crashes)
		__builtin_trap();
	snprintf(entry->value, sizeof(entry->value), "%s", value);
	store->changing = NULL;
	return "OK";
}

static const char *get(const char *key)
{
	static char value[LINE_MAX];
	const struct entry *entry = find(key);

	if (entry == NULL || entry->key[0] == '\0')
		return "NONE";
	memcpy(value, entry->value, sizeof(value));
	return value;
}

static const char *count(void)
{
	static char text[16];

	snprintf(text, sizeof(text), "%u", store->count);
	return text;
}

static const char *answer(char *line)
{
	const char *verb = strtok(line, " ");
	const char *key = strtok(NULL, " ");
	const char *value = strtok(NULL, "");

	if (verb != NULL && strcmp(verb, "count") == 0)
		return count();
	if (verb == NULL || key == NULL || strlen(key) >= KEY_MAX)
		return "WHAT";
	if (strcmp(verb, "get") == 0)
		return get(key);
	if (strcmp(verb, "set") == 0 || strcmp(verb, "crash") == 0)
		return set(key, value != NULL ? value : "", *verb == 'c');
	return "WHAT";
}

/* Handles one line of the client; sends the answer after releasing the mutex. */
static int obey(struct prong_conn *conn, char *line)
{
	char text[LINE_MAX + 2];
	int err = lock();
	int n;

	if (err < 0)
		return err;
	n = snprintf(text, sizeof(text), "%s\n", answer(line));
	pthread_mutex_unlock(&store->mutex);
	return prong_send(conn, text, (size_t)n);
}

static int serve(struct prong_conn *conn, void *arg)
{
	char line[LINE_MAX];
	size_t length = 0;
	ssize_t n;
	char *end;

	(void)arg;
	while ((n = prong_recv(conn, line + length, sizeof(line) - 1 - length)) > 0) {
		length += (size_t)n;
		line[length] = '\0';
		while ((end = strchr(line, '\n')) != NULL) {
			int err;

			*end = '\0';
			err = obey(conn, line);
			if (err < 0)
				return err;
			length -= (size_t)(end + 1 - line);
			memmove(line, end + 1, length + 1);
		}
		if (length == sizeof(line) - 1)
			return -E2BIG;
	}
	return (int)n;
}

static int make_store(void)
{
	pthread_mutexattr_t kind;

	store = mmap(NULL, sizeof(*store), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (store == MAP_FAILED)
		return -errno;
	pthread_mutexattr_init(&kind);
	pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ERRORCHECK);
	return -pthread_mutex_init(&store->mutex, &kind);
}

int main(int argc, char **argv)
{
	const char *listen[] = { argc > 1 ? argv[1] : "127.0.0.1:7007", NULL };
	char error[PRONG_ERROR_MAX] = "no memory for the table";
	struct prong_options options = {
		.size = sizeof(options),
		.listen = listen,
		.sandbox = PRONG_SANDBOX_AUTO,
		.log_fd = 2,
		.log_level = PRONG_LOG_VERBOSE,
		.error = error,
		.error_size = sizeof(error),
	};
	struct prong *server;

	if (make_store() < 0 || prong_open(&server, &options, serve, NULL) < 0)
		return fprintf(stderr, "store: %s\n", error), 1;
	prong_run(server);
	prong_close(server);
	return 0;
}
