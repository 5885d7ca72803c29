/* Ports by the names of their services, such as "smtp". */
#ifndef PRONG_SERVICE_PORT_H
#define PRONG_SERVICE_PORT_H

#include <netinet/in.h>

/*
 * Looks up the TCP service of that name, or alias, in services(5). Returns 0 and the
 * port in host byte order, or -ENOENT with *out untouched.
 */
int service_port_find(const char *name, in_port_t *out);

#endif
