#include "program.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "executable.h"
#include "warm.h"
#include "prelaunch.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define VARIABLE_MAX (128 * 1024) /* bytes, the limit of execve(2) */

static int fail(struct why *why, int error, const char *path, const char *what)
{
	return why_fail(why, -error, "cannot run %.150s: %s", path, what);
}

static bool is_executable(const char *path)
{
	struct stat file;

	return stat(path, &file) == 0 && S_ISREG(file.st_mode) &&
	       faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

static int check(const struct program *program, struct why *why)
{
	const char *path = program->path;
	struct stat file;

	if (stat(path, &file) < 0)
		return fail(why, errno, path, strerror(errno));
	if (!S_ISREG(file.st_mode))
		return fail(why, EACCES, path, "not a regular file");
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return fail(why, errno, path,
			    errno == EACCES ? "no permission to execute it"
					    : strerror(errno));
	/* The first variable is PATH as the program receives it. */
	return executable_check(path, program->env[0] + strlen("PATH="), why);
}

/* Looks up name in the directories of PATH, as execvp(3) does. */
static int find(struct program *program, const char *name, struct why *why)
{
	const char *path = program->search;
	size_t size = sizeof(program->path);

	while (*path != '\0') {
		int length = (int)strcspn(path, ":");
		int n = snprintf(program->path, size, "%.*s%s%s", length, path,
				 length > 0 ? "/" : "", name);

		if (n > 0 && (size_t)n < size && is_executable(program->path))
			return check(program, why);
		path += length + (path[length] == ':');
	}
	return fail(why, ENOENT, name, "it is not in any directory of PATH");
}

static bool is_variable_name(const char *text, size_t length)
{
	return length > 0 && memchr(text, '=', length) == NULL;
}

/* The index of the variable with this name; for a new one, the next free index. */
static unsigned find_variable(const struct program *program, const char *name,
			      size_t length)
{
	unsigned i = 0;

	while (i < program->env_count && (strncmp(program->env[i], name, length) != 0 ||
					  program->env[i][length] != '='))
		i++;
	return i;
}

/* If a name is given several times, the last one counts. */
static int add_variable(struct program *program, const char *text, struct why *why)
{
	size_t length = strcspn(text, "=");
	unsigned at;

	if (!is_variable_name(text, length))
		return why_fail(why, -EINVAL,
				"\"%.60s\" is not a variable: write NAME=VALUE or NAME",
				text);
	if (text[length] == '\0') {
		/*
		 * Points into the environment itself: "NAME=" stands before the value.
		 */
		const char *value = getenv(text);

		if (value == NULL)
			return 0;
		text = value - length - 1;
	}
	if (strncmp(text, "LD_PRELOAD=", 11) == 0 && strlen(text) > WARM_TEXT_MAX / 4)
		return why_fail(why, -E2BIG, "LD_PRELOAD is too long");
	if (strlen(text) >= VARIABLE_MAX)
		return why_fail(why, -E2BIG, "the variable %.*s is over %d KiB",
				(int)(length < 60 ? length : 60), text,
				VARIABLE_MAX / 1024);
	at = find_variable(program, text, length);
	if (at == PROGRAM_ENV_MAX)
		return why_fail(why, -E2BIG,
				"more than %d environment variables are given",
				PROGRAM_ENV_MAX - 1);
	program->env[at] = text;
	if (at == program->env_count)
		program->env_count++;
	return 0;
}

static int locate(struct program *program, struct why *why)
{
	const char *name = program->options.argv[0];

	if (strchr(name, '/') == NULL)
		return find(program, name, why);
	if (strlen(name) >= sizeof(program->path))
		return fail(why, ENAMETOOLONG, name, "the path is too long");
	memcpy(program->path, name, strlen(name) + 1);
	return check(program, why);
}

/* A warm program is executed before it has a client, and has no monitor. */
static int check_prelaunch(const struct program *program, struct why *why)
{
	if (program->options.warm == NULL)
		return 0;
	if (program->options.resolve || program->options.kill_descendants)
		return why_fail(why, -EINVAL,
				"warm cannot be combined with resolve or "
				"kill-descendants");
	if (strlen(program->options.warm) > WARM_TEXT_MAX / 4)
		return why_fail(why, -ENAMETOOLONG, "the shim's path is too long");
	return 0;
}

static int check_options(const struct prong_program *program, unsigned spare,
			 struct why *why)
{
	int64_t grace = program->hangup_grace;

	if (grace < 0 || grace > NUMBER_DURATION_MAX_MS)
		return why_fail(why, -EINVAL,
				"hangup_grace is negative or over ten years");
	if (grace != 0 && program->ignore_hangup)
		return why_fail(why, -EINVAL,
				"hangup_grace has no effect with ignore_hangup");
	if (program->warm == NULL && spare > 0)
		return why_fail(why, -EINVAL,
				"spare has no effect on a program without warm");
	if (program->warm != NULL && spare == 0)
		return why_fail(why, -EINVAL, "warm needs spare to be at least 1");
	if (!program->set_umask && program->umask != 0)
		return why_fail(why, -EINVAL, "umask needs set_umask");
	return 0;
}

int program_prepare(struct program *program, const struct prong_program *options,
		    unsigned spare, struct why *why)
{
	const char *path = getenv("PATH");
	/* Points into the environment itself: "PATH=" stands before the value. */
	const char *variable = path != NULL ? path - strlen("PATH=") : DEFAULT_PATH;
	int err = check_options(options, spare, why);

	*program = (struct program){ .options = *options };
	if (err < 0)
		return err;
	if (options->argv == NULL || options->argv[0] == NULL ||
	    *options->argv[0] == '\0')
		return why_fail(why, -EINVAL, "no program is given");
	program->search = variable + strlen("PATH=");
	err = add_variable(program, variable, why);
	for (const char *const *env = options->env;
	     err == 0 && env != NULL && *env != NULL; env++)
		err = add_variable(program, *env, why);
	return err == 0 ? check_prelaunch(program, why) : err;
}

int program_find(struct program *program, struct why *why)
{
	const char *directory = program->options.directory;
	int err;

	if (directory != NULL && chdir(directory) < 0)
		return why_fail(why, -errno, "cannot start in %.150s: %s", directory,
				strerror(errno));
	err = locate(program, why);
	if (err == 0)
		program->gains = executable_gains(program->path);
	if (err == 0 && program->options.warm != NULL)
		program->cold = prelaunch_refused(program->path, program->options.warm,
						  program->binary);
	return err;
}
