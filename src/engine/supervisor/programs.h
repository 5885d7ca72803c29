/*
 * Serving by programs. A program knows nothing of prong. So the supervisor keeps a copy
 * of each connection's descriptor, and does what a worker does for a handler: it
 * notices when the client is gone, enforces the idle timeout, counts bytes, and ends
 * the connection so that no reply is cut off.
 */
#ifndef ENGINE_PROGRAMS_H
#define ENGINE_PROGRAMS_H

#include "custody.h"
#include "engine/program/launchpad.h"
#include "engine/program/vintage.h"
#include "model.h"
#include "strays.h"
#include "users.h"
#include "voice.h"

struct program;

struct programs {
	struct model_parts parts;
	struct program *program; /* on the heap, which children inherit */
	struct launchpads launchpads;
	struct strays strays;
	struct vintage vintage; /* of the files of warm programs */
	bool waited;            /* one of them has been ready for a client */
	pid_t supervisor;
	struct custody custody;
	struct voices voices;
	struct users users;
};

extern const struct model model_programs;

#endif
