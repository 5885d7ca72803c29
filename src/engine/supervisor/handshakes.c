#include "handshakes.h"

#include "base/clock.h"
#include "base/half_open.h"

void handshakes_open(struct handshakes *handshakes)
{
	*handshakes = (struct handshakes){ .look_us = CLOCK_NEVER };
}

void handshakes_begin(struct handshakes *handshakes, const struct listener *listeners,
		      unsigned count, int64_t now_us)
{
	*handshakes = (struct handshakes){
		.began_us = now_us,
		.look_us = now_us + HANDSHAKES_LOOK_US,
	};
	for (unsigned i = 0; i < count; i++)
		if (listeners[i].fd >= 0 && listener_shakes_hands(&listeners[i]))
			handshakes->at |= turns_bit(i);
}

/* The longest wait, by what the kernel has answered: a count, or a negative errno. */
static int64_t patience_us(int answer)
{
	if (answer == 0)
		return 0;
	return answer < 0 ? HANDSHAKES_BLIND_US : HANDSHAKES_MOST_US;
}

void handshakes_look(struct handshakes *handshakes, const struct listener *listeners,
		     int64_t now_us)
{
	if (handshakes->at == 0 || now_us < handshakes->look_us)
		return;
	for (uint64_t left = handshakes->at; left != 0; left &= left - 1) {
		unsigned index = (unsigned)__builtin_ctzll(left);
		int answer = half_open_count(&listeners[index].address);

		if (now_us - handshakes->began_us >= patience_us(answer))
			handshakes_drop(handshakes, index);
	}
	handshakes->look_us = now_us + HANDSHAKES_LOOK_US;
}

int64_t handshakes_deadline(const struct handshakes *handshakes)
{
	return handshakes->at != 0 ? handshakes->look_us : CLOCK_NEVER;
}
