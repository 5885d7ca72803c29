/* Explains why an address cannot be listened on, where bind(2) gives only an errno. */
#ifndef BASE_BIND_FAILURE_H
#define BASE_BIND_FAILURE_H

#include "address.h"
#include "why.h"

/*
 * Says in why what keeps a server from listening on address, after a call for it failed
 * with err, a negative errno: "another server listens on this address already". Returns
 * err.
 */
int bind_failure_explain(const struct address *address, int err, struct why *why);

#endif
