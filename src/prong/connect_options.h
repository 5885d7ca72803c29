/* The command line of prong connect: its table, and what that fills in. */
#ifndef PRONG_CONNECT_OPTIONS_H
#define PRONG_CONNECT_OPTIONS_H

#include "base/option.h"

struct connect_settings {
	int64_t timeout_ms; /* for each address; 0: the system's */
	bool verbose;
};

extern const struct option_page connect_page;

#endif
