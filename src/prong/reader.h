/*
 * The reading process: prints what the server sends. Meanwhile it watches over the
 * writing process and for signals; it blocks in one place and waits there for all.
 */
#ifndef PRONG_READER_H
#define PRONG_READER_H

#include "conversation.h"

/* Reads until the conversation has an ending. The writing process has been started. */
void reader_run(struct conversation *talk);

#endif
