/*
 * Step 4, sandbox: echo_server whose children can do nothing but read and write.
 * Look at: seccomp's strict mode allows read(2), write(2), exit(2) and sigreturn(2); the
 * kernel kills the process at any other call. The word "open" stands for a bug: with it a
 * client makes the child open /etc/passwd. The argument "bare" leaves the sandbox out.
 *
 *	./sandboxed_server 7007 [bare]
 */
#define _GNU_SOURCE 1
#include "echo.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>

static void reap(int sig)
{
	int saved = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

/* What a client can make of a bug: any system call. */
static void break_in(int fd)
{
	char line[64];
	int file = open("/etc/passwd", O_RDONLY);

	write_all(fd, line, read(file, line, sizeof(line)));
}

static void echo_with_a_bug(int fd)
{
	static char buf[64 * 1024];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (n >= 4 && memcmp(buf, "open", 4) == 0)
			break_in(fd);
		if (write_all(fd, buf, n) < 0)
			return;
	}
}

static _Noreturn void serve(int listener, int fd, int bare)
{
	close(listener); /* before the sandbox, which forbids close(2) */
	if (!bare && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
		_exit(1); /* better no service than one without its sandbox */
	echo_with_a_bug(fd);
	for (;;)
		syscall(SYS_exit, 0); /* _exit() calls exit_group(2) */
}

int main(int argc, char *argv[])
{
	struct sigaction act = { .sa_handler = reap, .sa_flags = SA_RESTART };
	int bare = argc == 3 && strcmp(argv[2], "bare") == 0, listener, fd;

	if (argc != 2 + bare)
		errx(2, "usage: sandboxed_server PORT [bare]");
	sigaction(SIGCHLD, &act, NULL);
	listener = listen_on(argv[1]);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd >= 0 && fork() == 0)
			serve(listener, fd, bare);
		if (fd < 0)
			sleep(1); /* no descriptor or memory left: do not spin */
		else
			close(fd);
	}
}
