/*
 * Runs a program that talks to the server in our place, as tcpclient of ucspi-tcp does:
 * it reads the connection from descriptor 6, writes it to descriptor 7, and finds the
 * addresses in its environment.
 */
#ifndef PRONG_UCSPI_H
#define PRONG_UCSPI_H

#define UCSPI_FAILED 111 /* exit status of a UCSPI client that did not begin PROGRAM */

/*
 * Becomes the program argv[0], looked for in PATH, with sock, a connected socket, as
 * descriptors 6 and 7, both blocking. host is the name that was connected to; NULL:
 * unknown. Other descriptors that are not close-on-exec stay open.
 *
 * Over TCP the environment has PROTO=TCP, TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALIP,
 * TCPLOCALPORT, and TCPREMOTEHOST if host is known; TCPREMOTEINFO and TCPLOCALHOST are
 * removed. Over a UNIX socket it has PROTO=UNIX, and UNIXREMOTEPATH, UNIXREMOTEPID,
 * UNIXREMOTEEUID and UNIXREMOTEEGID of the server.
 *
 * Returns only after a failure: a negative errno. The process can then only exit.
 */
int ucspi_exec(int sock, const char *host, char **argv);

#endif
