/*
 * Whether a program can be kept warm: whether a preloaded shim gets into it. Reads
 * files, runs nothing.
 */
#ifndef ENGINE_PRELAUNCH_H
#define ENGINE_PRELAUNCH_H

/*
 * Looks at the program, or at a script's interpreter. Returns NULL if it can be kept
 * warm, or the reason why not, a static string.
 */
const char *prelaunch_refused(const char *path, const char *shim);

#endif
