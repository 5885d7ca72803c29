#include "entry.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MOST (64 * 1024 * 1024) /* of names; a program with more is not examined */

/* The offset of a virtual address in the file; -1: it is not there. */
static off_t find_address(int fd, const ElfW(Ehdr) * header, ElfW(Addr) address)
{
	ElfW(Phdr) segment;

	for (unsigned i = 0; i < header->e_phnum; i++) {
		off_t at = (off_t)(header->e_phoff + i * sizeof(segment));

		if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
			return -1;
		if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
		    address - segment.p_vaddr < segment.p_filesz)
			return (off_t)(address - segment.p_vaddr + segment.p_offset);
	}
	return -1;
}

/* Finds address and size of the table of names. Returns whether there is one. */
static bool find_names(int fd, const ElfW(Ehdr) * header, ElfW(Addr) * address,
		       size_t *size)
{
	ElfW(Phdr) segment = { 0 };
	ElfW(Dyn) entry;

	for (unsigned i = 0; i < header->e_phnum && segment.p_type != PT_DYNAMIC; i++)
		if (pread(fd, &segment, sizeof(segment),
			  (off_t)(header->e_phoff + i * sizeof(segment))) !=
		    sizeof(segment))
			return false;
	if (segment.p_type != PT_DYNAMIC)
		return false;
	*address = *size = 0;
	for (size_t at = 0; at + sizeof(entry) <= segment.p_filesz;
	     at += sizeof(entry)) {
		if (pread(fd, &entry, sizeof(entry), (off_t)(segment.p_offset + at)) !=
			    sizeof(entry) ||
		    entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_STRTAB)
			*address = entry.d_un.d_ptr;
		if (entry.d_tag == DT_STRSZ)
			*size = entry.d_un.d_val;
	}
	return *address != 0 && *size > 0 && *size <= TEXT_MOST;
}

bool entry_is_in_libc(int fd, const ElfW(Ehdr) * header)
{
	static const char name[] = "\0__libc_start_main"; /* with the NULs around it */
	ElfW(Addr) address;
	size_t size;
	char *names;
	bool found;

	if (!find_names(fd, header, &address, &size))
		return false;
	names = malloc(size);
	found = names != NULL &&
		pread(fd, names, size, find_address(fd, header, address)) ==
			(ssize_t)size &&
		memmem(names, size, name, sizeof(name)) != NULL;
	free(names);
	return found;
}
