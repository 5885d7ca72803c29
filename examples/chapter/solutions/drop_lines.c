/*
 * Exercise 29: a log that never waits for its reader. The pipe is nonblocking; a line that
 * finds it full is dropped and counted. A line of at most PIPE_BUF bytes is written whole
 * or not at all, so no line is torn. The reader here reads after all lines were written.
 *
 *	./drop_lines
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINES = 10000 };

int main(void)
{
	static const char line[] = "event=connect peer=127.0.0.1:39762\n";
	int channel[2], written = 0, dropped = 0, read_back = 0;
	char back[sizeof(line) - 1];

	if (pipe2(channel, O_NONBLOCK) < 0) {
		perror("pipe2");
		return 1;
	}
	for (int i = 0; i < LINES; i++) {
		if (write(channel[1], line, strlen(line)) > 0)
			written++;
		else if (errno == EAGAIN)
			dropped++;
	}
	while (read(channel[0], back, sizeof(back)) == sizeof(back) &&
	       memcmp(back, line, sizeof(back)) == 0)
		read_back++;
	printf("%d written, %d dropped, %d read back whole\n", written, dropped,
	       read_back);
	return written + dropped != LINES || read_back != written;
}
