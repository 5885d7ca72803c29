/*
 * Exercise 14: sigchld_reap without a handler. SIGCHLD stays blocked, and a signalfd
 * hands it over as data: read() returns when it is pending. Nothing interrupts main().
 *
 *	./reap_signalfd
 */
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { CHILDREN = 9 };

int main(void)
{
	struct signalfd_siginfo info;
	int fd, reads = 0, reaped = 0;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	fd = signalfd(-1, &child, SFD_CLOEXEC);
	if (fd < 0) {
		perror("signalfd");
		return 1;
	}
	for (int i = 0; i < CHILDREN; i++)
		if (fork() == 0)
			_exit(i);
	while (reaped < CHILDREN && read(fd, &info, sizeof(info)) == sizeof(info)) {
		reads++;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			reaped++; /* one SIGCHLD may stand for many exits, here too */
	}
	printf("%d children ended, %d reaped, SIGCHLD read %s\n", CHILDREN, reaped,
	       reads <= CHILDREN ? "at most once for each" : "too often");
	close(fd);
	return 0;
}
