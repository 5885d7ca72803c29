/*
 * The chapter's split echo client WITH ITS FAULTS: for study, not for use.
 * Look at: docs/chapter.md, which shows each fault. A line "q" ends the client; the end
 * of its input does not. echo_client.c is the same client without the faults.
 *
 *	./chapter_client 127.0.0.1 7007
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUF_SIZE = 30 };

static void read_routine(int sock, char *buf)
{
	int str_len;

	while ((str_len = (int)read(sock, buf, BUF_SIZE)) != 0) {
		buf[str_len] = 0;
		printf("Message from server: %s", buf);
	}
}

static void write_routine(int sock, char *buf)
{
	for (;;) {
		(void)!fgets(buf, BUF_SIZE, stdin);
		if (!strcmp(buf, "q\n") || !strcmp(buf, "Q\n")) {
			shutdown(sock, SHUT_WR);
			return;
		}
		(void)!write(sock, buf, strlen(buf));
	}
}

static void die(const char *message)
{
	fprintf(stderr, "%s\n", message);
	exit(1);
}

int main(int argc, char *argv[])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	char buf[BUF_SIZE];
	int sock;

	if (argc != 3)
		die("usage: chapter_client ADDRESS PORT");
	sock = socket(PF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = inet_addr(argv[1]);
	address.sin_port = htons((in_port_t)atoi(argv[2]));
	if (connect(sock, (struct sockaddr *)&address, sizeof(address)) == -1)
		die("connect() error!");
	if (fork() == 0)
		write_routine(sock, buf);
	else
		read_routine(sock, buf);
	close(sock);
	return 0;
}
