/* prong bench: load for an echo server, verified, timed and counted. */
#ifndef PRONG_BENCH_H
#define PRONG_BENCH_H

/*
 * Runs the command. Returns its exit status; if the usage is bad it exits with 2
 * itself.
 */
int bench_run(int argc, char **argv);

#endif
