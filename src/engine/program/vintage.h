/*
 * Whether the files from which a warm program was started are still those from which it
 * would be started now: the program's file, its interpreter, the shim, and the cache of
 * libraries (ld.so(8)), which an upgrade of libraries renews.
 */
#ifndef ENGINE_VINTAGE_H
#define ENGINE_VINTAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "engine/confine/privileges.h"
#include "program.h"

#define VINTAGE_FILES 4

/* All zero if the file does not exist or cannot be seen from here. */
struct vintage_file {
	uint64_t device, inode, size;
	int64_t changed_s, changed_ns;   /* ctime, which no program can set back */
	int64_t modified_s, modified_ns; /* mtime */
};

/* Zeroed at first. */
struct vintage {
	unsigned number;
	struct vintage_file files[VINTAGE_FILES];
};

/*
 * Looks at the files of program, in the root directory that privileges (NULL: none)
 * give it. Returns the number of the vintage, which changes if any file has changed
 * since the last look.
 */
unsigned vintage_look(struct vintage *vintage, const struct program *program,
		      const struct privileges *privileges);

#endif
