/*
 * Whether a program can be kept warm: whether a preloaded shim gets into it. Reads
 * files, runs nothing.
 */
#ifndef ENGINE_PRELAUNCH_H
#define ENGINE_PRELAUNCH_H

#include <limits.h>

/*
 * Looks at the program, or at a script's interpreter. Returns NULL if it can be kept
 * warm, with the path of what is really executed in binary, or the reason why not, a
 * static string.
 */
const char *prelaunch_refused(const char *path, const char *shim,
			      char binary[PATH_MAX]);

#endif
