/*
 * RFC 868: sends the seconds since 1900-01-01 00:00 UTC as 32 bits in network order.
 * They wrap in 2036; the client must know the era.
 */
#include "service.h"

#include <arpa/inet.h>
#include <time.h>

#define FROM_1900_TO_1970 UINT32_C(2208988800)

int service_time(struct prong_conn *conn, void *arg)
{
	uint32_t seconds = htonl((uint32_t)time(NULL) + FROM_1900_TO_1970);

	(void)arg;
	return prong_send(conn, &seconds, sizeof(seconds));
}
