/* prong connect: a conversation with a server; one process reads, another writes. */
#ifndef PRONG_CONNECT_H
#define PRONG_CONNECT_H

/*
 * Runs the command. Returns its exit status; if the usage is bad it exits with 2
 * itself.
 */
int connect_run(int argc, char **argv);

#endif
