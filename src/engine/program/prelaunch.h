/*
 * Whether a program can be kept warm, that is, whether ld.so loads a preloaded shim
 * into it. Reads files and runs nothing.
 */
#ifndef ENGINE_PRELAUNCH_H
#define ENGINE_PRELAUNCH_H

#include <limits.h>

/*
 * Examines the program, or a script's interpreter. Returns NULL if it can be kept warm,
 * with the path of the file that is executed in binary; otherwise the reason, a static
 * string.
 */
const char *prelaunch_refused(const char *path, const char *shim,
			      char binary[PATH_MAX]);

#endif
