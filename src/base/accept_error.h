/* Errors of accept(2): whose they are. */
#ifndef BASE_ACCEPT_ERROR_H
#define BASE_ACCEPT_ERROR_H

#include <stdbool.h>

/*
 * Whether error is the next client's, or its network's: accept(2) asks to treat such errors
 * like EAGAIN and go on. Every other failure is our own.
 */
bool accept_error_is_clients(int error);

#endif
