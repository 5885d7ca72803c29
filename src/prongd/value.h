/*
 * Parsers for values of prongd's options that are more than a word or a number. Each
 * fills a field of the type named, and needs no other field of the settings.
 */
#ifndef PRONGD_VALUE_H
#define PRONGD_VALUE_H

#include "base/option.h"

#define BANNER_MAX 4096 /* bytes; more would not fit a new connection's buffer */

struct banner {
	const char *text; /* NULL: none */
	char buffer[BANNER_MAX + 1];
};

struct value_keepalive {
	bool off;
	int64_t idle_ms, interval_ms; /* whole seconds, 1 s to 32767 s; 0: not given */
	unsigned count;               /* 1 to 127 */
};

struct value_user_range {
	uint32_t first, count; /* count 0: not given */
};

option_parser value_reuse;       /* unsigned: row's min to max, or "always" */
option_parser value_rate;        /* struct prong_rate */
option_parser value_umask;       /* struct prong_program: umask */
option_parser value_socket_mode; /* mode_t: 001 to 777, octal */
option_parser value_ready_fd;    /* int: a descriptor that is open for writing */
option_parser value_banner;      /* const char *, with its escapes replaced */
option_parser value_keepalive;   /* struct value_keepalive */
option_parser value_user_range;  /* struct value_user_range: ids from 1 up */
option_parser value_log_level;   /* unsigned: the row's min; takes no value */

#endif
