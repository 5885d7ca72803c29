/*
 * Serving by programs. A program knows nothing of prong, so the supervisor keeps a
 * descriptor of its own of each connection, and does from there what a worker does for a
 * handler: notices that the client is gone, keeps the idle timeout, counts bytes, and
 * ends the connection so that no reply is cut.
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
	struct vintage vintage; /* of warm programs */
	bool waited;            /* one of them has come to wait for a client */
	pid_t supervisor;
	struct custody custody;
	struct voices voices;
	struct users users;
};

extern const struct model model_programs;

#endif
