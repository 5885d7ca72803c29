#include "scoreboard.h"

#include <errno.h>
#include <stddef.h>

#include "base/memory.h"

int scoreboard_open(struct scoreboard *board, unsigned count)
{
	struct score_page *pages =
		memory_shared(scoreboard_pages(count) * sizeof(*pages));

	if (pages == NULL)
		return -ENOMEM;
	board->pages = pages;
	board->count = count;
	return 0;
}

void scoreboard_close(struct scoreboard *board)
{
	memory_release(board->pages,
		       scoreboard_pages(board->count) * sizeof(*board->pages));
	board->pages = NULL;
}
