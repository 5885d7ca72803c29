/*
 * The environment of one run of a program: the administrator's variables, then those of
 * the connection. Their names are in prong.h, struct prong_program; they are those of
 * UCSPI (ucspi-tcp(5)), xinetd and systemd.
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
 * Fills it for client; connections is how many its source has open. Points into program
 * and into itself. The administrator's variables do not replace those of the
 * connection. With program->options.resolve it looks up names, which may take long.
 */
void environment_fill(struct environment *environment, const struct program *program,
		      const struct client *client, unsigned connections);

/*
 * Adds USER and LOGNAME, the number of a program's own user, unless the administrator
 * gave them; 0: it has no user of its own.
 */
void environment_add_user(struct environment *environment,
			  const struct program *program, uid_t uid);

/*
 * Fills the environment of a program that is kept warm, with that user: the
 * administrator's variables, and those that the shim needs. The variables of the
 * connection follow with the connection, as text of used bytes, from an environment
 * that environment_fill() filled.
 */
void environment_fill_warm(struct environment *environment,
			   const struct program *program, uid_t uid);

#endif
