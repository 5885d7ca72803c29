/*
 * Exercise 27: take lines out of a stream, however its bytes arrive.
 * read() returns pieces; a line ends where a newline is and nowhere else. A line of more
 * than MOST bytes is refused, because a buffer must have an end.
 *
 *	printf 'one\ntwo\n' | ./lines
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 64 };

int main(void)
{
	char buf[MOST + 1];
	size_t used = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf + used, sizeof(buf) - used)) > 0) {
		char *end;

		used += (size_t)n;
		while ((end = memchr(buf, '\n', used)) != NULL) {
			size_t length = (size_t)(end - buf);

			printf("line of %zu bytes\n", length);
			used -= length + 1;
			memmove(buf, end + 1, used);
		}
		if (used == sizeof(buf)) {
			printf("line of more than %d bytes\n", MOST);
			return 1;
		}
		fflush(stdout);
	}
	if (used > 0)
		printf("%zu bytes without an end of line\n", used);
	return n < 0;
}
