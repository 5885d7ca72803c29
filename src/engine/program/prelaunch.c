#include "prelaunch.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "entry.h"

#define SCRIPTS_MOST \
	4 /* interpreters that are scripts themselves; the limit of execve(2) */

/*
 * ld.so ignores LD_PRELOAD in programs that gain privileges (ld.so(8), secure
 * execution).
 */
static const char *gains_privileges(int fd)
{
	struct stat file;

	if (fstat(fd, &file) == 0 && (file.st_mode & (S_ISUID | S_ISGID)) != 0)
		return "it is setuid or setgid";
	if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return "it has file capabilities";
	return NULL;
}

/* The shim is linked with glibc; the loader of another libc could not load it. */
static const char *check_loader(int fd, const ElfW(Phdr) * segment)
{
	char loader[PATH_MAX] = { 0 };
	const char *name;

	if (segment->p_filesz >= sizeof(loader) ||
	    pread(fd, loader, segment->p_filesz, (off_t)segment->p_offset) < 0)
		return "its loader cannot be read";
	name = strrchr(loader, '/');
	if (name == NULL || strncmp(name, "/ld-linux", strlen("/ld-linux")) != 0)
		return "it is not linked with glibc";
	return NULL;
}

static const char *check_dynamic(int fd, const ElfW(Ehdr) * header,
				 const ElfW(Phdr) * loader)
{
	const char *why = check_loader(fd, loader);

	if (why == NULL && !entry_is_in_libc(fd, header))
		why = "its entry point is not that of a program linked with libc";
	return why;
}

static const char *check_binary(int fd, const ElfW(Ehdr) * header)
{
	ElfW(Phdr) segment;

	if (header->e_ident[EI_CLASS] !=
	    (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
		return "it is for another kind of machine";
	for (unsigned i = 0; i < header->e_phnum; i++) {
		off_t at = (off_t)(header->e_phoff + i * sizeof(segment));

		if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
			break;
		if (segment.p_type == PT_INTERP)
			return check_dynamic(fd, header, &segment);
	}
	return "it is statically linked";
}

/* One step: examines a binary, or replaces path by a script's interpreter. */
static const char *look(char path[PATH_MAX], int fd)
{
	const char *why = gains_privileges(fd);
	union {
		ElfW(Ehdr) elf;
		char text[PATH_MAX];
	} head = { 0 };
	char *interpreter;

	if (why != NULL)
		return why;
	if (pread(fd, &head, sizeof(head) - 1, 0) < 0)
		return "it cannot be read";
	if (memcmp(head.text, ELFMAG, SELFMAG) == 0) {
		path[0] = '\0';
		return check_binary(fd, &head.elf);
	}
	if (memcmp(head.text, "#!", 2) != 0)
		return "it is not an ELF binary";
	interpreter = head.text + 2 + strspn(head.text + 2, " \t");
	interpreter[strcspn(interpreter, " \t\r\n")] = '\0';
	snprintf(path, PATH_MAX, "%s", interpreter);
	return NULL;
}

/*
 * If ld.so cannot load the shim it goes on without, and the program would run without a
 * client. In LD_PRELOAD it takes a space or a colon for the end of a path, and a dollar
 * sign for the beginning of a name. On some file systems nothing can be executed
 * (mount(8)).
 */
static const char *check_shim(const char *shim)
{
	int fd = open(shim, O_RDONLY | O_CLOEXEC);
	void *text;

	if (fd < 0)
		return "the shim is missing";
	text = mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	close(fd);
	if (text == MAP_FAILED)
		return "the shim cannot be executed";
	munmap(text, 1);
	return strpbrk(shim, " :$") == NULL
		       ? NULL
		       : "the shim's path has a space, a colon or a dollar sign";
}

const char *prelaunch_refused(const char *program, const char *shim,
			      char binary[PATH_MAX])
{
	const char *why = check_shim(shim);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", program);
	for (int i = 0; i <= SCRIPTS_MOST && why == NULL && path[0] != '\0'; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return "it cannot be read";
		memcpy(binary, path, sizeof(path));
		why = look(path, fd);
		close(fd);
	}
	return why;
}
