/* Admission from the stop request to its end. */
#include "engine/supervisor/admission.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/half_open.h"
#include "check.h"
#include "clients.h"
#include "half.h"
#include "parts.h"

#define NOW  START_US
#define LOOK (NOW + HANDSHAKES_LOOK_US)
#define OVER   \
	(NOW + \
	 HANDSHAKES_BLIND_US) /* no handshake is known, or the kernel tells none */

static struct listener *const listener = &parts.admission.listeners[0];

static void queued_clients_are_served_and_then_the_listener_closes(void **state)
{
	struct address address = listener->address;

	(void)state;
	clients_come(3);
	admission_drain(&parts.admission, START_US);
	assert_false(admission_is_over(&parts.admission));
	admit_at(NOW);
	for (uint64_t i = 1; i <= 3; i++)
		parts_server_of(i);
	admit_at(OVER);
	assert_true(admission_is_over(&parts.admission));
	assert_true(parts.dispatch.finished);
	assert_int_equal(listener->fd, -1);
	assert_int_equal(parts.loop.watched, 0);
	assert_int_equal(try_to_come(&address), -ECONNREFUSED);
}

/* Clients that consider themselves connected may not be in the queue yet. */
static void an_empty_queue_ends_admission_once_handshakes_are_over(void **state)
{
	(void)state;
	admit_at(NOW);
	assert_int_equal(parts.loop.watched, 1);
	admission_drain(&parts.admission, START_US);
	assert_true(parts.dispatch.draining);
	assert_true(parts.model.drained);
	admit_at(LOOK - 1);
	assert_false(admission_is_over(&parts.admission));
	assert_int_equal(admission_deadline(&parts.admission), LOOK);
	admission_admit(&parts.admission, OVER);
	assert_true(admission_is_over(&parts.admission));
	assert_true(parts.dispatch.finished);
	assert_int_equal(parts.loop.watched, 0);
	assert_int_equal(admission_deadline(&parts.admission), CLOCK_NEVER);
}

/* Its client may have the SYN-ACK; a SYN flood may leave many that never end. */
static void a_handshake_keeps_the_listener_open_for_a_while(void **state)
{
	int fd = half_connect(&listener->address);

	(void)state;
	if (fd < 0)
		skip_because("SO_ATTACH_FILTER is refused here");
	if (half_open_count(&listener->address) < 0)
		skip_because("this kernel has no sock_diag(7) of TCP");
	while (half_open_count(&listener->address) == 0)
		sched_yield(); /* the SYN is on its way */
	admission_drain(&parts.admission, NOW);
	admit_at(OVER);
	assert_false(admission_is_over(&parts.admission));
	assert_int_equal(admission_deadline(&parts.admission),
			 OVER + HANDSHAKES_LOOK_US);
	admit_at(NOW + HANDSHAKES_MOST_US);
	assert_true(admission_is_over(&parts.admission));
	close(fd);
}

static void at_the_limit_the_queue_is_served_as_processes_end(void **state)
{
	(void)state;
	parts.processes.max = 1;
	clients_come(3);
	admission_drain(&parts.admission, START_US);
	for (uint64_t i = 1; i <= 3; i++) {
		assert_false(parts.dispatch.finished);
		admit_at(NOW);
		parts_end(parts_server_of(i), NOW);
	}
	admit_at(OVER);
	assert_true(parts.dispatch.finished);
	assert_int_equal(parts.sessions.totals.closed[REASON_DONE], 3);
	assert_int_equal(parts.sessions.totals.accepted, 3);
}

/* They are counted when the stop begins; later ones belong to its other owner. */
static void of_a_shared_listener_only_those_queued_at_the_stop_come(void **state)
{
	struct listener other = *listener;

	(void)state;
	other.fd = dup(listener->fd);
	listener->adopted = true;
	clients_come(2);
	admission_drain(&parts.admission, START_US);
	clients_come(1);
	admit_at(NOW);
	assert_int_equal(parts.sessions.totals.accepted, 2);
	assert_true(parts.dispatch.finished);
	assert_int_equal(listener_queue_length(&other), 1);
	close(other.fd);
}

static void a_unix_path_is_free_while_its_queue_is_served(void **state)
{
	char folder[] = "/tmp/prong-unit-XXXXXX", text[64];
	struct address address;
	int queued;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(text, sizeof(text), "unix:%s/socket", folder);
	listen_on(text);
	address = parts.admission.listeners[1].address;
	queued = try_to_come(&address);
	assert_true(queued >= 0);
	clients.fds[clients.count++] = queued;
	admission_drain(&parts.admission, START_US);
	assert_int_equal(access(text + 5, F_OK), -1);
	assert_int_equal(try_to_come(&address), -ENOENT);
	admit_at(NOW);
	parts_server_of(1);
	assert_int_equal(parts.admission.listeners[1].fd, -1);
	admit_at(OVER);
	assert_true(parts.dispatch.finished);
	assert_int_equal(rmdir(folder), 0);
}

