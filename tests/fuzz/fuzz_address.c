/* Addresses as a user types them, and as the kernel returns them. */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "fuzz.h"

/* The linker replaces getaddrinfo(3) by this: a fuzzer asks no name server. */
int __wrap_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **out);

int __wrap_getaddrinfo(const char *node, const char *service,
		       const struct addrinfo *hints, struct addrinfo **out)
{
	(void)service, (void)hints, (void)out;
	CHECK(strlen(node) < 256);
	return EAI_NONAME;
}

/* The text of an address must be read as the same address. */
static void check_text(const struct address *address)
{
	char text[ADDRESS_TEXT_MAX], small[16];
	struct address_list again;
	struct why why;

	address_format(address, text, sizeof(text));
	CHECK(address_lookup(&again, text, &why) == 0);
	CHECK(again.count == 1 && address_is_same(&again.at[0], address));
	CHECK(address_overlaps(&again.at[0], address));
	address_format(address, small, sizeof(small));
	CHECK(strncmp(small, text, sizeof(small) - 1) == 0 &&
	      strlen(small) < sizeof(small));
}

static void read_typed(const char *text)
{
	struct address_list list;
	struct why why = { "" };

	if (address_lookup(&list, text, &why) < 0) {
		CHECK(strlen(why.text) > 0 && strlen(why.text) < WHY_MAX);
		return;
	}
	CHECK(list.count == 1);
	check_text(&list.at[0]);
}

/* Any bytes, of any length: a client may have bound its end to them. */
static void read_from_kernel(const uint8_t *data, size_t size)
{
	static const sa_family_t families[] = { AF_INET, AF_INET6, AF_UNIX };
	struct address address = { .length = (socklen_t)size };
	char text[ADDRESS_TEXT_MAX];

	memcpy(&address.any, data,
	       size < sizeof(address.any) ? size : sizeof(address.any));
	address.any.sa.sa_family = families[data[0] % 3];
	address_normalize(&address);
	CHECK(address.length <= sizeof(address.any));
	address_format(&address, text, sizeof(text));
	CHECK(strlen(text) < sizeof(text));
	CHECK((address_family(&address) == AF_UNIX) ==
	      (strncmp(text, "unix:", 5) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	read_typed(text);
	if (size > 1)
		read_from_kernel(data, size);
	free(text);
	return 0;
}
