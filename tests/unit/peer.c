#include "peer.h"

#include "check.h"

struct address peer_at(const char *host)
{
	struct address_list list;
	struct why why;

	assert_int_equal(address_lookup_host(&list, host, "7", &why), 0);
	address_normalize(&list.at[0]);
	return list.at[0];
}

struct address peer_unix(void)
{
	struct address address = { .length = sizeof(sa_family_t) };

	address.any.un.sun_family = AF_UNIX;
	return address;
}
