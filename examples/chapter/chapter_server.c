/*
 * The chapter's echo server WITH ITS FAULTS: for study, not for use.
 * Look at: docs/chapter.md, which shows each fault. The server listens on every
 * interface. echo_server.c is the same server without the faults.
 *
 *	./chapter_server 7007 &		(port 0: a free one, which it prints)
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUF_SIZE = 30, BACKLOG = 5 };

static void read_childproc(int sig)
{
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	(void)sig;
	printf("removed proc id: %d\n", (int)pid);
}

static void die(const char *message)
{
	fprintf(stderr, "%s\n", message);
	exit(1);
}

int main(int argc, char *argv[])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct sigaction act = { .sa_handler = read_childproc };
	socklen_t size = sizeof(address);
	int listener, client, str_len;
	char buf[BUF_SIZE];

	if (argc != 2)
		die("usage: chapter_server PORT");
	sigaction(SIGCHLD, &act, NULL);
	listener = socket(PF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_ANY);
	address.sin_port = htons((in_port_t)atoi(argv[1]));
	if (bind(listener, (struct sockaddr *)&address, size) == -1)
		die("bind() error");
	if (listen(listener, BACKLOG) == -1)
		die("listen() error");
	getsockname(listener, (struct sockaddr *)&address, &size);
	dprintf(STDOUT_FILENO, "listening on 0.0.0.0:%d\n", ntohs(address.sin_port));
	for (;;) {
		client = accept(listener, NULL, NULL);
		if (client == -1)
			continue;
		puts("new client connected...");
		if (fork() == 0) {
			close(listener);
			while ((str_len = (int)read(client, buf, BUF_SIZE)) != 0)
				(void)!write(client, buf, (size_t)str_len);
			puts("client disconnected...");
			return 0;
		}
		close(client);
	}
}
