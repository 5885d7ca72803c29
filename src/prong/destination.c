#include "destination.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/race.h"
#include "service_port.h"

#define WORD_MAX  512 /* longer ones are left to address_lookup(), which refuses them */
#define PORT_TEXT 8

/*
 * "" and ":7"; the latter is an address to listen on, but names no server to connect
 * to.
 */
static bool lacks_host(const char *word)
{
	return word[0] == '\0' || (word[0] == ':' && strchr(word + 1, ':') == NULL);
}

static void check_words(int count, char **words)
{
	const struct option_page *page = &connect_page;

	if (count == 0)
		option_die(page, "no server is given: write HOST PORT or HOST:PORT");
	if (count > 2)
		option_die(page,
			   "unexpected \"%.80s\" after the address; a program goes "
			   "after --",
			   words[2]);
	if (lacks_host(words[0]))
		option_die(page, "\"%.80s\": the host is missing", words[0]);
	if (count == 1 && strchr(words[0], ':') == NULL)
		option_die(page, "\"%.80s\": the port is missing", words[0]);
}

static bool is_unix(const char *word)
{
	return strncmp(word, "unix:", 5) == 0;
}

static const char *family_name(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

/* The family that -4, -6 and --source allow; AF_UNSPEC: both. */
static int wanted_family(const struct connect_settings *settings)
{
	if (settings->ipv4)
		return AF_INET;
	if (settings->ipv6)
		return AF_INET6;
	return settings->source.length > 0 ? address_family(&settings->source)
					   : AF_UNSPEC;
}

static void check_family(const struct connect_settings *settings, const char *word)
{
	int family = wanted_family(settings);
	bool has_source = settings->source.length > 0;

	if (settings->ipv4 && settings->ipv6)
		option_die(&connect_page, "-4 and -6 cannot be combined");
	if (has_source && address_family(&settings->source) != family)
		option_die(&connect_page, "--source is an %s address, but -%c is given",
			   family_name(address_family(&settings->source)),
			   settings->ipv4 ? '4' : '6');
	if (is_unix(word) && family != AF_UNSPEC)
		option_die(&connect_page, "%s is for TCP; \"%.80s\" is a UNIX socket",
			   has_source       ? "--source"
			   : settings->ipv4 ? "-4"
					    : "-6",
			   word);
}

/*
 * Replaces the name of a service by its number, in room; returns room, or text
 * unchanged.
 */
static const char *port_number(const char *text, char room[PORT_TEXT])
{
	in_port_t port;

	if (text[strspn(text, "0123456789")] == '\0')
		return text;
	if (service_port_find(text, &port) < 0)
		option_die(&connect_page,
			   "port \"%.40s\" is not a number from 1 to 65535, and no TCP "
			   "service in /etc/services has that name",
			   text);
	snprintf(room, PORT_TEXT, "%u", port);
	return room;
}

static int look_up_one_word(struct address_list *out, const char *word, struct why *why)
{
	const char *port = strrchr(word, ':') + 1;
	char number[PORT_TEXT];
	char text[WORD_MAX];

	if (is_unix(word) || strchr(port, ']') != NULL ||
	    strlen(word) >= sizeof(text) - PORT_TEXT)
		return address_lookup(out, word, why);
	snprintf(text, sizeof(text), "%.*s%s", (int)(port - word), word,
		 port_number(port, number));
	return address_lookup(out, text, why);
}

static int look_up(struct address_list *out, int count, char **words, struct why *why)
{
	char number[PORT_TEXT];

	if (count == 1)
		return look_up_one_word(out, words[0], why);
	return address_lookup_host(out, words[0], port_number(words[1], number), why);
}

static void check_port(const struct address *address, const char *host)
{
	/* sin_port and sin6_port have the same offset */
	if (address_family(address) != AF_UNIX && address->any.in.sin_port == 0)
		option_die(&connect_page,
			   "\"%.80s\": port 0 is for listening; a server's port is a "
			   "number from 1 to 65535",
			   host);
}

static void keep_family(struct address_list *list, int family)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < list->count; i++)
		if (address_family(&list->at[i]) == family)
			list->at[kept++] = list->at[i];
	list->count = kept;
}

int destination_find(struct address_list *out, const struct connect_settings *settings,
		     int count, char **words, struct why *why)
{
	int family = wanted_family(settings);
	int err;

	check_words(count, words);
	check_family(settings, words[0]);
	err = look_up(out, count, words, why);
	if (err == -EHOSTUNREACH)
		return err;
	if (err < 0)
		option_die(&connect_page, "\"%.80s\": %s", words[0], why->text);
	check_port(&out->at[0], words[0]);
	if (family != AF_UNSPEC)
		keep_family(out, family);
	if (out->count == 0)
		return why_fail(why, -EHOSTUNREACH,
				"\"%.80s\" has no %s address, but %s asks for one",
				words[0], family_name(family),
				settings->ipv4   ? "-4"
				: settings->ipv6 ? "-6"
						 : "--source");
	race_order(out);
	return 0;
}

bool destination_name(char name[DESTINATION_NAME_MAX], int count, char **words)
{
	size_t length = strlen(words[0]);
	struct in_addr ipv4;

	if (is_unix(words[0]))
		return false;
	if (count == 1)
		length = (size_t)(strrchr(words[0], ':') - words[0]);
	if (length >= DESTINATION_NAME_MAX)
		return false;
	memcpy(name, words[0], length);
	name[length] = '\0';
	return strchr(name, ':') == NULL && inet_pton(AF_INET, name, &ipv4) != 1;
}

int destination_check_source(const struct connect_settings *settings, struct why *why)
{
	const struct address *source = &settings->source;
	char name[ADDRESS_TEXT_MAX];
	int err = 0;
	int fd;

	if (source->length == 0)
		return 0;
	fd = socket(address_family(source), SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &source->any.sa, source->length) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err == 0)
		return 0;
	address_format(source, name, sizeof(name));
	*strrchr(name, ':') = '\0'; /* removes the port, which is 0 */
	return why_fail(why, err, "cannot connect from --source %s: %s", name,
			strerror(-err));
}
