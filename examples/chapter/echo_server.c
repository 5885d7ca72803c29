/*
 * The chapter's echo server, a process for each connection, without those of its faults
 * that the chapter's means can mend. Look at: the comments, and chapter_server.c.
 *
 *	./echo_server 7007		(and elsewhere: ./echo_client 127.0.0.1 7007)
 */
#include <sys/wait.h>
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void reap(int sig)
{
	int saved = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		; /* one SIGCHLD may mean many exits: go on until none is left */
	errno = saved;
}

static void echo(int fd)
{
	static char buf[64 * 1024];
	ssize_t n, sent, part;

	while ((n = read(fd, buf, sizeof(buf))) > 0)   /* neither the end nor -1 */
		for (sent = 0; sent < n; sent += part) /* a write may be short */
			if ((part = write(fd, buf + sent, (size_t)(n - sent))) < 0)
				return;
}

int main(int argc, char *argv[])
{
	struct sigaction act = { .sa_handler = reap, .sa_flags = SA_RESTART };
	struct sockaddr_in at = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd, on = 1;
	char *end = "";
	unsigned long port = argc == 2 ? strtoul(argv[1], &end, 10) : 65536;

	if (*end != '\0' || port > 65535)
		errx(2, "usage: echo_server PORT (0: any free one)");
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((in_port_t)port);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	sigaction(SIGCHLD, &act, NULL); /* SA_RESTART: no EINTR from accept() */
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, 4096) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &(socklen_t){ sizeof(at) }))
		err(1, "port %lu", port);
	dprintf(STDOUT_FILENO, "listening on 127.0.0.1:%d\n", ntohs(at.sin_port));

	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd >= 0 && fork() == 0) {
			close(listener);
			echo(fd);
			_exit(0);
		}
		if (fd < 0)
			sleep(1); /* no descriptor or memory left: do not spin */
		else
			close(fd); /* or the child's close() would end nothing */
	}
}
