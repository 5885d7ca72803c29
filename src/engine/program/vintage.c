#include "vintage.h"

#include <sys/stat.h>

#include <stdio.h>
#include <string.h>

static struct vintage_file look(const char *root, const char *directory,
				const char *path)
{
	char whole[2 * PATH_MAX];
	struct stat file;
	int n;

	if (path[0] == '/' || directory == NULL)
		directory = "";
	n = snprintf(whole, sizeof(whole), "%s%s%s%s", root, directory,
		     directory[0] != '\0' || (root[0] != '\0' && path[0] != '/') ? "/"
										 : "",
		     path);
	if (n < 0 || (size_t)n >= sizeof(whole) || stat(whole, &file) < 0)
		return (struct vintage_file){ 0 };
	return (struct vintage_file){
		.device = file.st_dev,
		.inode = file.st_ino,
		.size = (uint64_t)file.st_size,
		.changed_s = file.st_ctim.tv_sec,
		.changed_ns = file.st_ctim.tv_nsec,
		.modified_s = file.st_mtim.tv_sec,
		.modified_ns = file.st_mtim.tv_nsec,
	};
}

unsigned vintage_look(struct vintage *vintage, const struct program *program,
		      const struct privileges *privileges)
{
	bool moves = privileges != NULL && !privileges->keeps_root &&
		     privileges->options.root != NULL;
	const char *paths[VINTAGE_FILES] = {
		program->path,
		program->binary,
		program->options.warm,
		"/etc/ld.so.cache",
	};
	struct vintage_file now[VINTAGE_FILES];

	for (int i = 0; i < VINTAGE_FILES; i++)
		now[i] = look(moves ? privileges->options.root : "",
			      program->options.directory, paths[i]);
	if (memcmp(now, vintage->files, sizeof(now)) != 0) {
		memcpy(vintage->files, now, sizeof(now));
		vintage->number++;
	}
	return vintage->number;
}
