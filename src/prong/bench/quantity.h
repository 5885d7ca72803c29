/* Times, sizes and counts as people read them, with three significant digits. */
#ifndef PRONG_BENCH_QUANTITY_H
#define PRONG_BENCH_QUANTITY_H

#include <stdint.h>

#define QUANTITY_MAX 32

/* "61.2 us", "1.23 ms", "12.3 s" */
const char *quantity_time(char text[QUANTITY_MAX], uint64_t ns);

/* "64 B", "1.50 KiB", "1.23 GiB" */
const char *quantity_bytes(char text[QUANTITY_MAX], double bytes);

/* "0.5", "12.3", "7288" */
const char *quantity_rate(char text[QUANTITY_MAX], double rate);

#endif
