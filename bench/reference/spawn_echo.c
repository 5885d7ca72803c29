/*
 * Reference: /bin/cat for every connection, spawned after accept with the connection
 * as its standard input and output.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include "listener.h"

static void reap(int signal)
{
	int saved = errno;

	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

static void spawn_cat(int fd)
{
	char *argv[] = { (char[]){ "cat" }, NULL };
	posix_spawn_file_actions_t actions;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	posix_spawn(&(pid_t){ 0 }, "/bin/cat", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = reap, .sa_flags = SA_RESTART };
	int listener = listener_open(argc, argv);

	sigaction(SIGCHLD, &action, NULL);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		spawn_cat(fd);
		close(fd);
	}
}
