#include "session.h"

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "engine/admit/policy.h"
#include "linger.h"
#include "report.h"

#define REFUSAL_PATIENCE_US 1000000 /* for a refused client to read the text */

void sessions_accepted(struct sessions *sessions, struct client *client)
{
	client->id = ++sessions->totals.accepted;
	report_connect(sessions->report, client);
}

enum reason sessions_judge(const struct sessions *sessions, const struct client *client,
			   int64_t now_us)
{
	return policy_judge(sessions->policy, client, now_us);
}

/* A fresh connection's send buffer holds any text of reasonable length. */
static void say(int fd, const char *text)
{
	if (text != NULL)
		send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void sessions_admit(struct sessions *sessions, struct client *client, int64_t now_us)
{
	policy_enter(sessions->policy, client, now_us);
	say(client->fd, sessions->settings->banner);
}

unsigned sessions_of_source(const struct sessions *sessions,
			    const struct client *client)
{
	return policy_connections(sessions->policy, client);
}

/* The only place where an accepted connection is counted as closed. */
static void count_end(struct sessions *sessions, struct client *client,
		      enum reason reason, int64_t now_us)
{
	sessions->totals.closed[reason]++;
	policy_leave(sessions->policy, client, now_us);
}

void sessions_drop(struct sessions *sessions, struct client *client, enum reason reason,
		   int64_t now_us)
{
	count_end(sessions, client, reason, now_us);
}

void sessions_end(struct sessions *sessions, struct client *client,
		  const struct ending *ending, int64_t now_us)
{
	count_end(sessions, client, ending->reason, now_us);
	score_sum(&sessions->totals.bytes_in, ending->bytes_in);
	score_sum(&sessions->totals.bytes_out, ending->bytes_out);
	report_close(sessions->report, client, ending, now_us);
	client->id = 0;
}

/* Without any time to linger, close(2) sends RST: tcp(7), SO_LINGER in socket(7). */
static void close_refused(const struct settings *settings, int fd)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };

	if (settings->refusal == PRONG_REFUSAL_RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

void sessions_refuse(struct sessions *sessions, struct client *client,
		     enum reason reason, bool at_once, int64_t now_us)
{
	report_refused(sessions->report, client, reason, now_us);
	count_end(sessions, client, reason, now_us);
	say(client->fd, sessions->settings->refusal_text);
	if (!at_once && sessions->settings->refusal_text != NULL)
		linger_start(sessions->lingering, client->fd, REFUSAL_PATIENCE_US,
			     now_us);
	else
		close_refused(sessions->settings, client->fd);
	client->fd = -1;
	client->id = 0;
}

void sessions_let_go(struct sessions *sessions, int fd, int64_t now_us)
{
	linger_start(sessions->lingering, fd, sessions->settings->linger_us, now_us);
}

bool sessions_make_room(struct sessions *sessions)
{
	return linger_cut_short(sessions->lingering);
}
