/*
 * What execve(2) will make of a file, read off its first bytes: a binary of this machine
 * with its loader, or a script with its interpreter. Runs nothing.
 */
#ifndef ENGINE_EXECUTABLE_H
#define ENGINE_EXECUTABLE_H

#include "base/why.h"

/*
 * Checks the file at path and, if it is a script, its interpreters down to a binary.
 * search is the PATH in which env(1), as an interpreter, looks for the next one. A file
 * that cannot be read, and one that may be for an emulator (binfmt_misc), passes.
 * Returns 0; -ENOENT, -EACCES, -ELOOP or -ENOEXEC with a sentence in why, which says
 * what to do.
 */
int executable_check(const char *path, const char *search, struct why *why);

/*
 * Which rights the calling process would gain by execve(2) of path, of a script by its
 * interpreter: "set-user-ID", "set-group-ID" or "file capabilities"; NULL: none.
 */
const char *executable_gains(const char *path);

#endif
