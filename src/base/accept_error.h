/* Errors of accept(2): which of them concern only one client. */
#ifndef BASE_ACCEPT_ERROR_H
#define BASE_ACCEPT_ERROR_H

#include <stdbool.h>

/*
 * Whether error belongs to the next client or its network: accept(2) says to treat such
 * errors like EAGAIN and go on. Every other error is our own failure.
 */
bool accept_error_is_clients(int error);

#endif
