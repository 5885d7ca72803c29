/*
 * A calculator for the network: each line is an expression of whole numbers with
 * + - * / ^ and parentheses. It checks as little as many programs do, and clients can
 * make their worker crash or hang; all other clients go on calculating.
 *
 *	./calculator [ADDRESS [SECONDS]]	127.0.0.1:7007, 60 seconds a session
 *
 * Connect twice (nc 127.0.0.1 7007). Leave one client alone, and in the other try
 *
 *	6*7		42
 *	1/0		not checked: the worker dies of SIGFPE
 *	2^99999999999	hours of work: ended by the session timeout
 *	((((...		300,000 of them: the stack overflows, SIGSEGV
 *
 * The log on stderr shows how each session ended: reason=crash-signal signal=FPE,
 * reason=deadline. The other client still gets its answers. Memory that a handler does
 * not free is gone when its process is.
 */
#include <prong.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE (1024 * 1024)

static long long sum(const char **text);

/* The recursion has no limit: each "(" takes its share of the stack. */
static long long atom(const char **text)
{
	long long value;

	if (**text != '(')
		return strtoll(*text, (char **)text, 10);
	++*text;
	value = sum(text);
	*text += **text == ')';
	return value;
}

static long long power(const char **text)
{
	long long value = 1, base = atom(text), exponent = 1;

	if (**text == '^' && ++*text)
		exponent = power(text);
	for (; exponent > 0; exponent--)
		value *= base;
	return value;
}

static long long product(const char **text)
{
	long long value = power(text);

	while (**text == '*' || **text == '/')
		if (*(*text)++ == '*')
			value *= power(text);
		else
			value /= power(text);
	return value;
}

static long long sum(const char **text)
{
	long long value = product(text);

	while (**text == '+' || **text == '-')
		value += *(*text)++ == '+' ? product(text) : -product(text);
	return value;
}

static int calculate(struct prong_conn *conn, void *arg)
{
	static char line[LINE_SIZE];
	size_t length = 0;
	ssize_t n;
	char *end;

	(void)arg;
	while ((n = prong_recv(conn, line + length, LINE_SIZE - 1 - length)) > 0) {
		length += (size_t)n;
		line[length] = '\0';
		while ((end = strchr(line, '\n')) != NULL) {
			const char *rest = line;
			char *text = malloc(32);
			int size = snprintf(text, 32, "%lld\n", sum(&rest));

			if (prong_send(conn, text, (size_t)size) < 0)
				return -1;
			length -= (size_t)(end + 1 - line);
			memmove(line, end + 1, length + 1);
		}
	}
	return (int)n;
}

int main(int argc, char **argv)
{
	const char *listen[] = { argc > 1 ? argv[1] : "127.0.0.1:7007", NULL };
	char error[PRONG_ERROR_MAX];
	struct prong_options options = {
		.size = sizeof(options),
		.listen = listen,
		.session_timeout = argc > 2 ? 1000 * strtoll(argv[2], NULL, 10) : 60000,
		.log_fd = 2,
		.log_level = PRONG_LOG_VERBOSE,
		.error = error,
		.error_size = sizeof(error),
	};
	struct prong *server;

	if (prong_open(&server, &options, calculate, NULL) < 0)
		return fprintf(stderr, "calculator: %s\n", error), 1;
	prong_run(server);
	prong_close(server);
	return 0;
}
