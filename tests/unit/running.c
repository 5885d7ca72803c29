#include "running.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "pair.h"

static const char *const any_port[] = { "127.0.0.1:0", NULL };

int run_server(void *arg)
{
	struct running *running = arg;
	struct prong *server = NULL;

	child_must(running->before == NULL || running->before() == 0);
	child_must(prong_open(&server, &running->options, running->handler, "arg") ==
		   0);
	child_must(prong_run(server) == 0);
	prong_close(server);
	child_must(running->after == NULL || running->after() == 0);
	return 0;
}

static int run(void *arg)
{
	struct running *running = arg;

	close(running->ready[0]);
	close(running->log[0]);
	running->options.log_fd = running->log[1];
	if (running->options.ready_fd > 0) {
		dup2(running->ready[1], running->options.ready_fd);
		close(running->ready[1]);
	} else {
		running->options.ready_fd = running->ready[1];
	}
	return running->run != NULL ? running->run(arg) : run_server(arg);
}

void read_line(int fd, char line[TEXT_MAX])
{
	size_t length = 0;

	do {
		assert_int_equal(read(fd, line + length, 1), 1);
		assert_true(length < TEXT_MAX - 1);
	} while (line[length++] != '\n');
	line[length - 1] = '\0';
}

void start(struct running *running)
{
	running->options.size = sizeof(running->options);
	if (running->options.listen == NULL)
		running->options.listen = any_port;
	assert_int_equal(pipe(running->ready), 0);
	assert_int_equal(pipe(running->log), 0);
	running->pid = child_start(run, running);
	close(running->ready[1]);
	close(running->log[1]);
	read_line(running->ready[0], running->address);
}

void stopped(struct running *running)
{
	int status = child_wait(running->pid);

	close(running->ready[0]);
	close(running->log[0]);
	assert_int_equal(status, 0);
}

void stop(struct running *running)
{
	kill(running->pid, SIGTERM);
	stopped(running);
}

int join(const struct running *running)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((in_port_t)atoi(strchr(running->address, ':') + 1)),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

int echo(struct prong_conn *conn, void *arg)
{
	char buffer[4096];
	ssize_t n;

	(void)arg;
	while ((n = prong_recv(conn, buffer, sizeof(buffer))) > 0)
		if (prong_send(conn, buffer, (size_t)n) < 0)
			return -EPIPE;
	return (int)n;
}

void echoes(int fd)
{
	char back[5];

	assert_int_equal(write(fd, "hello", 5), 5);
	pair_read(fd, back, 5);
	assert_memory_equal(back, "hello", 5);
}

void serves(const struct running *running)
{
	int fd = join(running);

	echoes(fd);
	close(fd);
}

void read_log(const struct running *running, char *text, size_t size)
{
	size_t length = 0;
	ssize_t n;

	while ((n = read(running->log[0], text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
}

void say(struct prong_conn *conn, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	prong_send(conn, text, (size_t)length);
}

static void note_signal(int number)
{
	(void)number;
}

/* Signal settings that a host program may have made. */
int set_signals(void)
{
	struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART };
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGTSTP);
	sigaddset(&action.sa_mask, SIGHUP);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	return 0;
}

int signals_are_as_set(void)
{
	struct sigaction action;
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number < 32; number++)
		child_must(sigismember(&mask, number) ==
			   (number == SIGUSR2 || number == SIGTSTP));
	sigaction(SIGUSR1, NULL, &action);
	child_must(action.sa_handler == note_signal);
	child_must(action.sa_flags & SA_RESTART);
	child_must(sigismember(&action.sa_mask, SIGHUP));
	sigaction(SIGTERM, NULL, &action);
	child_must(action.sa_handler == note_signal);
	sigaction(SIGPIPE, NULL, &action);
	child_must(action.sa_handler == SIG_IGN);
	sigaction(SIGCHLD, NULL, &action);
	child_must(action.sa_handler == SIG_IGN);
	sigaction(SIGINT, NULL, &action);
	child_must(action.sa_handler == SIG_DFL);
	return 0;
}
