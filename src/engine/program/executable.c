#include "executable.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEPTH_MAX 5   /* nested scripts, the limit of execve(2) */
#define HEAD_MAX  255 /* bytes of a script that execve(2) reads */
#define EMULATORS "/proc/sys/fs/binfmt_misc"

/* Our own ELF header, defined by the linker: shows what this machine runs. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct head {
	union {
		char text[HEAD_MAX + 1];
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr elf32;
		Elf64_Ehdr elf64;
	} at;
	size_t length;
};

static int fail(struct why *why, int error, const char *path, const char *what)
{
	return why_fail(why, -error, "cannot run %.150s: %s", path, what);
}

/* Whether other formats, of any kind, are registered with the kernel. */
static bool has_emulators(void)
{
	DIR *directory = opendir(EMULATORS);
	const struct dirent *entry;
	bool any = false;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		any = any || (entry->d_name[0] != '.' &&
			      strcmp(entry->d_name, "register") != 0 &&
			      strcmp(entry->d_name, "status") != 0);
	if (directory != NULL)
		closedir(directory);
	return any;
}

static bool is_pair(unsigned a, unsigned b, unsigned wide, unsigned narrow)
{
	return (a == wide && b == narrow) || (a == narrow && b == wide);
}

/* A 64-bit kernel may run 32-bit programs too. */
static bool is_for_this_machine(const struct head *head)
{
	unsigned ours = __ehdr_start.e_machine;
	unsigned its = head->at.elf64.e_machine; /* same offset in both */

	if (head->at.ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA])
		return false;
	return its == ours || is_pair(ours, its, EM_X86_64, EM_386) ||
	       is_pair(ours, its, EM_AARCH64, EM_ARM) ||
	       is_pair(ours, its, EM_PPC64, EM_PPC) ||
	       is_pair(ours, its, EM_SPARCV9, EM_SPARC);
}

/* Reads the path of the loader; empty: the binary needs none. */
static void read_loader(int fd, const struct head *head, char loader[PATH_MAX])
{
	bool wide = head->at.ident[EI_CLASS] == ELFCLASS64;
	uint64_t at = wide ? head->at.elf64.e_phoff : head->at.elf32.e_phoff;
	unsigned count = wide ? head->at.elf64.e_phnum : head->at.elf32.e_phnum;
	unsigned size = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	union {
		Elf32_Phdr narrow;
		Elf64_Phdr wide;
	} segment;

	loader[0] = '\0';
	for (unsigned i = 0; i < count; i++, at += size) {
		uint64_t offset, length;
		ssize_t n;

		if (pread(fd, &segment, size, (off_t)at) != (ssize_t)size)
			return;
		if (segment.wide.p_type != PT_INTERP)
			continue;
		offset = wide ? segment.wide.p_offset : segment.narrow.p_offset;
		length = wide ? segment.wide.p_filesz : segment.narrow.p_filesz;
		if (length >= PATH_MAX)
			return;
		n = pread(fd, loader, length, (off_t)offset);
		loader[n > 0 ? n : 0] = '\0';
		return;
	}
}

static int check_binary(const char *path, int fd, const struct head *head,
			struct why *why)
{
	unsigned type = head->at.elf64.e_type; /* at the same offset in both */
	char loader[PATH_MAX];

	if (head->length < sizeof(head->at.elf32))
		return fail(why, ENOEXEC, path, "the file is truncated");
	if (!is_for_this_machine(head))
		return has_emulators() ? 0
				       : fail(why, ENOEXEC, path,
					      "it is for another kind of machine: "
					      "build or install it for this one");
	if (type != ET_EXEC && type != ET_DYN)
		return fail(why, ENOEXEC, path,
			    "it is a binary, but not an executable program");
	read_loader(fd, head, loader);
	if (loader[0] == '\0' || access(loader, X_OK) == 0)
		return 0;
	return why_fail(
		why, -errno,
		"cannot run %.120s: its loader %.80s: %s (install the C library "
		"that it was linked with, or link it statically)",
		path, loader, strerror(errno));
}

static bool is_in_path(const char *name, size_t length, const char *search)
{
	char path[PATH_MAX];

	for (;;) {
		size_t directory = strcspn(search, ":");
		int n = snprintf(path, sizeof(path), "%.*s%s%.*s", (int)directory,
				 search, directory > 0 ? "/" : "", (int)length, name);

		if (n > 0 && (size_t)n < sizeof(path) && access(path, X_OK) == 0)
			return true;
		if (search[directory] == '\0')
			return false;
		search += directory + 1;
	}
}

/*
 * Only "#!/usr/bin/env NAME" is checked: with options or variables env(1) may look
 * elsewhere.
 */
