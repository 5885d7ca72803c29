/* Sentences that say why: their bounds, and what is put before and after them. */
#include "base/why.h"

#include <errno.h>
#include <string.h>

#include "check.h"

/* A text of length bytes, all the same letter. */
static const char *letters(char *text, size_t length, char letter)
{
	memset(text, letter, length);
	text[length] = '\0';
	return text;
}

static void it_says_what_it_is_told(void **state)
{
	struct why why;

	(void)state;
	why_set(&why, "port \"%s\" is over %d", "70000", 65535);
	assert_string_equal(why.text, "port \"70000\" is over 65535");
	why_set(&why, "%s", "");
	assert_string_equal(why.text, "");
}

static void failing_returns_the_error(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(why_fail(&why, -ENOENT, "no %s", "file"), -ENOENT);
	assert_string_equal(why.text, "no file");
	assert_int_equal(why_fail(&why, -E2BIG, "too long"), -E2BIG);
	assert_string_equal(why.text, "too long");
}

static void a_call_that_is_refused_is_named_with_a_cure(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(why_call(&why, -ENOMEM, "see", "look(2)"), -ENOMEM);
	assert_string_equal(why.text, "cannot see: look(2): Cannot allocate memory");
	assert_int_equal(why_call(&why, -ENOSYS, "see", "look(2)"), -ENOSYS);
	assert_string_equal(why.text,
			    "cannot see: look(2): Function not implemented: allow "
			    "this call in the container's seccomp profile or in "
			    "systemd's SystemCallFilter=");
	assert_int_equal(why_call(NULL, -EPERM, "see", "look(2)"), -EPERM);
}

static void words_come_before_and_behind(void **state)
{
	struct why why;

	(void)state;
	why_set(&why, "\"x\" is no prefix");
	why_prepend(&why, "%s: ", "allow");
	assert_string_equal(why.text, "allow: \"x\" is no prefix");
	why_append(&why, ", nor is %d", 7);
	assert_string_equal(why.text, "allow: \"x\" is no prefix, nor is 7");
}

static void the_longest_text_that_fits_is_whole(void **state)
{
	char text[2 * WHY_MAX];
	struct why why;

	(void)state;
	why_set(&why, "%s", letters(text, WHY_MAX - 1, 'a'));
	assert_string_equal(why.text, text);
	why_set(&why, "%s", letters(text, WHY_MAX - 3, 'a'));
	why_append(&why, "bc");
	assert_string_equal(why.text + WHY_MAX - 4, "abc");
	why_set(&why, "bc");
	why_prepend(&why, "%s", text);
	assert_string_equal(why.text + WHY_MAX - 4, "abc");
}

static void a_text_that_does_not_fit_ends_in_a_mark(void **state)
{
	char text[2 * WHY_MAX];
	struct why why;

	(void)state;
	why_set(&why, "%s", letters(text, WHY_MAX, 'a'));
	assert_int_equal(strlen(why.text), WHY_MAX - 1);
	assert_string_equal(why.text + WHY_MAX - 5, "a...");
	assert_int_equal(why_fail(&why, -EINVAL, "%s", letters(text, 1000, 'b')),
			 -EINVAL);
	assert_int_equal(strlen(why.text), WHY_MAX - 1);
	assert_string_equal(why.text + WHY_MAX - 5, "b...");
	why_set(&why, "%s", letters(text, WHY_MAX - 2, 'c'));
	why_append(&why, "de");
	assert_int_equal(strlen(why.text), WHY_MAX - 1);
	assert_string_equal(why.text + WHY_MAX - 5, "c...");
	why_set(&why, "%s", letters(text, WHY_MAX - 2, 'f'));
	why_prepend(&why, "before ");
	assert_int_equal(strlen(why.text), WHY_MAX - 1);
	assert_int_equal(strncmp(why.text, "before fff", 10), 0);
	assert_string_equal(why.text + WHY_MAX - 5, "f...");
}

static void a_full_one_takes_nothing_more_and_says_so(void **state)
{
	char text[WHY_MAX];
	struct why why;

	(void)state;
	why_set(&why, "%s", letters(text, WHY_MAX - 1, 'a'));
	why_append(&why, "%s", "");
	assert_string_equal(why.text, text);
	why_append(&why, "b");
	assert_string_equal(why.text + WHY_MAX - 5, "a...");
	why_prepend(&why, "%s", letters(text, WHY_MAX - 1, 'c'));
	assert_string_equal(why.text + WHY_MAX - 5, "c...");
}

static void a_caller_need_not_listen(void **state)
{
	(void)state;
	why_set(NULL, "%s", "lost");
	why_prepend(NULL, "%s", "lost");
	why_append(NULL, "%s", "lost");
	assert_int_equal(why_fail(NULL, -EPERM, "%s", "lost"), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(it_says_what_it_is_told),
		promise(failing_returns_the_error),
		promise(a_call_that_is_refused_is_named_with_a_cure),
		promise(words_come_before_and_behind),
		promise(the_longest_text_that_fits_is_whole),
		promise(a_text_that_does_not_fit_ends_in_a_mark),
		promise(a_full_one_takes_nothing_more_and_says_so),
		promise(a_caller_need_not_listen),
	};

	return cmocka_run_group_tests_name("why", tests, NULL, NULL);
}
