/*
 * Exercise 25: read a port as a whole number from 1 to 65535, and refuse anything else.
 * strtoul() alone takes spaces, signs and an empty string, so the digits are looked at.
 *
 *	./port_of 7007
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the port, or 0 if text is none. */
static unsigned port_of(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port;

	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return 0;
	port = strtoul(text, NULL, 10);
	return port <= 65535 ? (unsigned)port : 0;
}

int main(int argc, char *argv[])
{
	unsigned port = argc == 2 ? port_of(argv[1]) : 0;

	if (port == 0) {
		fprintf(stderr, "usage: port_of PORT (1 to 65535)\n");
		return 2;
	}
	printf("%u\n", port);
	return 0;
}
