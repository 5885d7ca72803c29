/*
 * RFC 867: sends the date and time as a line of ASCII. The RFC prescribes no syntax;
 * this is the second one that it suggests, with weekday and zone added. The time is
 * local, as the administrator's machine shows it.
 */
#include "service.h"

#include <time.h>

int service_daytime(struct prong_conn *conn, void *arg)
{
	time_t now = time(NULL);
	struct tm parts;
	char line[80];
	size_t length;

	(void)arg;
	if (localtime_r(&now, &parts) == NULL)
		return -1;
	length = strftime(line, sizeof(line), "%A, %B %d, %Y %H:%M:%S-%Z\r\n", &parts);
	return prong_send(conn, line, length);
}
