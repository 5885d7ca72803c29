/* Whether a dynamically linked program begins in libc. */
#ifndef ENGINE_ENTRY_H
#define ENGINE_ENTRY_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>

/*
 * Whether the program, open as fd, imports __libc_start_main(), which calls its main() (LSB,
 * Base Definitions). One that does not begins by itself: the shim would not be asked. False
 * also if that cannot be read.
 */
bool entry_is_in_libc(int fd, const ElfW(Ehdr) * header);

#endif
