/*
 * Handshakes in progress when the stop begins. A client considers its connection open when
 * it has the SYN-ACK, but the kernel reports the connection only when the client's ACK has
 * arrived. Closing the listener in between would reset that client. So a listener stays
 * open until the kernel knows of no handshake there, which for a distant client takes a
 * round trip, and after a lost packet a second.
 */
#ifndef ENGINE_HANDSHAKES_H
#define ENGINE_HANDSHAKES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/listener.h"
#include "turns.h"

/*
 * Before each look. Before the first one, a SYN that the kernel had let in when the stop
 * began, perhaps on another processor, becomes a handshake.
 */
#define HANDSHAKES_LOOK_US  5000
#define HANDSHAKES_BLIND_US 20000   /* the wait where the kernel does not tell */
#define HANDSHAKES_MOST_US  1500000 /* the longest wait: a SYN flood leaves many */

struct handshakes {
	uint64_t at; /* the listeners that may have one, a turns_bit() each */
	int64_t began_us, look_us;
};

/* No handshake is waited for, as long as the server runs. */
void handshakes_open(struct handshakes *handshakes);

/* The stop begins: those that listener_shakes_hands() may have some. */
void handshakes_begin(struct handshakes *handshakes, const struct listener *listeners,
		      unsigned count, int64_t now_us);

/* Asks the kernel, if it is time to do so. A listener that has none gets none any more. */
void handshakes_look(struct handshakes *handshakes, const struct listener *listeners,
		     int64_t now_us);

/* Whether the listener of that number may have some. */
static inline bool handshakes_go_on(const struct handshakes *handshakes, unsigned index)
{
	return (handshakes->at & turns_bit(index)) != 0;
}

/* The listener of that number is closed. */
static inline void handshakes_drop(struct handshakes *handshakes, unsigned index)
{
	handshakes->at &= ~turns_bit(index);
}

/* When to look next; CLOCK_NEVER if there is nothing to look for. */
int64_t handshakes_deadline(const struct handshakes *handshakes);

#endif
