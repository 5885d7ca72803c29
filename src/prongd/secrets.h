/*
 * Removes secrets from memory: the environment with which prongd was started may hold
 * some (Environment= of a unit), and every worker is a copy of prongd.
 */
#ifndef PRONGD_SECRETS_H
#define PRONGD_SECRETS_H

#include <stddef.h>

/*
 * Overwrites the strings of environment and removes them from it, except the variables
 * that libc or the server still reads and those named in keep, an array of count
 * strings. A name in keep is "NAME"; an entry "NAME=VALUE" keeps nothing.
 */
void secrets_forget(char **environment, const char *const *keep, size_t count);

#endif
