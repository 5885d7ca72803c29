/*
 * What else the four steps have in common with echo_server: how it accepts a client,
 * forks a process for it, and reaps that process.
 */
#ifndef STEPS_CHILDREN_H
#define STEPS_CHILDREN_H

#include <sys/socket.h>
#include <sys/wait.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void reap_all(int sig)
{
	int saved = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

/* From now on each child is reaped when it ends. */
static inline void reap_children(void)
{
	struct sigaction act = { .sa_handler = reap_all, .sa_flags = SA_RESTART };

	sigaction(SIGCHLD, &act, NULL);
}

/* Waits for the next client and returns its descriptor. */
static int accept_client(int listener)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) < 0)
		sleep(1); /* no descriptor or memory left: do not spin */
	return fd;
}

/* Forks a process that calls serve() for the next client. Returns its pid, or -1. */
static inline pid_t fork_for_client(int listener, void (*serve)(int fd))
{
	int fd = accept_client(listener);
	pid_t pid = fork();

	if (pid == 0) {
		close(listener);
		serve(fd);
		_exit(0);
	}
	close(fd);
	return pid;
}

#endif
