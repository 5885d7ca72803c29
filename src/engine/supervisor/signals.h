/*
 * Signals as data: all blocked, read from a signalfd in the loop; no handler runs.
 * Owns the caller's mask and dispositions while the server runs.
 */
#ifndef ENGINE_SIGNALS_H
#define ENGINE_SIGNALS_H

struct signals;

/*
 * Blocks all signals but those of job control and of faults, sets every disposition
 * to its default and opens the signalfd. Returns 0 or a negative errno.
 */
int signals_take(struct signals *signals);

/* Reads what has come and notes it. */
void signals_read(struct signals *signals);

/* Discards what has come unread; puts mask and dispositions back. */
void signals_release(struct signals *signals);

/*
 * The disposition of this signal is somebody else's: it is not set, if that is still to
 * come, and not put back.
 */
void signals_keep(struct signals *signals, int number);

/* In a child: an empty mask. Dispositions are the defaults already. */
void signals_reset_child(void);

#endif
