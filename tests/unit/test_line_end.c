#include "prong/line_end.h"

#include <string.h>

#include "check.h"

static const struct {
	const char *input, *output;
} rows[] = {
	{ "", "" },
	{ "one", "one" },
	{ "one\n", "one\r\n" },
	{ "\n\n", "\r\n\r\n" },
	{ "one\r\ntwo\n", "one\r\ntwo\r\n" },
	{ "one\r\n\r\n\n", "one\r\n\r\n\r\n" },
	{ "cr\ralone\r", "cr\ralone\r" },
	{ "\r\r\n", "\r\r\n" },
	{ "\n\r", "\r\n\r" },
};

/* Converts the row in parts of this size. */
static void check_row(size_t row, size_t part)
{
	struct line_end line_end = { 0 };
	size_t length = strlen(rows[row].input);
	size_t used = 0;
	char out[64];

	for (size_t i = 0; i < length; i += part) {
		size_t n = length - i < part ? length - i : part;

		used += line_end_convert(&line_end, out + used, rows[row].input + i, n);
	}
	assert_int_equal(used, strlen(rows[row].output));
	assert_memory_equal(out, rows[row].output, used);
}

static void each_line_ends_in_one_cr_lf_however_the_input_is_cut(void **state)
{
	(void)state;
	for (size_t row = 0; row < COUNT(rows); row++)
		for (size_t part = 1; part <= 8; part++)
			check_row(row, part);
}

static void other_bytes_stay_as_they_are(void **state)
{
	struct line_end line_end = { 0 };
	char data[256], out[2 * sizeof(data)];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i == '\n' ? 0 : i);
	n = line_end_convert(&line_end, out, data, sizeof(data));
	assert_int_equal(n, sizeof(data));
	assert_memory_equal(out, data, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(each_line_ends_in_one_cr_lf_however_the_input_is_cut),
		promise(other_bytes_stay_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
