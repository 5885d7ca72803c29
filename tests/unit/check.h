/*
 * What every unit test needs: cmocka with the headers it asks for, and the promise
 * that a test leaves no process and no descriptor behind.
 */
#ifndef UNIT_CHECK_H
#define UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Ends the test here; scripts/test shows why. */
#define skip_because(why)                                  \
	do {                                               \
		printf("# skips %s: %s\n", __func__, why); \
		skip();                                    \
	} while (0)

/* A test that must leave no child, living or dead, and no descriptor; child.c. */
#define promise(function) \
	cmocka_unit_test_setup_teardown(function, note_what_is_open, nothing_is_left)

int note_what_is_open(void **state);
int nothing_is_left(void **state);

/* How many descriptors this process has open. */
int open_descriptors(void);

/* Raises the limit of descriptors, by default 1024. Returns whether count may be open. */
bool can_open(unsigned count);

#endif
