/* Opening what a server listens on: sockets handed over, and addresses. */
#ifndef ENGINE_LISTENING_H
#define ENGINE_LISTENING_H

#include "base/why.h"
#include "prong.h"

struct admission;
struct report;

/*
 * Takes the sockets of options->listen_fds into admission, which is open already, and
 * then opens those of options->listen. Of the addresses that one name has some may fail,
 * which report tells; with port 0 all that do not have one port.
 *
 * Returns 0, or a negative errno with a sentence in why; what is open by then stays in
 * admission.
 */
int listening_open(struct admission *admission, const struct prong_options *options,
		   struct report *report, struct why *why);

/* After a failure the sockets that were handed over are their giver's again. */
void listening_disown(struct admission *admission);

/* Whether options->listen has a UNIX socket with a path. */
bool listening_makes_files(const struct prong_options *options);

#endif
