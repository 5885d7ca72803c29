/*
 * The reading process: prints what the server sends, and watches the writing process
 * and signals. It blocks in one place, where it waits for all of them.
 */
#ifndef PRONG_READER_H
#define PRONG_READER_H

#include "conversation.h"

/*
 * Reads until the conversation has an ending. The writing process must have been
 * started.
 */
void reader_run(struct conversation *talk);

#endif
