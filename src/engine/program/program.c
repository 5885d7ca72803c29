#include "program.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "warm.h"
#include "prelaunch.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static int fail(struct why *why, int error, const char *path, const char *what)
{
	return why_fail(why, -error, "cannot run %.150s: %s", path, what);
}

/* The first bytes tell what execve(2) will take: ELF, or a script and its interpreter. */
static int check_format(const char *path, struct why *why)
{
	char head[256] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *interpreter;
	ssize_t n;

	if (fd < 0)
		return 0; /* executable but not readable: allowed, and not to be judged */
	n = read(fd, head, sizeof(head) - 1);
	close(fd);
	if (n >= 4 && memcmp(head, "\177ELF", 4) == 0)
		return 0;
	if (n < 3 || memcmp(head, "#!", 2) != 0)
		return fail(why, ENOEXEC, path,
			    "neither a binary nor a script (its first line would be "
			    "#!/bin/sh, say)");
	interpreter = head + 2 + strspn(head + 2, " \t");
	interpreter[strcspn(interpreter, " \t\r\n")] = '\0';
	if (access(interpreter, X_OK) < 0)
		return why_fail(why, -errno,
				"cannot run %.120s: its interpreter %.80s: %s", path,
				interpreter, strerror(errno));
	return 0;
}

static int check(const char *path, struct why *why)
{
	struct stat file;

	if (stat(path, &file) < 0)
		return fail(why, errno, path, strerror(errno));
	if (!S_ISREG(file.st_mode))
		return fail(why, EACCES, path, "not a regular file");
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return fail(why, errno, path, "no permission to execute it");
	return check_format(path, why);
}

/* Looks name up in the directories of PATH, as execvp(3) does. */
static int find(struct program *program, const char *name, const char *path,
		struct why *why)
{
	size_t size = sizeof(program->path);

	while (*path != '\0') {
		int length = (int)strcspn(path, ":");
		int n = snprintf(program->path, size, "%.*s%s%s", length, path,
				 length > 0 ? "/" : "", name);

		if (n > 0 && (size_t)n < size && access(program->path, X_OK) == 0)
			return check(program->path, why);
		path += length + (path[length] == ':');
	}
	return fail(why, ENOENT, name, "it is in no directory of PATH");
}

static bool is_variable_name(const char *text, size_t length)
{
	return length > 0 && memchr(text, '=', length) == NULL;
}

static int add_variable(struct program *program, const char *text, struct why *why)
{
	size_t length = strcspn(text, "=");

	if (!is_variable_name(text, length))
		return why_fail(why, -EINVAL, "\"%.60s\" names no variable", text);
	if (text[length] == '\0') {
		/* The environment's own string: NAME=VALUE stands before its value. */
		const char *value = getenv(text);

		if (value == NULL)
			return 0;
		text = value - length - 1;
	}
	if (strncmp(text, "LD_PRELOAD=", 11) == 0 && strlen(text) > WARM_TEXT_MAX / 4)
		return why_fail(why, -E2BIG, "LD_PRELOAD is too long");
	if (program->env_count == PROGRAM_ENV_MAX)
		return why_fail(why, -E2BIG, "more than %d variables",
				PROGRAM_ENV_MAX - 1);
	program->env[program->env_count++] = text;
	return 0;
}

static int locate(struct program *program, struct why *why)
{
	const char *path = program->path_variable + strlen("PATH=");
	const char *name = program->options.argv[0];

	if (strchr(name, '/') == NULL)
		return find(program, name, path, why);
	if (strlen(name) >= sizeof(program->path))
		return fail(why, ENAMETOOLONG, name, "the path is too long");
	memcpy(program->path, name, strlen(name) + 1);
	return check(program->path, why);
}

/* Warm programs wait for their connection alone: there is no attendant to each. */
static int check_prelaunch(const struct program *program, struct why *why)
{
	if (program->options.warm == NULL)
		return 0;
	if (program->options.resolve || program->options.kill_descendants)
		return why_fail(why, -EINVAL,
				"warm goes with neither resolve nor kill-descendants");
	if (strlen(program->options.warm) > WARM_TEXT_MAX / 4)
		return why_fail(why, -ENAMETOOLONG, "the shim's path is too long");
	return 0;
}

int program_prepare(struct program *program, const struct prong_program *options,
		    struct why *why)
{
	const char *path = getenv("PATH");
	int err = 0;

	*program = (struct program){ .options = *options };
	if (options->argv == NULL || options->argv[0] == NULL ||
	    *options->argv[0] == '\0')
		return why_fail(why, -EINVAL, "which program?");
	if (path == NULL)
		path = DEFAULT_PATH;
	if (strlen(path) + sizeof("PATH=") > sizeof(program->path_variable))
		return fail(why, E2BIG, options->argv[0], "PATH is too long");
	snprintf(program->path_variable, sizeof(program->path_variable), "PATH=%s",
		 path);
	program->env[program->env_count++] = program->path_variable;
	for (const char *const *env = options->env; env != NULL && *env != NULL;
	     env++) {
		err = add_variable(program, *env, why);
		if (err < 0)
			return err;
	}
	return check_prelaunch(program, why);
}

int program_find(struct program *program, struct why *why)
{
	int err = locate(program, why);

	if (err == 0 && program->options.warm != NULL)
		program->cold = prelaunch_refused(program->path, program->options.warm);
	return err;
}
