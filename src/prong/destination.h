/*
 * Where to connect to, and from where, by the command line: the words HOST PORT or
 * HOST:PORT, -4, -6 and --source, as addresses in the order in which to try them.
 */
#ifndef PRONG_DESTINATION_H
#define PRONG_DESTINATION_H

#include "base/address.h"
#include "connect_options.h"

#define DESTINATION_NAME_MAX 256 /* NUL included */

/*
 * Finds the addresses; looking up a name may take time. If words or options make no
 * sense it says so on stderr and exits with 2. Returns 0, or -EHOSTUNREACH with a
 * sentence in why if there is no address to try.
 */
int destination_find(struct address_list *out, const struct connect_settings *settings,
		     int count, char **words, struct why *why);

/*
 * Writes the name of the host, if the words contain a name and not an address or a
 * path. Returns whether they do.
 */
bool destination_name(char name[DESTINATION_NAME_MAX], int count, char **words);

/*
 * Tests --source, if it is given. Returns 0, or a negative errno of socket(2) or
 * bind(2) with a sentence in why.
 */
int destination_check_source(const struct connect_settings *settings, struct why *why);

#endif
