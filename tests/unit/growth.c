#include "growth.h"

#include "check.h"

struct autoscale autoscale;
struct autoscale_view view;
int64_t now;

void begin(unsigned least, unsigned most)
{
	now = START;
	view = (struct autoscale_view){ .accepted = 0, .workers = least };
	autoscale_start(&autoscale, least, most);
}

void hear(unsigned waiting)
{
	view.waiting = waiting;
	autoscale_heard(&autoscale, &view, now);
}

void hear_while_held(unsigned waiting)
{
	view.active = view.accepted = view.workers;
	hear(waiting);
}

bool settle_after(int64_t us)
{
	now += us;
	return autoscale_settle(&autoscale, &view, now);
}

bool settle_when_due(void)
{
	assert_true(autoscale_deadline(&autoscale) > now);
	now = autoscale_deadline(&autoscale);
	return autoscale_settle(&autoscale, &view, now);
}

unsigned serve_until(int64_t until)
{
	unsigned times = 0;

	for (;;) {
		unsigned idle = view.workers - (unsigned)view.active;
		unsigned taken = idle < view.waiting ? idle : view.waiting;

		view.active += taken;
		view.accepted += taken;
		view.waiting -= taken;
		if (autoscale.state == AUTOSCALE_WATCHES && view.waiting > 0)
			hear(view.waiting);
		if (autoscale_deadline(&autoscale) > until)
			break;
		settle_when_due();
		times++;
		if (view.workers < autoscale.wanted)
			view.workers = autoscale.wanted;
	}
	now = until;
	return times;
}

void hold(unsigned clients)
{
	view.waiting += clients;
	serve_until(now + SECOND);
}

void leave(unsigned clients)
{
	assert_true(view.active >= clients);
	view.active -= clients;
}
