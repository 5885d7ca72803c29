/*
 * The echo of the reference servers that serve one connection at a time per process. It
 * never closes.
 */
#ifndef BENCH_REFERENCE_ECHO_H
#define BENCH_REFERENCE_ECHO_H

#include <unistd.h>

/* Echoes fd until its end of file or an error. */
static inline void echo_until_end(int fd)
{
	static char buffer[65536];
	ssize_t got;

	while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t done = 0, n; done < got; done += n) {
			n = write(fd, buffer + done, (size_t)(got - done));
			if (n < 0)
				return;
		}
	}
}

#endif
