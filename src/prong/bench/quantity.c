#include "quantity.h"

#include <stddef.h>
#include <stdio.h>

struct unit {
	const char *name;
	double size;
};

/*
 * Three digits: 1.23, 12.3, 123; a number with more digits before the point keeps them
 * all.
 */
static int decimals(double value)
{
	if (value < 9.995)
		return 2;
	return value < 99.95 ? 1 : 0;
}

static const char *format(char text[QUANTITY_MAX], double value,
			  const struct unit *units, size_t count)
{
	size_t i = 0;

	/* 999.6 us is 1.00 ms, not 1000 us. */
	while (i + 1 < count && value >= units[i + 1].size * 0.9995)
		i++;
	value /= units[i].size;
	snprintf(text, QUANTITY_MAX, "%.*f %s", decimals(value), value, units[i].name);
	return text;
}

const char *quantity_time(char text[QUANTITY_MAX], uint64_t ns)
{
	static const struct unit units[] = { { "us", 1e3 },
					     { "ms", 1e6 },
					     { "s", 1e9 } };

	return format(text, (double)ns, units, sizeof(units) / sizeof(units[0]));
}

const char *quantity_bytes(char text[QUANTITY_MAX], double bytes)
{
	static const struct unit units[] = {
		{ "KiB", 0x1p10 },
		{ "MiB", 0x1p20 },
		{ "GiB", 0x1p30 },
		{ "TiB", 0x1p40 },
	};

	if (bytes < 1024) {
		snprintf(text, QUANTITY_MAX, "%.0f B", bytes);
		return text;
	}
	return format(text, bytes, units, sizeof(units) / sizeof(units[0]));
}

const char *quantity_rate(char text[QUANTITY_MAX], double rate)
{
	snprintf(text, QUANTITY_MAX, "%.*f", decimals(rate), rate);
	return text;
}
