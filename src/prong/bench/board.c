#include "board.h"

#include <sys/eventfd.h>

#include <errno.h>
#include <unistd.h>

#include "base/memory.h"
#include "nanoclock.h"

static size_t size_for(unsigned workers)
{
	return sizeof(struct board) + workers * sizeof(struct row);
}

int board_open(struct board **out, unsigned workers)
{
	struct board *board = memory_shared(size_for(workers));
	int err;

	if (!board)
		return -errno;
	board->rows_count = workers;
	board->to_workers = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	board->to_first = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (board->to_workers < 0 || board->to_first < 0) {
		err = -errno;
		board_close(board);
		return err;
	}
	*out = board;
	return 0;
}

void board_close(struct board *board)
{
	if (board->to_workers >= 0)
		close(board->to_workers);
	if (board->to_first >= 0)
		close(board->to_first);
	memory_release(board, size_for(board->rows_count));
}

static void wake(int fd)
{
	(void)!eventfd_write(fd, 1);
}

void board_reach(struct board *board, struct row *row)
{
	atomic_fetch_add(&row->reached, 1);
	wake(board->to_first);
}

bool board_waits(struct board *board, struct row *row)
{
	return atomic_load(&row->reached) > atomic_load(&board->open);
}

/* Sets the time first: a worker that sees the gate open can read when it opened. */
void board_open_gate(struct board *board)
{
	unsigned gate = atomic_load(&board->open);

	atomic_store(&board->opened_at_ns[gate], nanoclock_now_ns());
	atomic_store(&board->open, gate + 1);
	wake(board->to_workers);
}

void board_stop(struct board *board)
{
	atomic_store(&board->stop, true);
	wake(board->to_workers);
}
