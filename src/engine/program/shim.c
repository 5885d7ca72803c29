/*
 * The shim that keeps a program warm: preloaded, it stops before main() and waits for a
 * connection, so that exec and dynamic linking are over when a client comes. When
 * main() begins, standard input and output are the connection, the environment is
 * complete, and nothing of the shim's shows in it. See warm.h.
 *
 * Lives in other people's programs: uses libc alone, allocates nothing, and in a
 * program that was not started by prongd does nothing at all.
 */
#include <sys/socket.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pass.h"
#include "warm.h"

typedef int main_function(int, char **, char **);
typedef int start_function(main_function *, int, char **, void (*)(void),
			   void (*)(void), void (*)(void), void *);

static main_function *program_main;
static char variables[WARM_TEXT_MAX]; /* of the connection; environ points here */

/* ld.so has done with it; what the administrator asked to preload is put back. */
static void restore_preload(void)
{
	char *preload = getenv("LD_PRELOAD");
	char *others = preload != NULL ? strchr(preload, ':') : NULL;

	if (others != NULL)
		setenv("LD_PRELOAD", others + 1, 1);
	else
		unsetenv("LD_PRELOAD");
}

static void take_variables(size_t length)
{
	for (char *text = variables; text < variables + length;
	     text += strlen(text) + 1)
		putenv(text);
}

/* Does not return when no connection comes. */
static void await_connection(const char *wanted)
{
	size_t length = sizeof(variables) - 1;
	char waits = WARM_WAITS;
	int fd;

	if (send(WARM_CHANNEL, &waits, 1, MSG_NOSIGNAL) != 1)
		_exit(0);
	if (pass_receive_up_to(WARM_CHANNEL, variables, &length, &fd) != 1)
		_exit(0);
	variables[length] = '\0';
	if (dup2(fd, 0) < 0 || dup2(fd, 1) < 0 || (wanted[0] == '2' && dup2(fd, 2) < 0))
		_exit(127);
	close(fd);
	close(WARM_CHANNEL);
	unsetenv(WARM_VARIABLE);
	restore_preload();
	take_variables(length);
}

static int warm_main(int argc, char **argv, char **envp)
{
	const char *wanted = getenv(WARM_VARIABLE);

	(void)envp;
	if (wanted != NULL)
		await_connection(wanted);
	return program_main(argc, argv, environ);
}

int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

/* What a program's entry point calls (LSB, Base Definitions); glibc calls main(). */
__attribute__((visibility("default"))) int __libc_start_main(
	main_function *main, int argc, char **argv, void (*init)(void),
	void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	start_function *start;

	*(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
	program_main = main;
	return start(warm_main, argc, argv, init, fini, rtld_fini, stack_end);
}
