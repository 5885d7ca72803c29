/*
 * Step 4, sandbox: echo_server whose children can do nothing but read and write.
 * Look at: seccomp's strict mode allows read(2), write(2), exit(2) and sigreturn(2); the
 * kernel kills the process at any other call. The word "open" stands for a bug: with it a
 * client makes the child open /etc/passwd. The argument "bare" leaves the sandbox out.
 *
 *	./sandboxed_server 7007 [bare]
 */
#define _GNU_SOURCE 1
#include "children.h"
#include "echo.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>

static int bare;

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

static void echo_in_sandbox(int fd)
{
	if (!bare && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
		_exit(1); /* better no service than one without its sandbox */
	echo_with_a_bug(fd);
	for (;;)
		syscall(SYS_exit, 0); /* _exit() calls exit_group(2) */
}

int main(int argc, char *argv[])
{
	int listener;

	bare = argc == 3 && strcmp(argv[2], "bare") == 0;
	if (argc != 2 + bare)
		errx(2, "usage: sandboxed_server PORT [bare]");
	reap_children();
	listener = listen_on(argv[1], 0);
	for (;;)
		fork_for_client(listener, echo_in_sandbox);
}
