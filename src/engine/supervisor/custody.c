#include "custody.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <linux/sockios.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/holder.h"
#include "base/tcp_info.h"
#include "base/why.h"
#include "engine/program/children.h"
#include "engine/program/monitor.h"
#include "linger.h"

#define LOOK_US       20000    /* at least, between two looks at a session */
#define BUSY_LOOK_US  100000   /* while bytes move */
#define LOOK_SHARE    8        /* 1/8 of the time since bytes last moved */
#define LOOKS_US      20000    /* at least, between two looks at all sessions */
#define LOOK_COST     20       /* and this many times as long as a look took */
#define LOOKS_UNSEEN  2        /* looks that find no process, before it is believed */
#define RESET_MOST_US 10000000 /* time for a program to read what came before a reset */

void custody_open(struct custody *custody, struct processes *processes,
		  struct sessions *sessions)
{
	*custody = (struct custody){
		.processes = processes,
		.sessions = sessions,
		.look_us = CLOCK_NEVER,
	};
	leftovers_open(&custody->leftovers, sessions,
		       sessions->settings->session_timeout_us);
}

int custody_start(struct custody *custody, bool monitored, bool ignores_hangup,
		  struct why *why)
{
	int err = leftovers_start(&custody->leftovers);

	custody->ignores_hangup = ignores_hangup;
	custody->monitored = monitored;
	return err < 0 ? why_call(why, err, "watch connections", "epoll_create1(2)")
		       : 0;
}

void custody_close(struct custody *custody)
{
	leftovers_close(&custody->leftovers);
}

void custody_begin(struct custody *custody, struct process *process, int64_t now_us)
{
	(void)custody;
	process->session.look_at_us = now_us + LOOK_US;
}

static int unread_bytes(int fd)
{
	int bytes = 0;

	ioctl(fd, SIOCINQ, &bytes);
	return bytes;
}

static void hang_up(struct custody *custody, struct process *process, int64_t now_us)
{
	process->session.look_at_us = CLOCK_NEVER;
	process_hang_up(custody->processes, process,
			custody->monitored ? MONITOR_HANG_UP : SIGTERM, now_us);
}

/* After a reset, the bytes that came before it can still be read. */
static void look_after_reset(struct custody *custody, struct process *process,
			     int64_t now_us)
{
	struct session *session = &process->session;
	int64_t since_us = now_us - session->reset_at_us;
	int64_t pause_us = since_us / LOOK_SHARE;

	if (unread_bytes(session->client.fd) == 0 || since_us >= RESET_MOST_US)
		hang_up(custody, process, now_us);
	else
		session->look_at_us =
			now_us + (pause_us > LOOK_US ? pause_us : LOOK_US);
}

void custody_hear(struct custody *custody, struct process *process, uint32_t events,
		  int64_t now_us)
{
	struct session *session = &process->session;
	bool tcp = address_family(&session->client.peer) != AF_UNIX;

	process_unwatch(custody->processes, process); /* or epoll would repeat it */
	if (process->state != PROCESS_BUSY)
		return;
	/*
	 * EPOLLERR may also come from the error queue (ip(7)), which belongs to the
	 * program.
	 */
	if ((events & EPOLLERR) != 0 &&
	    (!tcp || tcp_info_is_closed(session->client.fd)))
		session->reset_at_us = now_us;
	if (session->reset_at_us != 0 && !custody->ignores_hangup)
		look_after_reset(custody, process, now_us);
	else if ((events & EPOLLHUP) != 0)
		session->look_at_us = CLOCK_NEVER; /* no client waits for it */
}

struct family {
	int fd;
	int found; /* 1: one of them has fd; 0: none; or a negative errno */
};

static void look_at_child(void *arg, pid_t pid)
{
	struct family *family = arg;

	if (family->found == 0)
		family->found = holder_has_stream(pid, family->fd);
}

/*
 * Whether the program has its connection as a standard stream: 1, 0, or a negative
 * errno.
 */
static int has_stream(const struct custody *custody, const struct process *process)
{
	struct family family = { .fd = process->session.client.fd };
	int list;

	if (!custody->monitored)
		return holder_has_stream(process->pid, family.fd);
	list = children_open_of(process->pid);
	if (list < 0)
		return -1;
	children_each(list, look_at_child, &family);
	close(list);
	return family.found;
}

static bool is_held(int fd)
{
	struct holding holding;
	struct stat status;

	if (fstat(fd, &status) < 0)
		return true;
	holding.inode = status.st_ino;
	return holders_find(&holding, 1) < 0 || holding.pid != 0;
}