static int check_env(const char *path, const char *argument, const char *search,
		     struct why *why)
{
	size_t length = strcspn(argument, " \t\r");

	if (length == 0 || argument[0] == '-' ||
	    memchr(argument, '=', length) != NULL ||
	    memchr(argument, '/', length) != NULL ||
	    is_in_path(argument, length, search))
		return 0;
	return why_fail(why, -ENOENT,
			"cannot run %.120s: its interpreter \"%.*s\" is not in any "
			"directory of PATH",
			path, (int)(length < 80 ? length : 80), argument);
}

/* Reads the interpreter and its argument from the first line, as execve(2) does. */
static int check_script(const char *path, struct head *head, const char *search,
			char interpreter[PATH_MAX], struct why *why)
{
	char *line = head->at.text + 2;
	size_t length = strcspn(line, "\n");
	bool carriage = length > 0 && line[length - 1] == '\r';
	char *argument;
	const char *name;

	if (line[length] == '\0' && head->length == HEAD_MAX &&
	    strpbrk(line + strspn(line, " \t"), " \t") == NULL)
		return fail(why, ENOEXEC, path, "its first line is too long");
	line[length] = '\0';
	line += strspn(line, " \t");
	argument = line + strcspn(line, " \t");
	if (*argument != '\0')
		*argument++ = '\0';
	argument += strspn(argument, " \t");
	name = strrchr(line, '/');
	name = name == NULL ? line : name + 1;
	if (carriage && (*argument == '\0' || strcmp(name, "env") == 0))
		return fail(why, ENOEXEC, path,
			    "its lines end in CR LF, so the name of its interpreter "
			    "ends in CR: convert the file (sed -i 's/\\r$//')");
	if (*line == '\0')
		return fail(why, ENOEXEC, path, "its first line names no interpreter");
	if (access(line, X_OK) < 0)
		return why_fail(why, -errno,
				"cannot run %.120s: its interpreter %.80s: %s", path,
				line, strerror(errno));
	snprintf(interpreter, PATH_MAX, "%s", line);
	return strcmp(name, "env") == 0 ? check_env(path, argument, search, why) : 0;
}

/* One step: *next becomes the interpreter of a script, or empty. */
static int look(const char *path, const char *search, char next[PATH_MAX],
		struct why *why)
{
	struct head head = { .length = 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int err = 0;

	next[0] = '\0';
	if (fd < 0)
		return 0; /* executable, not readable: allowed, not checked */
	n = pread(fd, head.at.text, HEAD_MAX, 0);
	head.length = n > 0 ? (size_t)n : 0;
	if (n < 0)
		err = fail(why, errno, path, strerror(errno));
	else if (head.length >= SELFMAG && memcmp(head.at.text, ELFMAG, SELFMAG) == 0)
		err = check_binary(path, fd, &head, why);
	else if (head.length >= 2 && memcmp(head.at.text, "#!", 2) == 0)
		err = check_script(path, &head, search, next, why);
	else if (!has_emulators())
		err = fail(why, ENOEXEC, path,
			   "it is neither a binary nor a script (a script begins "
			   "with a line such as #!/bin/sh)");
	close(fd);
	return err;
}

int executable_check(const char *path, const char *search, struct why *why)
{
	char at[PATH_MAX], next[PATH_MAX];

	snprintf(at, sizeof(at), "%s", path);
	for (int depth = 0; at[0] != '\0'; depth++) {
		int err = depth > DEPTH_MAX
				  ? fail(why, ELOOP, path,
					 "its interpreter is a script, whose "
					 "interpreter is a script too, and so on "
					 "without end")
				  : look(at, search, next, why);

		if (err < 0)
			return err;
		memcpy(at, next, sizeof(at));
	}
	return 0;
}

static const char *gains(const char *path)
{
	struct statvfs system;
	struct stat file;

	if (stat(path, &file) < 0 || statvfs(path, &system) < 0 ||
	    (system.f_flag & ST_NOSUID) != 0)
		return NULL;
	if ((file.st_mode & S_ISUID) != 0 && file.st_uid != geteuid())
		return "set-user-ID";
	if ((file.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    file.st_gid != getegid())
		return "set-group-ID";
	return getxattr(path, "security.capability", NULL, 0) > 0 ? "file capabilities"
								  : NULL;
}

/* The set-ID bits of a script have no effect; those of its interpreter do. */
const char *executable_gains(const char *path)
{
	char at[PATH_MAX], next[PATH_MAX];
	struct why unused;

	snprintf(at, sizeof(at), "%s", path);
	for (int depth = 0; depth <= DEPTH_MAX; depth++) {
		if (look(at, "", next, &unused) < 0 || next[0] == '\0')
			return gains(at);
		memcpy(at, next, sizeof(at));
	}
	return NULL;
}
