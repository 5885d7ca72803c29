/*
 * RFC 864: sends lines of 72 of the 95 printing characters, each line starting one
 * character further, until the client is gone. Its input is discarded when the
 * connection ends; RFC 864 asks for no more.
 */
#include "service.h"

#define FIRST      ' '
#define CHARACTERS 95 /* from ' ' to '~' */
#define LINE       72
#define LINE_BYTES (LINE + 2) /* CR LF */

int service_chargen(struct prong_conn *conn, void *arg)
{
	/* After this many lines the pattern begins again. */
	char pattern[CHARACTERS][LINE_BYTES];
	int err;

	(void)arg;
	for (int line = 0; line < CHARACTERS; line++) {
		for (int i = 0; i < LINE; i++)
			pattern[line][i] = (char)(FIRST + (line + i) % CHARACTERS);
		pattern[line][LINE] = '\r';
		pattern[line][LINE + 1] = '\n';
	}
	do {
		err = prong_send(conn, pattern, sizeof(pattern));
	} while (err == 0);
	return err;
}
