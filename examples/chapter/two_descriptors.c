/*
 * One connection and two descriptors: when does the client see the end?
 * Look at: after fork() parent and child have a descriptor each. close() ends nothing while
 * the other one is open. shutdown() ends the connection, whatever is open.
 *
 *	./two_descriptors
 */
#include <sys/wait.h>
#include <arpa/inet.h>
#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int client, server; /* the two ends of one connection */

static void connect_both_ends(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK); /* and port 0: any free one */
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&at, &(socklen_t){ sizeof(at) }) ||
	    connect(client, (struct sockaddr *)&at, sizeof(at)) ||
	    (server = accept(listener, NULL, NULL)) < 0)
		err(1, "no connection");
	close(listener);
}

static pid_t fork_holder(void)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		close(client);
		pause(); /* with its descriptor of the server's end open */
	}
	return pid;
}

static void look(const char *what)
{
	struct pollfd end = { .fd = client, .events = POLLIN };
	int seen = poll(&end, 1, 200); /* ms; within one machine that is ample */

	printf("%s the client sees %s\n", what, seen ? "the end" : "nothing");
	fflush(stdout);
}

int main(void)
{
	for (int round = 0; round < 2; round++) {
		connect_both_ends();
		pid_t child = fork_holder();
		look("parent and child have it open:");
		if (round == 0 && close(server) == 0)
			look("the parent has called close():");
		else if (shutdown(server, SHUT_WR) == 0)
			look("it has called shutdown():     ");
		kill(child, SIGTERM); /* all descriptors of a process end with it */
		waitpid(child, NULL, 0);
		look("the child has ended:          ");
	}
}