static void a_queue_that_workers_have_emptied_ends_admission(void **state)
{
	int served;

	(void)state;
	parts.admission.accepts = false;
	parts.processes.max = 1;
	parts_process(PROCESS_ACCEPTING, NOW);
	clients_come(1);
	admission_drain(&parts.admission, START_US);
	admit_at(NOW);
	assert_false(admission_is_over(&parts.admission));
	served = accept(listener->fd, NULL, NULL); /* as a worker does */
	assert_true(served >= 0);
	admit_at(OVER);
	assert_true(admission_is_over(&parts.admission));
	close(served);
}

static void clients_that_workers_leave_in_the_queue_are_admitted(void **state)
{
	(void)state;
	parts.admission.accepts = false;
	clients_come(2);
	admit_at(NOW);
	assert_int_equal(parts.sessions.totals.accepted, 0);
	admission_drain(&parts.admission, START_US);
	admit_at(NOW);
	parts_server_of(1);
	parts_server_of(2);
	admit_at(OVER);
	assert_true(admission_is_over(&parts.admission));
}

static void a_held_client_is_served_before_admission_is_over(void **state)
{
	(void)state;
	parts.model.error = -EAGAIN;
	clients_come(1);
	admit_at(NOW);
	admission_drain(&parts.admission, START_US);
	admit_at(NOW);
	assert_int_equal(admission_deadline(&parts.admission), NOW + BACKOFF_FIRST_US);
	admit_at(OVER);
	assert_int_equal(listener->fd, -1);
	assert_false(admission_is_over(&parts.admission));
	assert_false(parts.dispatch.finished);
	parts.model.error = 0;
	admit_at(OVER + SECOND_US);
	parts_server_of(1);
	assert_true(admission_is_over(&parts.admission));
	assert_true(parts.dispatch.finished);
}

static void at_the_end_a_held_client_is_cut_off_as_stopped(void **state)
{
	char text[8];

	(void)state;
	parts.model.error = -EAGAIN;
	clients_come(2);
	admit_at(NOW);
	admission_close(&parts.admission, NOW);
	assert_int_equal(parts.sessions.totals.closed[REASON_STOPPED], 1);
	assert_int_equal(totals_active(&parts.sessions.totals), 0);
	assert_int_equal(client_reads(0, text, sizeof(text)), 0);
	assert_int_equal(client_reads(1, text, sizeof(text)), -ECONNRESET);
	assert_true(admission_is_over(&parts.admission));
	assert_true(parts.dispatch.finished);
	assert_int_equal(listener->fd, -1);
	admission_settle(&parts.admission, NOW);
	assert_int_equal(admission_deadline(&parts.admission), CLOCK_NEVER);
}

static void a_stop_has_no_more_to_say_of_the_limit(void **state)
{
	(void)state;
	parts.processes.max = 1;
	clients_come(1);
	admit_at(NOW);
	parts_end(parts_server_of(1), NOW);
	admit_at(NOW);
	assert_int_equal(admission_deadline(&parts.admission), NOW + SECOND_US);
	admission_drain(&parts.admission, START_US);
	assert_int_equal(admission_deadline(&parts.admission), LOOK);
	admit_at(NOW + SECOND_US);
	assert_int_equal(admission_deadline(&parts.admission), CLOCK_NEVER);
	assert_int_equal(lines_with("limit-cleared"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_listener(queued_clients_are_served_and_then_the_listener_closes),
		with_listener(an_empty_queue_ends_admission_once_handshakes_are_over),
		with_listener(a_handshake_keeps_the_listener_open_for_a_while),
		with_listener(at_the_limit_the_queue_is_served_as_processes_end),
		with_listener(of_a_shared_listener_only_those_queued_at_the_stop_come),
		with_listener(a_unix_path_is_free_while_its_queue_is_served),
		with_listener(a_queue_that_workers_have_emptied_ends_admission),
		with_listener(clients_that_workers_leave_in_the_queue_are_admitted),
		with_listener(a_held_client_is_served_before_admission_is_over),
		with_listener(at_the_end_a_held_client_is_cut_off_as_stopped),
		with_listener(a_stop_has_no_more_to_say_of_the_limit),
	};

	return cmocka_run_group_tests_name("drain", tests, NULL, NULL);
}
