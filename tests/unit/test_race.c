#include "prong/common/race.h"

#include <sys/eventfd.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"

#define LONG_MS 60000 /* never reached */

/* '4' and '6' for the families; the port holds the order. */
static void fill(struct address_list *list, const char *families)
{
	memset(list, 0, sizeof(*list));
	for (const char *family = families; *family != '\0'; family++) {
		struct address *address = &list->at[list->count++];

		/* sin_port and sin6_port have the same offset */
		address->any.in.sin_family = *family == '4' ? AF_INET : AF_INET6;
		address->any.in.sin_port = htons((in_port_t)list->count);
	}
}

static void families_take_turns_and_each_keeps_its_order(void **state)
{
	static const struct {
		const char *families, *ports;
	} rows[] = {
		{ "4", "1" },         { "66", "12" },       { "64", "12" },
		{ "46", "12" },       { "664", "132" },     { "466", "123" },
		{ "66644", "14253" }, { "44466", "14253" }, { "666664", "162345" },
		{ "6444", "1234" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address_list list;

		print_message("# %s\n", rows[i].families);
		fill(&list, rows[i].families);
		race_order(&list);
		assert_int_equal(list.count, strlen(rows[i].families));
		for (unsigned n = 0; n < list.count; n++)
			assert_int_equal(ntohs(list.at[n].any.in.sin_port),
					 rows[i].ports[n] - '0');
	}
}

/* A socket on loopback; queue < 0: it refuses. Its address is appended to the list. */
static int add_server(struct address_list *list, int queue)
{
	struct address *address = &list->at[list->count++];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*address = (struct address){ .length = sizeof(address->any.in) };
	address->any.in.sin_family = AF_INET;
	address->any.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, &address->any.sa, address->length), 0);
	assert_int_equal(getsockname(fd, &address->any.sa, &address->length), 0);
	if (queue >= 0)
		assert_int_equal(listen(fd, queue), 0);
	return fd;
}

/* Fills its queue, so that it accepts no more; clients[] receives two. */
static int add_silent_server(struct address_list *list, int clients[2])
{
	int fd = add_server(list, 0);
	const struct address *address = &list->at[list->count - 1];

	for (int i = 0; i < 2; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(clients[i], &address->any.sa, address->length);
	}
	return fd;
}

struct events {
	char text[16]; /* one letter per event: b for begun, f for failed */
	unsigned count;
};

static void note_event(void *owner, const struct address *to, int error)
{
	struct events *events = owner;

	(void)to;
	events->text[events->count++] = error == 0 ? 'b' : 'f';
}

static struct race_rules rules_for(struct events *events, int64_t limit_ms)
{
	int interrupts = eventfd(0, 0);

	assert_true(interrupts >= 0);
	return (struct race_rules){
		.interrupts = interrupts,
		.deadline_us = clock_now_us() + clock_us_from_ms(limit_ms),
		.tell = note_event,
		.owner = events,
	};
}

static void a_refusal_makes_the_next_one_begin_at_once(void **state)
{
	struct address_list list = { .count = 0 };
	struct events events = { .count = 0 };
	struct race_rules rules = rules_for(&events, LONG_MS);
	struct race_result result;
	int refusing = add_server(&list, -1);
	int answering = add_server(&list, 5);
	int spared = add_server(&list, 5);

	(void)state;
	assert_int_equal(race_run(&result, &list, &rules), 0);
	assert_int_equal(result.winner, 1);
	assert_int_equal(result.errors[0], -ECONNREFUSED);
	assert_int_equal(result.errors[1], 0);
	assert_string_equal(events.text, "bfb");
	close(result.fd);
	close(refusing);
	close(answering);
	close(spared);
	close(rules.interrupts);
}

