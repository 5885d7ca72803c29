#include "engine/confine/domain.h"

#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

/* Versions of landlock(7), as if the kernel had no later one. */
#define OLDEST_WITHOUT_SCOPES 2
#define OLDEST_WITH_SCOPES    6

static void must_have(int version)
{
	if (domain_version() < version)
		skip_because("the kernel's landlock(7) is older");
}

static int enter(int version)
{
	int domain = domain_open(version, false);
	int err;

	if (domain < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return domain < 0 ? domain : -errno;
	err = domain_enter(domain);
	close(domain);
	return err;
}

/* Copies descriptor 0 of pid. Returns 0 or an errno. */
static int steal(pid_t pid)
{
	int process = pidfd_open(pid, 0);
	int fd = process < 0 ? -1 : pidfd_getfd(process, 0, 0);
	int err = fd < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (process >= 0)
		close(process);
	return err;
}

static int wait_for_signal(void *arg)
{
	(void)arg;
	while (true)
		pause();
	return 0;
}

static int look_around(void *arg)
{
	pid_t *sibling = arg;
	pid_t own;
	int err;

	child_must(steal(*sibling) == EPERM);
	child_must(steal(getppid()) == EPERM);
	own = child_start(wait_for_signal, NULL);
	err = steal(own);
	kill(own, SIGKILL);
	child_wait(own);
	child_must(err == 0);
	return 0;
}

static int enter_and_look_around(void *arg)
{
	int *version = ((int **)arg)[1];

	child_must(enter(*version) == 0);
	return look_around(((pid_t **)arg)[0]);
}

/* What a Maildir does, and what a domain forbids by default. */
static int enter_and_move_files(void *arg)
{
	child_must(enter(*(int *)arg) == 0);
	child_must(mkdir("new", 0700) == 0 && mkdir("cur", 0700) == 0);
	child_must(close(open("new/mail", O_CREAT | O_WRONLY, 0600)) == 0);
	child_must(link("new/mail", "cur/linked") == 0);
	child_must(rename("new/mail", "cur/moved") == 0);
	child_must(unlink("cur/linked") == 0 && unlink("cur/moved") == 0);
	child_must(rmdir("new") == 0 && rmdir("cur") == 0);
	return 0;
}

static void run_in_child(int (*function)(void *arg), void *arg)
{
	struct child_end end;

	child_run(&end, function, arg);
	if (end.status != 0)
		fail_msg("%s", end.text);
}

static void check_apart(int version)
{
	pid_t sibling = child_start(wait_for_signal, NULL);
	void *both[] = { &sibling, &version };

	/* Without a domain it is allowed. */
	assert_int_equal(steal(sibling), 0);
	run_in_child(enter_and_look_around, both);
	kill(sibling, SIGKILL);
	child_wait(sibling);
}

static void check_files(int version)
{
	char directory[] = "/tmp/prong-domain-XXXXXX";
	int before = open(".", O_PATH | O_DIRECTORY);

	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	run_in_child(enter_and_move_files, &version);
	assert_int_equal(fchdir(before), 0);
	close(before);
	assert_int_equal(rmdir(directory), 0);
}

static void who_is_in_a_domain_looks_only_into_its_own_children(void **state)
{
	(void)state;
	must_have(OLDEST_WITH_SCOPES);
	check_apart(OLDEST_WITH_SCOPES);
	check_files(OLDEST_WITH_SCOPES);
}

static void an_older_kernel_has_domains_that_leave_files_alone(void **state)
{
	(void)state;
	must_have(OLDEST_WITHOUT_SCOPES);
	check_apart(OLDEST_WITHOUT_SCOPES);
	check_files(OLDEST_WITHOUT_SCOPES);
}

static void what_would_take_too_much_is_not_done(void **state)
{
	(void)state;
	assert_int_equal(domain_open(OLDEST_WITHOUT_SCOPES, true), -EOPNOTSUPP);
	assert_int_equal(domain_open(OLDEST_WITH_SCOPES - 1, true), -EOPNOTSUPP);
	assert_int_equal(domain_open(OLDEST_WITHOUT_SCOPES - 1, false), -EOPNOTSUPP);
	assert_int_equal(domain_open(-ENOSYS, false), -ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(who_is_in_a_domain_looks_only_into_its_own_children),
		promise(an_older_kernel_has_domains_that_leave_files_alone),
		promise(what_would_take_too_much_is_not_done),
	};

	return cmocka_run_group_tests_name("domain", tests, NULL, NULL);
}
