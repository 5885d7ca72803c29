#include "service.h"

#include <string.h>

const struct service services[] = {
	{ "echo", service_echo, "sends back what it receives", "RFC 862" },
	{ "discard", service_discard, "receives and says nothing", "RFC 863" },
	{ "chargen", service_chargen, "sends lines of characters without end",
	  "RFC 864" },
	{ "daytime", service_daytime, "sends the date and time as a line", "RFC 867" },
	{ "time", service_time, "sends the seconds since 1900, 32 bits", "RFC 868" },
	{ NULL, NULL, NULL, NULL },
};

const struct service *service_find(const char *name)
{
	for (const struct service *service = services; service->name != NULL; service++)
		if (strcmp(service->name, name) == 0)
			return service;
	return NULL;
}
