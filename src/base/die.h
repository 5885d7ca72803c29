/* How a program ends after a failure. The library never uses this. */
#ifndef BASE_DIE_H
#define BASE_DIE_H

#define EXIT_FAILED 1 /* could not start, or failed */
#define EXIT_USAGE  2 /* bad usage */

/* Writes "program: message\n" on stderr and exits with code. */
_Noreturn void die(int code, const char *program, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
