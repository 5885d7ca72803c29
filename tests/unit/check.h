/*
 * What every unit test needs: cmocka with its headers, and the check that a test leaves
 * no process and no descriptor behind.
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

/* Ends the test here; scripts/test prints why. */
#define skip_because(why)                                  \
	do {                                               \
		printf("# skips %s: %s\n", __func__, why); \
		skip();                                    \
	} while (0)

/* A test that must leave no child, dead or alive, and no descriptor; child.c. */
#define promise(function) \
	cmocka_unit_test_setup_teardown(function, note_what_is_open, nothing_is_left)

int note_what_is_open(void **state);
int nothing_is_left(void **state);

/* How many descriptors this process has open. */
int open_descriptors(void);

/*
 * Raises the limit of descriptors, 1024 by default. Returns whether count can be open.
 */
bool can_open(unsigned count);

#endif
