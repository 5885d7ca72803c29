/*
 * A program that speaks with the server in our place, as with tcpclient of ucspi-tcp: it
 * reads the connection from descriptor 6, writes it to descriptor 7, and finds the
 * addresses in its environment.
 */
#ifndef PRONG_UCSPI_H
#define PRONG_UCSPI_H

#define UCSPI_FAILED 111 /* exit status of a UCSPI client that did not begin PROGRAM */

/*
 * Becomes the program argv[0], looked for in PATH, with sock, a connected socket, as
 * descriptors 6 and 7, both blocking. host is the name that was connected to; NULL: it is
 * not known. The other descriptors that are not close-on-exec stay as they are.
 *
 * Over TCP the environment has PROTO=TCP, TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALIP,
 * TCPLOCALPORT, and TCPREMOTEHOST if host is known; TCPREMOTEINFO and TCPLOCALHOST are
 * removed. Over a UNIX socket it has PROTO=UNIX, and UNIXREMOTEPATH, UNIXREMOTEPID,
 * UNIXREMOTEEUID and UNIXREMOTEEGID of the server.
 *
 * Returns only on failure: a negative errno. The process is of no use then but to exit.
 */
int ucspi_exec(int sock, const char *host, char **argv);

#endif
