/*
 * The environment of one run of a program: what the administrator gave, then what is
 * known of the connection. See prong.h, struct prong_program, for the names; they
 * are UCSPI's (ucspi-tcp(5)), xinetd's and systemd's.
 */
#ifndef ENGINE_ENVIRONMENT_H
#define ENGINE_ENVIRONMENT_H

#include "warm.h"
#include "engine/record/client.h"
#include "program.h"

#define ENVIRONMENT_OWN 16 /* variables of ours, at most */

struct environment {
	const char *at[PROGRAM_ENV_MAX + ENVIRONMENT_OWN + 1]; /* NULL-terminated */
	unsigned count;
	char text[WARM_TEXT_MAX];
	size_t used;
};

/*
 * Fills it for client, who has as many connections open. Points into program and
 * into itself. What the administrator gave does not replace what we know. With
 * program->options.resolve it looks names up, which may take long.
 */
void environment_fill(struct environment *environment, const struct program *program,
		      const struct client *client, unsigned connections);

/*
 * Adds USER and LOGNAME to it, the number of a program's own user, unless the
 * administrator gave them; 0: it has none of its own.
 */
void environment_add_user(struct environment *environment,
			  const struct program *program, uid_t uid);

/*
 * The one of a program that is kept warm, as that user: what the administrator gave, and
 * what the shim goes by. What is known of the connection follows with it, as text, used bytes,
 * of an environment that environment_fill() filled.
 */
void environment_fill_warm(struct environment *environment,
			   const struct program *program, uid_t uid);

#endif
