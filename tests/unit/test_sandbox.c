/* The sandbox, as seen by the program whose process becomes the supervisor. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "engine/confine/sandbox.h"
#include "running.h"

/*
 * Not available with sanitizers, nor if the kernel has no seccomp; nothing can be
 * tested then.
 */
static bool is_to_be_had(void *unused)
{
	struct sandbox sandbox = { .on = true };
	pid_t pid = fork();
	int status = 0;

	(void)unused;
	if (pid == 0)
		_exit(sandbox_install(&sandbox) < 0);
	waitpid(pid, &status, 0);
	return status == 0;
}

#define NEEDS_SANDBOX                                                     \
	do {                                                              \
		if (!is_to_be_had(NULL))                                  \
			skip_because("no seccomp, or a sanitized build"); \
	} while (0)

static void a_sandbox_has_a_name(void **state)
{
	struct sandbox sandbox = { .on = false, .landlock = true };

	(void)state;
	assert_string_equal(sandbox_name(&sandbox), "off");
	sandbox.on = true;
	assert_string_equal(sandbox_name(&sandbox), "seccomp+landlock");
	sandbox.landlock = false;
	assert_string_equal(sandbox_name(&sandbox), "seccomp");
}

/* What libraries do in a log function: files, sockets, names. */
static void busy_log(void *arg, const char *line, size_t length)
{
	struct addrinfo *found = NULL;
	FILE *file = fopen("/proc/self/status", "r");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char *memory = realloc(malloc(1 << 20), 8 << 20);

	(void)line, (void)length;
	if (file != NULL && fgetc(file) == 'N' && fclose(file) == 0 && fd >= 0 &&
	    close(fd) == 0 && getaddrinfo("localhost", "7", NULL, &found) == 0 &&
	    memory != NULL)
		++*(int *)arg;
	if (found != NULL)
		freeaddrinfo(found);
	free(memory);
}

static int lines;

static int lines_came(void)
{
	child_must(lines >= 2);
	return 0;
}

static void a_log_function_may_do_what_it_likes(void **state)
{
	struct running running = {
		.handler = echo,
		.after = lines_came,
		.options.sandbox = PRONG_SANDBOX_AUTO,
		.options.log = busy_log,
		.options.log_arg = &lines,
		.options.log_level = PRONG_LOG_VERBOSE,
	};

	(void)state;
	NEEDS_SANDBOX;
	start(&running);
	serves(&running);
	stop(&running);
}

