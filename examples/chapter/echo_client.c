/*
 * The chapter's split client without its faults: one process reads, another writes.
 * Look at: at the end of its input, or at a line q or Q, the client closes its half of
 * the connection and shows what still comes back. When the server closes first, the
 * reading process ends the writing one.
 *
 *	printf 'one\ntwo\n' | ./echo_client 127.0.0.1 7007
 */
#include <sys/prctl.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int write_all(int fd, const char *data, ssize_t left)
{
	for (ssize_t n; left > 0; data += n, left -= n)
		if ((n = write(fd, data, (size_t)left)) < 0)
			return -1;
	return 0;
}

static void write_routine(int sock)
{
	char *line = NULL; /* grows with the line, which may contain zero bytes */
	size_t room = 0;
	ssize_t n;

	while ((n = getline(&line, &room, stdin)) > 0) {
		if ((n == 2 && (line[0] == 'q' || line[0] == 'Q') && line[1] == '\n') ||
		    write_all(sock, line, n) < 0)
			break;
	}
	shutdown(sock, SHUT_WR);
	_exit(0);
}

int main(int argc, char *argv[])
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int sock = socket(AF_INET, SOCK_STREAM, 0);
	char buf[64 * 1024];
	pid_t writer;
	ssize_t n;

	if (argc != 3 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1)
		errx(2, "usage: echo_client ADDRESS PORT");
	to.sin_port = htons((in_port_t)strtoul(argv[2], NULL, 10));
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "%s:%s", argv[1], argv[2]);
	writer = fork();
	if (writer < 0)
		err(1, "fork");
	if (writer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* die with the reader */
		write_routine(sock);
	}
	while ((n = read(sock, buf, sizeof(buf))) > 0)
		if (write_all(STDOUT_FILENO, buf, n) < 0)
			err(1, "stdout");
	if (n < 0)
		warn("read");
	kill(writer, SIGTERM); /* the server has closed: it reads no more */
	waitpid(writer, NULL, 0);
	return n < 0;
}