/* With SO_LINGER and a time of 0 a program aborts its connection (socket(7)). */
static bool aborts(int fd)
{
	struct linger linger = { 0 };
	socklen_t size = sizeof(linger);

	return getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 &&
	       linger.l_onoff != 0 && linger.l_linger == 0;
}

static void check_idle(struct custody *custody, struct process *process, int64_t now_us)
{
	int64_t timeout_us = custody->sessions->settings->idle_timeout_us;
	struct session *session = &process->session;
	struct traffic traffic = { 0 };

	if (session->client.fd < 0) {
		session->idle_at_us = CLOCK_NEVER;
	} else if (tcp_info_read(session->client.fd, false, &traffic) == 0 &&
		   traffic.idle_us >= timeout_us) {
		session->idle_at_us = CLOCK_NEVER;
		process_terminate(custody->processes, process, REASON_IDLE, now_us);
	} else {
		session->idle_at_us = now_us + timeout_us - traffic.idle_us;
	}
}

static bool has_ended(const struct process *process)
{
	const struct session *session = &process->session;
	char byte;

	if (session->client.fd < 0)
		return session->ended;
	return recv(session->client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* The program has closed its connection, and goes on running. */
static void release(struct custody *custody, struct process *process, int64_t now_us)
{
	struct score_row *row = process_row(custody->processes, process);
	struct session *session = &process->session;
	struct traffic traffic;

	if (tcp_info_read(session->client.fd, false, &traffic) == 0) {
		score_add(&row->bytes_in, traffic.in_bytes);
		score_add(&row->bytes_out, traffic.out_bytes);
	}
	session->ended = has_ended(process);
	process_unwatch(custody->processes, process);
	if (aborts(session->client.fd))
		close(session->client.fd);
	else
		sessions_let_go(custody->sessions, session->client.fd, now_us);
	session->client.fd = -1;
	session->look_at_us = CLOCK_NEVER;
}

/* A look at every process takes time, so as few of them are made as for leftovers. */
static bool may_look_everywhere(const struct custody *custody, int64_t now_us)
{
	return custody->leftovers.look_us <= now_us;
}

static void plan_look(struct session *session, int64_t now_us)
{
	struct traffic traffic;
	int64_t pause_us;

	if (tcp_info_read(session->client.fd, false, &traffic) == 0)
		pause_us = traffic.idle_us < BUSY_LOOK_US
				   ? BUSY_LOOK_US
				   : traffic.idle_us / LOOK_SHARE;
	else
		pause_us = (now_us - session->client.accepted_at_us) / LOOK_SHARE;
	session->look_at_us = now_us + (pause_us > LOOK_US ? pause_us : LOOK_US);
}

/* The connection of a warm program is in its channel until the program takes it. */
static bool is_on_its_way(struct custody *custody, struct process *process)
{
	int bytes = 0;

	if (process->channel < 0)
		return false;
	ioctl(process->channel, SIOCOUTQ, &bytes);
	if (bytes == 0)
		process_drop_channel(custody->processes, process);
	return bytes > 0;
}

static void look(struct custody *custody, struct process *process, int64_t now_us)
{
	struct session *session = &process->session;
	int has;

	if (session->client.fd < 0) {
		session->look_at_us = CLOCK_NEVER;
		return;
	}
	if (session->reset_at_us != 0 && !custody->ignores_hangup) {
		look_after_reset(custody, process, now_us);
		return;
	}
	has = is_on_its_way(custody, process) ? 1 : has_stream(custody, process);
	session->look_at_us = now_us + LOOK_US;
	if (has == 0 && !may_look_everywhere(custody, now_us))
		return;
	session->unseen =
		has == 0 && !is_held(session->client.fd) ? session->unseen + 1 : 0;
	if (session->unseen >= LOOKS_UNSEEN)
		release(custody, process, now_us);
	else if (has < 0) /* it may not be inspected */
		session->look_at_us = CLOCK_NEVER;
	else if (session->unseen == 0)
		plan_look(session, now_us);
}

void custody_plan(struct custody *custody, int64_t at_us)
{
	if (at_us < custody->look_us)
		custody->look_us = at_us;
}

static void look_at(struct custody *custody, struct process *process, int64_t heard_us)
{
	struct session *session = &process->session;

	if (session->look_at_us <= heard_us)
		look(custody, process, heard_us);
	if (session->idle_at_us <= heard_us && process->state == PROCESS_BUSY)
		check_idle(custody, process, heard_us);
	if (process->state != PROCESS_BUSY)
		return;
	custody_plan(custody, session->look_at_us);
	custody_plan(custody, session->idle_at_us);
}

void custody_tick(struct custody *custody, int64_t heard_us)
{
	struct process *process = custody->processes->in[PROCESS_BUSY].first;
	int64_t pause_us;

	leftovers_look(&custody->leftovers, heard_us);
	if (custody->look_us > heard_us)
		return;
	pause_us = clock_now_us();
	custody->look_us = CLOCK_NEVER;
	while (process != NULL) {
		struct process *next = process->next;

		look_at(custody, process, heard_us);
		process = next;
	}
	/* With many sessions one of them would always be due. */
	pause_us = LOOK_COST * (clock_now_us() - pause_us);
	if (pause_us < LOOKS_US)
		pause_us = LOOKS_US;
	if (custody->look_us < heard_us + pause_us)
		custody->look_us = heard_us + pause_us;
}

int64_t custody_deadline(const struct custody *custody)
{
	int64_t leftovers_us = leftovers_deadline(&custody->leftovers);

	return leftovers_us < custody->look_us ? leftovers_us : custody->look_us;
}

static void on_hangup(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct custody *custody = owner;
	struct process *process = &custody->processes->at[index];

	custody_hear(custody, process, events, now_us);
	custody_plan(custody, process->session.look_at_us);
}

/* Without any events: EPOLLHUP and EPOLLERR are always reported (epoll_ctl(2)). */
int custody_watch(struct custody *custody, struct process *process,
		  const struct client *client)
{
	return process_watch(custody->processes, process, client->fd, 0, on_hangup,
			     custody);
}

enum reason custody_judge(const struct process *process, const siginfo_t *info,
			  bool reset)
{
	if (process->end_cause != REASON_NONE)
		return process->end_cause;
	if (info->si_code != CLD_EXITED)
		return info->si_status == SIGPIPE ? REASON_RESET : REASON_CRASH_SIGNAL;
	if (reset)
		return REASON_RESET;
	if (info->si_status != 0)
		return REASON_FAILED;
	return has_ended(process) ? REASON_EOF : REASON_DONE;
}

/* close(2) would otherwise wait for the client as long as the program has set. */
static void unset_linger(int fd)
{
	struct linger none = { 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static bool leave_to_others(struct custody *custody, struct client *client,
			    const struct ending *ending, bool seen, int64_t now_us)
{
	if (leftovers_take(&custody->leftovers, client, ending, seen, now_us))
		return false;
	close(client->fd);
	return true;
}

struct relatives {
	const struct processes *processes;
	bool strangers;
};

static void note_stranger(void *arg, pid_t pid)
{
	struct relatives *relatives = arg;

	if (process_find(relatives->processes, pid) == NULL)
		relatives->strangers = true;
}

/*
 * Whether a program may have left processes behind: their orphans become our children.
 */
static bool has_strangers(const struct custody *custody)
{
	struct relatives relatives = { .processes = custody->processes };
	int list = children_open();

	if (list < 0)
		return true;
	children_each(list, note_stranger, &relatives);
	close(list);
	return relatives.strangers;
}

/*
 * Whether a program that left input unread was the last process to have its connection:
 * it has answered, which a program that only passes its connection on has not, and it
 * left no process behind. A look at all processes would be certain, but takes
 * milliseconds.
 */
static bool was_last(const struct custody *custody, int fd, const struct ending *ending)
{
	return ending->bytes_out > 0 && leftover_has_unread(fd) &&
	       !has_strangers(custody);
}

/* The program ended by itself. Returns whether its session is over. */
static bool end_by_itself(struct custody *custody, struct process *process,
			  const struct ending *ending, int64_t now_us)
{
	struct client *client = &process->session.client;
	bool group = custody->processes->calls->send(-process->pid, 0) == 0;

	if (aborts(client->fd)) {
		close(client->fd);
		return true;
	}
	unset_linger(client->fd);
	if (!group && was_last(custody, client->fd, ending)) {
		sessions_let_go(custody->sessions, client->fd, now_us);
		return true;
	}
	if (group || !leftover_close_is_harmless(client->fd))
		return leave_to_others(custody, client, ending, group, now_us);
	return leftovers_try_close(&custody->leftovers, &client->fd) ||
	       leave_to_others(custody, client, ending, true, now_us);
}

bool custody_end(struct custody *custody, struct process *process,
		 const struct ending *ending, int64_t now_us)
{
	struct client *client = &process->session.client;
	bool over = true;

	process_unwatch(custody->processes, process);
	if (client->fd < 0)
		return true;
	if (process->end_cause != REASON_NONE)
		sessions_let_go(custody->sessions, client->fd, now_us);
	else
		over = end_by_itself(custody, process, ending, now_us);
	client->fd = -1;
	return over;
}
