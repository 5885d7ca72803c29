/*
 * The shim that keeps a program warm. It is preloaded, stops before main() and waits
 * for a connection, so that exec and dynamic linking are done when a client comes. When
 * main() begins, standard input and output are the connection; the environment is
 * complete, on the stack, in environ and in /proc/PID/environ; and nothing in it shows
 * the shim. See warm.h.
 *
 * It runs inside other programs. So it uses libc alone, allocates nothing while environ
 * is still what the kernel made, and does nothing at all in a program that prongd did
 * not start.
 */
#include <sys/socket.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pass.h"
#include "warm.h"

#define PRELOAD "LD_PRELOAD="

typedef int main_function(int, char **, char **);
typedef int start_function(main_function *, int, char **, void (*)(void),
			   void (*)(void), void (*)(void), void *);

static main_function *program_main;
/* LD_PRELOAD as the administrator gave it, and the variables of the connection. */
static char variables[2 * WARM_TEXT_MAX];

/* The text of the variables that only provide room: the last ones on the stack. */
struct room {
	char *text;
	size_t size; /* of text, including the last NUL */
};

static bool same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length) == 0 && b[length] == '=';
}

/* Returns whether environment is as prongd made it. */
static bool find_room(char **environment, struct room *room)
{
	while (*environment != NULL && strncmp(*environment, PRELOAD, 11) != 0)
		environment++;
	if (*environment == NULL)
		return false;
	room->text = *environment;
	room->size = 0;
	for (; *environment != NULL; environment++) {
		if (*environment != room->text + room->size)
			return false;
		room->size += strlen(*environment) + 1;
	}
	return true;
}

/*
 * ld.so no longer needs LD_PRELOAD; puts back what the administrator asked to preload.
 */
static size_t restore_preload(void)
{
	const char *preload = getenv("LD_PRELOAD");
	const char *others = preload != NULL ? strchr(preload, ':') : NULL;
	size_t length = others != NULL ? strlen(others + 1) : 0;

	if (others == NULL || sizeof(PRELOAD) + length > WARM_TEXT_MAX)
		return 0;
	memcpy(variables, PRELOAD, sizeof(PRELOAD) - 1);
	memcpy(variables + sizeof(PRELOAD) - 1, others + 1, length + 1);
	return sizeof(PRELOAD) + length;
}

/* The administrator's variables do not replace those of the connection. */
static char **drop_given(char **given, char **end, const char *name)
{
	char **kept = given;

	for (; given < end; given++)
		if (same_name(name, *given))
			memset(*given, 0, strlen(*given));
		else
			*kept++ = *given;
	return kept;
}

static bool is_room(const struct room *room, const char *variable)
{
	return variable >= room->text && variable < room->text + room->size;
}

/*
 * In list, which does not move, the variables replace those that only provide room.
 * Returns whether there was a place for each.
 */
static bool place(char **list, const struct room *room, size_t length)
{
	char *text = room->text;
	char **end, **at = list;

	for (end = list; *end != NULL; end++)
		if (!is_room(room, *end))
			*at++ = *end;
	for (; text < room->text + length; text += strlen(text) + 1) {
		at = drop_given(list, at, text);
		if (at == end)
			break;
		*at++ = text;
	}
	while (at < end)
		*at++ = NULL;
	return text == room->text + length;
}

/* environ is another list if code that ran before main() has changed it. */
static bool fill_room(char **environment, const struct room *room, size_t length)
{
	bool complete;

	if (length > room->size)
		return false;
	memset(room->text, 0, room->size);
	memcpy(room->text, variables, length);
	complete = place(environment, room, length);
	if (environ != environment)
		complete = place(environ, room, length) && complete;
	return complete;
}

/* If prongd did not make it, or there is too little room, environ alone is complete. */
static void put_variables(size_t length)
{
	unsetenv(WARM_VARIABLE);
	unsetenv(WARM_ROOM_VARIABLE);
	unsetenv("LD_PRELOAD");
	for (char *text = variables; text < variables + length;
	     text += strlen(text) + 1)
		putenv(text);
}

static void complete(char **environment, size_t length)
{
	struct room room;

	if (!find_room(environment, &room) || !fill_room(environment, &room, length))
		put_variables(length);
}

/* Does not return if no connection comes. Returns the length of the variables. */
static size_t await_connection(const char *wanted)
{
	size_t preload = restore_preload();
	size_t length = sizeof(variables) - 1 - preload;
	char waits = WARM_WAITS;
	int fd;

	if (send(WARM_CHANNEL, &waits, 1, MSG_NOSIGNAL) != 1)
		_exit(0);
	if (pass_receive_up_to(WARM_CHANNEL, variables + preload, &length, &fd) != 1)
		_exit(0);
	variables[preload + length] = '\0';
	if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || (wanted[0] == '2' && dup2(fd, 2) < 0))
		_exit(127);
	close(fd);
	close(WARM_CHANNEL);
	return preload + length;
}

static int warm_main(int argc, char **argv, char **envp)
{
	const char *wanted = getenv(WARM_VARIABLE);

	(void)envp;
	if (wanted != NULL)
		complete(argv + argc + 1, await_connection(wanted));
	return program_main(argc, argv, environ);
}

int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

/*
 * Called by a program's entry point (LSB, Base Definitions); glibc's own calls main().
 */
__attribute__((visibility("default"))) int __libc_start_main(
	main_function *main, int argc, char **argv, void (*init)(void),
	void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	start_function *start;

	*(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
	program_main = main;
	return start(warm_main, argc, argv, init, fini, rtld_fini, stack_end);
}
