#include "strays.h"

#include <stddef.h>

#include "engine/program/children.h"
#include "process.h"

void strays_open(struct strays *strays, const struct processes *processes)
{
	strays->processes = processes;
	strays->line = children_draw_line();
}

/* Programs and monitors; and what was there before the first of them. */
static bool is_to_live(void *arg, pid_t pid)
{
	const struct strays *strays = arg;
	uint64_t began;

	if (process_find(strays->processes, pid) != NULL)
		return true;
	began = children_began(pid);
	return began != 0 && began <= strays->line;
}

void strays_kill(const struct strays *strays)
{
	children_kill_others(is_to_live, (void *)strays);
}
