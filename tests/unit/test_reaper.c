#include "engine/supervisor/reaper.h"

#include <sys/wait.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "child.h"
#include "parts.h"

#define NOW   START_US
#define LATER (NOW + MINUTE_US) /* later than anything here is due */
#define GONE  FIRST_PID         /* from here on: children that cannot be reaped */

/* What the reaper has reported. */
static struct {
	pid_t pids[64];
	int statuses[64];
	unsigned count;
} told;

static struct reaper reaper;

static void tell(void *owner, const siginfo_t *info, int64_t now_us)
{
	struct process *process = process_find(&parts.processes, info->si_pid);

	assert_ptr_equal(owner, &told);
	(void)now_us;
	told.pids[told.count] = info->si_pid;
	told.statuses[told.count++] = info->si_status;
	if (process != NULL)
		process_free(&parts.processes, process);
}

static int open_reaper(void **state)
{
	parts_open(state);
	memset(&told, 0, sizeof(told));
	reaper = (struct reaper){ &parts.processes, tell, &told, .page = 0 };
	return 0;
}

static int leave(void *status)
{
	return *(int *)status;
}

/* A child that has ended and is not reaped. */
static pid_t ended_child(int status)
{
	pid_t pid = child_start(leave, &status);
	siginfo_t info;

	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	return pid;
}

static struct process *in_table(pid_t pid)
{
	struct process *process = process_take(&parts.processes);

	process_occupy(&parts.processes, process, pid, PROCESS_BUSY, NOW);
	return process;
}

static void mark(unsigned index)
{
	score_leave(scoreboard_mark(&parts.processes.board, index));
}

static bool was_told(unsigned index, pid_t pid, int status)
{
	return index < told.count && told.pids[index] == pid &&
	       told.statuses[index] == status;
}

/* As after a SIGCHLD that named pid. */
static void hear_of(pid_t pid, int64_t now_us)
{
	struct exits exits = { .any = true, .pids = { pid }, .count = 1 };

	reaper_collect(&reaper, &exits, now_us);
	assert_false(exits.any);
	assert_int_equal(exits.count, 0);
}

static void look_at(int64_t now_us)
{
	struct exits exits = { 0 };

	reaper_collect(&reaper, &exits, now_us);
}

static void a_child_that_sigchld_names_is_collected_at_once(void **state)
{
	pid_t named = ended_child(3), other = ended_child(4);

	(void)state;
	in_table(named);
	in_table(other);
	reaper.look_at_us = reaper.sweep_at_us = LATER;
	hear_of(named, NOW);
	assert_int_equal(told.count, 1);
	assert_true(was_told(0, named, 3));
	assert_int_equal(reaper_deadline(&reaper), LATER);
	look_at(LATER - 1);
	assert_int_equal(told.count, 1);
	look_at(LATER);
	assert_true(was_told(1, other, 4));
}

static void a_child_that_marked_its_row_is_collected_before_the_sweep(void **state)
{
	pid_t marked = ended_child(3), other = ended_child(4);

	(void)state;
	in_table(other);
	mark(process_index(&parts.processes, in_table(marked)));
	reaper.sweep_at_us = LATER;
	hear_of(GONE, NOW);
	assert_int_equal(told.count, 1);
	assert_true(was_told(0, marked, 3));
	look_at(LATER);
	assert_true(was_told(1, other, 4));
}

static void children_of_which_nothing_told_are_collected_by_a_sweep(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		in_table(ended_child(i));
	hear_of(GONE, NOW);
	assert_int_equal(told.count, 20);
	assert_int_equal(parts.processes.used, 0);
	assert_int_equal(reaper_deadline(&reaper), CLOCK_NEVER);
}

static void children_that_are_not_in_the_table_are_passed_on(void **state)
{
	pid_t strangers[] = { ended_child(6), ended_child(7), ended_child(8) };

	(void)state;
	in_table(GONE);
	hear_of(strangers[1], NOW);
	assert_int_equal(told.count, 3);
	assert_true(was_told(0, strangers[1], 7));
	assert_int_equal(parts.processes.used, 1);
}

static void without_a_sigchld_nothing_is_looked_for(void **state)
{
	pid_t pid = ended_child(3);

	(void)state;
	mark(process_index(&parts.processes, in_table(pid)));
	assert_int_equal(reaper_deadline(&reaper), CLOCK_NEVER);
	look_at(LATER);
	assert_int_equal(told.count, 0);
	hear_of(pid, LATER);
	assert_int_equal(told.count, 1);
}

