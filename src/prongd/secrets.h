/*
 * The environment that prongd was started with may hold secrets (Environment= of a unit),
 * and every worker is a copy of prongd.
 */
#ifndef PRONGD_SECRETS_H
#define PRONGD_SECRETS_H

#include <stddef.h>

/*
 * Overwrites the strings of environment, which is compacted, but for the variables that
 * libc or the server still reads and those that keep, count strings, names: "NAME";
 * "NAME=VALUE" is none.
 */
void secrets_forget(char **environment, const char *const *keep, size_t count);

#endif
