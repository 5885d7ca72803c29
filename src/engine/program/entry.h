/* Whether a dynamically linked program starts in libc. */
#ifndef ENGINE_ENTRY_H
#define ENGINE_ENTRY_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>

/*
 * Whether the program, open as fd, imports __libc_start_main(), which calls its main()
 * (LSB, Base Definitions). A program that does not would start without calling the
 * shim. False also if the file cannot be read.
 */
bool entry_is_in_libc(int fd, const ElfW(Ehdr) * header);

#endif