/* 1 ms, or 5 us for each process: a sweep walks over all of them. */
static void from_a_sweep_to_the_next_there_is_a_pause(void **state)
{
	pid_t late;

	(void)state;
	in_table(GONE);
	hear_of(GONE, NOW);
	late = ended_child(3);
	hear_of(GONE, NOW + 1);
	assert_int_equal(told.count, 0);
	reaper.owes_look = false;
	assert_int_equal(reaper_deadline(&reaper), NOW + 1000);
	look_at(NOW + 1000);
	assert_true(was_told(0, late, 3));
	parts.processes.used = 10000;
	hear_of(GONE, NOW + 2000);
	parts.processes.used = 1;
	hear_of(GONE, NOW + 2000);
	reaper.owes_look = false;
	assert_int_equal(reaper_deadline(&reaper), NOW + 52000);
}

/* 2 us for each page that has been in use. */
static void from_a_look_for_marks_to_the_next_there_is_a_pause(void **state)
{
	struct process *late;

	(void)state;
	for (int i = 0; i < 2 * SCORE_ROWS; i++)
		in_table(GONE + i);
	late = in_table(ended_child(3));
	reaper.sweep_at_us = LATER;
	hear_of(GONE, NOW);
	mark(process_index(&parts.processes, late));
	hear_of(GONE, NOW + 1);
	assert_int_equal(reaper_deadline(&reaper), NOW + 6);
	look_at(NOW + 5);
	assert_int_equal(told.count, 0);
	look_at(NOW + 6);
	assert_int_equal(told.count, 1);
	assert_int_equal(reaper_deadline(&reaper), LATER);
}

/* A worker that was broken into can write any mark. */
static void false_marks_end_a_look_and_hide_no_child(void **state)
{
	struct process *last;

	(void)state;
	for (int i = 0; i < 3 * SCORE_ROWS; i++)
		in_table(GONE + i);
	last = in_table(ended_child(3));
	for (unsigned i = 0; i < scoreboard_pages(PARTS_MAX); i++)
		atomic_store(&parts.processes.board.pages[i].leaving, UINT64_MAX);
	reaper.sweep_at_us = LATER;
	hear_of(GONE, NOW);
	/* It stops after 64 false marks; a page is always read completely. */
	assert_int_equal(reaper.page, 2);
	assert_int_equal(told.count, 0);
	hear_of(GONE, NOW + MINUTE_US / 2);
	assert_int_equal(told.count, 1);
	assert_int_equal(last->pid, 0);
	assert_int_equal(parts.processes.used, 3 * SCORE_ROWS);
}

static int wait_for_signal(void *arg)
{
	(void)arg;
	return pause();
}

/* A host program's own child is not waited for. */
static void at_the_end_every_child_in_the_table_is_waited_for(void **state)
{
	pid_t own = child_start(wait_for_signal, NULL);
	pid_t pids[] = { ended_child(3), child_start(wait_for_signal, NULL) };

	(void)state;
	for (size_t i = 0; i < COUNT(pids); i++)
		in_table(pids[i]);
	kill(pids[1], SIGKILL);
	while (parts.processes.used > 0)
		reaper_wait(&reaper);
	assert_int_equal(told.count, 2);
	assert_int_equal(parts.processes.used, 0);
	kill(own, SIGKILL);
	child_wait(own);
}

#define with_reaper(function) \
	cmocka_unit_test_setup_teardown(function, open_reaper, parts_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_reaper(a_child_that_sigchld_names_is_collected_at_once),
		with_reaper(a_child_that_marked_its_row_is_collected_before_the_sweep),
		with_reaper(children_of_which_nothing_told_are_collected_by_a_sweep),
		with_reaper(children_that_are_not_in_the_table_are_passed_on),
		with_reaper(without_a_sigchld_nothing_is_looked_for),
		with_reaper(from_a_sweep_to_the_next_there_is_a_pause),
		with_reaper(from_a_look_for_marks_to_the_next_there_is_a_pause),
		with_reaper(false_marks_end_a_look_and_hide_no_child),
		with_reaper(at_the_end_every_child_in_the_table_is_waited_for),
	};

	return cmocka_run_group_tests_name("reaper", tests, NULL, NULL);
}
