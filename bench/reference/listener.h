/*
 * What the reference servers share: a listener on 127.0.0.1, announced on stdout.
 * It never accepts.
 */
#ifndef BENCH_REFERENCE_LISTENER_H
#define BENCH_REFERENCE_LISTENER_H

#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Listens on the port in argv[1]; if it is 0 or missing, the kernel chooses. Exits on
 * failure.
 */
static inline int listener_open(int argc, char **argv)
{
	struct rlimit files;
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons(argc > 1 ? (in_port_t)atoi(argv[1]) : 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* inherited */
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &length) < 0) {
		perror("listen");
		exit(1);
	}
	printf("127.0.0.1:%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

#endif
