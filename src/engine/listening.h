/* Opens what a server listens on: addresses, and sockets handed over to it. */
#ifndef ENGINE_LISTENING_H
#define ENGINE_LISTENING_H

#include "base/why.h"
#include "prong.h"

struct admission;
struct report;

/*
 * Takes the sockets of options->listen_fds into admission, which is open already, and
 * then opens those of options->listen. Some addresses of a name may fail; report logs
 * that. With port 0 all addresses of a name get the same port.
 *
 * Returns 0, or a negative errno with a sentence in why; what is open by then stays in
 * admission.
 */
int listening_open(struct admission *admission, const struct prong_options *options,
		   struct report *report, struct why *why);

/* After a failure, returns the sockets that were handed over to their owner. */
void listening_disown(struct admission *admission);

/* Whether options->listen has a UNIX socket with a path. */
bool listening_makes_files(const struct prong_options *options);

#endif
