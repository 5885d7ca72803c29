/* A resource limit as it is written on the command line: nofile=64, as=512M:1G. */
#ifndef PRONGD_LIMIT_H
#define PRONGD_LIMIT_H

#include <stddef.h>

#include "base/why.h"
#include "prong.h"

/*
 * Reads NAME=SOFT[:HARD]; without HARD the hard limit is SOFT too. Values are numbers,
 * with K, M or G for the powers of 1024, or "unlimited". Returns 0, or -EINVAL with a
 * sentence in why.
 */
int limit_parse(struct prong_rlimit *out, const char *text, struct why *why);

#endif
