/*
 * The echo of the references that give a connection all their attention. It never
 * closes.
 */
#ifndef BENCH_REFERENCE_ECHO_H
#define BENCH_REFERENCE_ECHO_H

#include <unistd.h>

/* Echo fd until its end of file or an error. */
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
