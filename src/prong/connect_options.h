/* The command line of prong connect: its table, and the settings that it fills in. */
#ifndef PRONG_CONNECT_OPTIONS_H
#define PRONG_CONNECT_OPTIONS_H

#include "base/address.h"
#include "base/option.h"
#include "writer.h"

struct connect_settings {
	bool ipv4, ipv6;
	struct address source; /* port 0; its length is 0 if there is none */
	/* 0: no limit */
	int64_t connect_timeout_ms, idle_timeout_ms, timeout_ms;
	struct writer_rules writer;
	bool verbose;
};

extern const struct option_page connect_page;

#endif
