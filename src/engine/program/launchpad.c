#include "launchpad.h"

#include <sys/mman.h>

#include <stddef.h>

#define LOOKS     2  /* pads in use checked per one taken: bounds them */
#define FREE_MOST 16 /* free ones that are kept */

static void append(struct launchpads *pads, struct launchpad *pad)
{
	pad->next = NULL;
	if (pads->first == NULL)
		pads->first = pad;
	else
		pads->last->next = pad;
	pads->last = pad;
}

static void release(struct launchpads *pads, struct launchpad *pad)
{
	if (pads->free_count == FREE_MOST) {
		munmap(pad, LAUNCHPAD_BYTES);
		return;
	}
	pad->next = pads->free;
	pads->free = pad;
	pads->free_count++;
}

/*
 * One that stays in use is moved to the end, so that it does not hide those after it.
 */
static void collect(struct launchpads *pads)
{
	for (int i = 0; i < LOOKS && pads->first != NULL; i++) {
		struct launchpad *pad = pads->first;

		pads->first = pad->next;
		if (atomic_load(&pad->stage) == LAUNCHPAD_LEFT)
			release(pads, pad);
		else
			append(pads, pad);
	}
}

/* Not by memory.h: a child that is forked needs its own copy. */
static struct launchpad *make(void)
{
	void *memory = mmap(NULL, LAUNCHPAD_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

struct launchpad *launchpad_take(struct launchpads *pads)
{
	struct launchpad *pad;

	collect(pads);
	pad = pads->free;
	if (pad != NULL) {
		pads->free = pad->next;
		pads->free_count--;
	} else {
		pad = make();
	}
	if (pad != NULL)
		append(pads, pad);
	return pad;
}

static void release_all(struct launchpad *pad)
{
	while (pad != NULL) {
		struct launchpad *next = pad->next;

		munmap(pad, LAUNCHPAD_BYTES);
		pad = next;
	}
}

void launchpads_close(struct launchpads *pads)
{
	release_all(pads->free);
	release_all(pads->first);
	*pads = (struct launchpads){ 0 };
}
