/* Why an address cannot be listened on, in words: what bind(2) does not tell. */
#ifndef BASE_BIND_FAILURE_H
#define BASE_BIND_FAILURE_H

#include "address.h"
#include "why.h"

/*
 * Says in why what is wrong with listening on address, where a call of it failed with
 * err, a negative errno: "another server has it". Returns err.
 */
int bind_failure_explain(const struct address *address, int err, struct why *why);

#endif