static int fork_works(void)
{
	siginfo_t info;
	pid_t pid = fork();

	child_must(pid >= 0);
	if (pid == 0) {
		int fd = open("/dev/null", O_RDONLY);

		_exit(fd >= 0 && getppid() > 1 && close(fd) == 0 ? 9 : 1);
	}
	child_must(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
	child_must(info.si_code == CLD_EXITED && info.si_status == 9);
	return 0;
}

/* Tried twice, since a signal's return restores a stack that was set before. */
static int alternate_stack_works(void)
{
	static char memory[2][65536];

	for (int i = 0; i < 2; i++) {
		stack_t stack = { .ss_sp = memory[i], .ss_size = sizeof(memory[i]) };
		stack_t now;

		child_must(sigaltstack(&stack, NULL) == 0);
		child_must(sigaltstack(NULL, &now) == 0 && now.ss_sp == memory[i]);
	}
	return 0;
}

static void *no_thread(void *arg)
{
	return arg;
}

/*
 * A program would have the filter but not the gate, so an error is better than its
 * death.
 */
static int what_cannot_work_says_so(void)
{
	static char *const words[] = { "true", NULL }, *const environment[] = { NULL };
	pthread_t thread;
	pid_t pid;

	child_must(posix_spawn(&pid, "/bin/true", NULL, NULL, words, environment) ==
		   ENOSYS);
	child_must(execve("/bin/true", words, environment) == -1 && errno == EPERM);
	child_must(pthread_create(&thread, NULL, no_thread, NULL) != 0);
	child_must(system("true") != 0);
	return 0;
}

static volatile sig_atomic_t caught;

static void catch (int number)
{
	caught = number;
}

/*
 * If it were blocked or had another handler, the trap's signal would end the process.
 */
static int signals_stay_apart(void)
{
	struct sigaction action = { .sa_handler = catch }, found;
	sigset_t all, before, now;

	sigfillset(&all);
	sigfillset(&action.sa_mask);
	child_must(sigprocmask(SIG_BLOCK, &all, &before) == 0);
	child_must(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
	child_must(sigismember(&now, SIGTERM) && !sigismember(&now, SIGSYS));
	child_must(getuid() == geteuid());
	child_must(sigprocmask(SIG_SETMASK, &before, NULL) == 0);
	child_must(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
	child_must(!sigismember(&now, SIGTERM));
	child_must(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0);
	child_must(caught == SIGUSR1);
	child_must(sigaction(SIGUSR1, NULL, &found) == 0 && found.sa_handler == catch);
	child_must(signal(SIGSYS, SIG_DFL) == SIG_ERR && errno == EINVAL);
	child_must(getuid() == geteuid());
	return 0;
}

static int host_goes_on(void)
{
	char path[] = "/tmp/prong-unit-XXXXXX";
	int fd = mkstemp(path), pair[2];
	int before = errno;

	child_must(fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0);
	child_must(unlink(path) == 0);
	child_must(open("/nowhere/at/all", O_RDONLY) == -1 && errno == ENOENT);
	errno = before;
	child_must(getuid() == geteuid() && errno == before);
	child_must(pipe(pair) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
	child_must(signals_stay_apart() == 0);
	child_must(fork_works() == 0);
	child_must(alternate_stack_works() == 0);
	child_must(what_cannot_work_says_so() == 0);
	return 0;
}

static void a_host_goes_on_afterwards(void **state)
{
	struct running running = {
		.handler = echo,
		.after = host_goes_on,
		.options.sandbox = PRONG_SANDBOX_AUTO,
	};

	(void)state;
	NEEDS_SANDBOX;
	start(&running);
	serves(&running);
	stop(&running);
}

static int block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	return sigprocmask(SIG_SETMASK, &all, NULL);
}

static void a_host_that_blocks_all_signals_goes_on_afterwards(void **state)
{
	struct running running = {
		.handler = echo,
		.before = block_all,
		.after = fork_works,
		.options.sandbox = PRONG_SANDBOX_AUTO,
	};

	(void)state;
	NEEDS_SANDBOX;
	start(&running);
	serves(&running);
	stop(&running);
}

static int run_some(void *arg)
{
	static const enum prong_sandbox each[] = { PRONG_SANDBOX_AUTO,
						   PRONG_SANDBOX_AUTO,
						   PRONG_SANDBOX_OFF,
						   PRONG_SANDBOX_AUTO };
	struct running *running = arg;
	int ready = running->options.ready_fd;

	for (size_t i = 0; i < COUNT(each); i++) {
		running->options.ready_fd = dup(ready);
		running->options.sandbox = each[i];
		child_must(run_server(running) == 0);
	}
	return 0;
}

static void servers_run_one_after_the_other_with_it(void **state)
{
	struct running running = { .handler = echo, .run = run_some };

	(void)state;
	NEEDS_SANDBOX;
	start(&running);
	serves(&running);
	for (int i = 1; i < 4; i++) {
		kill(running.pid, SIGTERM);
		read_line(running.ready[0], running.address);
		serves(&running);
	}
	stop(&running);
}

/* -1 if the kernel does not say. */
static int filters_in_force(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[TEXT_MAX];
	int found = -1;

	child_must(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		sscanf(line, "Seccomp_filters: %d", &found);
	fclose(file);
	return found;
}

static int one_filter_is_set(void *arg)
{
	struct sandbox sandbox = { .on = true };
	int before = filters_in_force(); /* a container has its own */

	(void)arg;
	child_must(!sandbox_is_set());
	child_must(sandbox_install(&sandbox) == 0 && sandbox_install(&sandbox) == 0);
	child_must(sandbox_is_set());
	child_must(before < 0 || filters_in_force() == before + 1);
	return 0;
}

static void the_filter_is_set_once(void **state)
{
	struct child_end end;

	(void)state;
	NEEDS_SANDBOX;
	child_run(&end, one_filter_is_set, NULL);
	assert_int_equal(end.status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_sandbox_has_a_name),
		promise(a_log_function_may_do_what_it_likes),
		promise(a_host_goes_on_afterwards),
		promise(a_host_that_blocks_all_signals_goes_on_afterwards),
		promise(servers_run_one_after_the_other_with_it),
		promise(the_filter_is_set_once),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