static void an_address_that_does_not_answer_holds_up_no_other(void **state)
{
	struct address_list list = { .count = 0 };
	struct events events = { .count = 0 };
	struct race_rules rules = rules_for(&events, LONG_MS);
	struct race_result result;
	int clients[4];
	int first = add_silent_server(&list, clients);
	int second = add_silent_server(&list, clients + 2);
	int answering = add_server(&list, 5);
	int before = open_descriptors();

	(void)state;
	assert_int_equal(race_run(&result, &list, &rules), 0);
	assert_int_equal(result.winner, 2);
	assert_string_equal(events.text, "bbb");
	assert_int_equal(open_descriptors(), before + 1);
	close(result.fd);
	for (int i = 0; i < 4; i++)
		close(clients[i]);
	close(first);
	close(second);
	close(answering);
	close(rules.interrupts);
}

static void when_all_fail_each_has_its_error_and_nothing_is_open(void **state)
{
	struct address_list list = { .count = 0 };
	struct events events = { .count = 0 };
	struct race_rules rules = rules_for(&events, 400);
	struct race_result result;
	int clients[2];
	int refusing = add_server(&list, -1);
	int silent = add_silent_server(&list, clients);
	int before = open_descriptors();

	(void)state;
	assert_int_equal(race_run(&result, &list, &rules), -ETIMEDOUT);
	assert_int_equal(result.fd, -1);
	assert_int_equal(result.errors[0], -ECONNREFUSED);
	assert_int_equal(result.errors[1], -ETIMEDOUT);
	assert_int_equal(open_descriptors(), before);
	list.count = 1;
	rules.deadline_us = CLOCK_NEVER;
	assert_int_equal(race_run(&result, &list, &rules), -ECONNREFUSED);
	assert_int_equal(open_descriptors(), before);
	for (int i = 0; i < 2; i++)
		close(clients[i]);
	close(refusing);
	close(silent);
	close(rules.interrupts);
}

static void a_signal_breaks_it_off(void **state)
{
	struct address_list list = { .count = 0 };
	struct events events = { .count = 0 };
	struct race_rules rules = rules_for(&events, LONG_MS);
	struct race_result result;
	int clients[2];
	int silent = add_silent_server(&list, clients);

	(void)state;
	assert_int_equal(eventfd_write(rules.interrupts, 1), 0);
	assert_int_equal(race_run(&result, &list, &rules), -EINTR);
	assert_int_equal(result.fd, -1);
	for (int i = 0; i < 2; i++)
		close(clients[i]);
	close(silent);
	close(rules.interrupts);
}

static void the_source_is_bound_and_must_be_one_of_ours(void **state)
{
	struct address_list list = { .count = 0 };
	struct events events = { .count = 0 };
	struct race_rules rules = rules_for(&events, LONG_MS);
	struct address source = { .length = sizeof(source.any.in) };
	struct address own = { .length = sizeof(own.any) };
	struct race_result result;
	int answering = add_server(&list, 5);

	(void)state;
	source.any.in.sin_family = AF_INET;
	source.any.in.sin_addr.s_addr = inet_addr("127.9.8.7");
	rules.source = &source;
	assert_int_equal(race_run(&result, &list, &rules), 0);
	assert_int_equal(getsockname(result.fd, &own.any.sa, &own.length), 0);
	assert_int_equal(own.any.in.sin_addr.s_addr, source.any.in.sin_addr.s_addr);
	close(result.fd);
	source.any.in.sin_addr.s_addr = inet_addr("192.0.2.1"); /* RFC 5737 */
	assert_int_equal(race_run(&result, &list, &rules), -EADDRNOTAVAIL);
	close(answering);
	close(rules.interrupts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(families_take_turns_and_each_keeps_its_order),
		promise(a_refusal_makes_the_next_one_begin_at_once),
		promise(an_address_that_does_not_answer_holds_up_no_other),
		promise(when_all_fail_each_has_its_error_and_nothing_is_open),
		promise(a_signal_breaks_it_off),
		promise(the_source_is_bound_and_must_be_one_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
