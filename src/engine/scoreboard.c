#include "scoreboard.h"

#include <errno.h>
#include <stddef.h>

#include "base/memory.h"

int scoreboard_open(struct scoreboard *board, unsigned count)
{
	struct score_row *rows = memory_shared(count * sizeof(*rows));

	if (rows == NULL)
		return -ENOMEM;
	board->rows = rows;
	board->count = count;
	return 0;
}

void scoreboard_close(struct scoreboard *board)
{
	memory_release(board->rows, board->count * sizeof(*board->rows));
	board->rows = NULL;
}
