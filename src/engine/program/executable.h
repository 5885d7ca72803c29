/*
 * Predicts from a file's first bytes what execve(2) will do with it: run a binary of
 * this machine with its loader, or a script with its interpreter. Runs nothing.
 */
#ifndef ENGINE_EXECUTABLE_H
#define ENGINE_EXECUTABLE_H

#include "base/why.h"

/*
 * Checks the file at path and, if it is a script, its interpreters down to a binary.
 * search is the PATH in which env(1), as an interpreter, looks for the next one. A file
 * that cannot be read passes, and so does one that may be for an emulator
 * (binfmt_misc). Returns 0; or -ENOENT, -EACCES, -ELOOP or -ENOEXEC with a sentence in
 * why, which says what to do.
 */
int executable_check(const char *path, const char *search, struct why *why);

/*
 * Which privileges the calling process would gain by execve(2) of path, or of its
 * interpreter if it is a script: "set-user-ID", "set-group-ID" or "file capabilities";
 * NULL: none.
 */
const char *executable_gains(const char *path);

#endif
