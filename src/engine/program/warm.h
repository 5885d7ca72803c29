/*
 * What the supervisor and the shim in a warm program agree on. The program is started
 * with the shim preloaded (ld.so(8)) and a channel, a SOCK_SEQPACKET socket, on
 * WARM_CHANNEL. Before main() the shim says there that it waits, WARM_WAITS, a byte, and
 * waits for one message: the connection's
 * descriptor (SCM_RIGHTS), and as data the variables of the connection, "NAME=VALUE",
 * each with its NUL. The end of the channel means that no connection will come.
 *
 * Runtimes of other languages read the environment from the stack, where the kernel has put
 * it (execve(2)), and may have noted where it begins. So LD_PRELOAD is the first of a row of
 * variables at the end of the environment that are room, for pointers and for text, and
 * into which the shim writes those of the connection.
 */
#ifndef ENGINE_WARM_H
#define ENGINE_WARM_H

#define WARM_CHANNEL       3
#define WARM_WAITS         'w'
#define WARM_TEXT_MAX      2048
#define WARM_ROOMS         9 /* connection's variables that have a pointer there */
#define WARM_ROOM_VARIABLE "PRONG_ROOM"
#define WARM_VARIABLE      "PRONG_WARM" /* "0", or "2": stderr is the connection too */

#endif
