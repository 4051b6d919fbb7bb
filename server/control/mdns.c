/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mdns.c - tells the local network what is served here, through Avahi's D-Bus interface (org.freedesktop.Avahi.Server,
 * .EntryGroup), where avahi-daemon runs.  RFC 6763.
 *
 * What is to be announced is made on the control thread (mdns_services.c); D-Bus is spoken on a worker, since a
 * bus may let us wait.  Avahi takes back what a client announced when the client goes, so nothing is to be undone at the end. */
#include "config.h"
#include "control/mdns_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-bus.h>

#define LOOK_AGAIN_S 20                  /* avahi-daemon may come, go or start anew */
#define CALL_TIMEOUT_US 2000000u
#define AVAHI "org.freedesktop.Avahi"
enum { AVAHI_GROUP_COLLISION = 3, AVAHI_GROUP_FAILURE = 4 };

static struct {
	pthread_mutex_t mutex;           /* guards wish, busy, again, stopping */
	pthread_cond_t idle;
	struct mdns_wish wish;
	bool busy, again, stopping;
	struct work work;
	struct timer timer;              /* the control thread's */
	/* the worker's */
	sd_bus *bus;
	char group[128];                 /* object path; empty: nothing is announced */
	struct mdns_wish told, doing;
	unsigned collisions;
} mdns = { .mutex = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER };

/* ---- on the worker: Avahi ---------------------------------------------------------------------------------------------- */
static void forget(void)
{
	mdns.bus = sd_bus_close_unref(mdns.bus);
	mdns.group[0] = '\0';
}

static int add_service(const struct mdns_service *s)
{
	char name[80];
	sd_bus_message *m = NULL;
	if (mdns.collisions)
		snprintf(name, sizeof(name), "%.56s #%u", s->name, mdns.collisions + 1);
	else
		snprintf(name, sizeof(name), "%s", s->name);
	int r = sd_bus_message_new_method_call(mdns.bus, &m, AVAHI, mdns.group, AVAHI ".EntryGroup", "AddService");
	if (r >= 0)
		r = sd_bus_message_append(m, "iiussssq", s->interface, s->protocol, 0u, name, s->type, "", "", s->port);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "ay");
	for (size_t i = 0; i < s->txt_count && r >= 0; i++)
		r = sd_bus_message_append_array(m, 'y', s->txt[i], strlen(s->txt[i]));
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_call(mdns.bus, m, 0, NULL, NULL);
	sd_bus_message_unref(m);
	return r;
}

static int new_group(void)
{
	sd_bus_message *answer = NULL;
	const char *path = NULL;
	int r = sd_bus_call_method(mdns.bus, AVAHI, "/", AVAHI ".Server", "EntryGroupNew", NULL, &answer, "");
	if (r >= 0)
		r = sd_bus_message_read(answer, "o", &path);
	if (r >= 0)
		snprintf(mdns.group, sizeof(mdns.group), "%s", path);
	sd_bus_message_unref(answer);
	return r;
}

static int announce(const struct mdns_wish *w)
{
	int r = 0;
	if (!mdns.bus)
		r = sd_bus_open_system(&mdns.bus);
	if (r < 0)
		return r;
	sd_bus_set_method_call_timeout(mdns.bus, CALL_TIMEOUT_US);
	r = new_group();
	for (size_t i = 0; i < w->count && r >= 0; i++)
		r = add_service(&w->service[i]);
	if (r >= 0)
		r = sd_bus_call_method(mdns.bus, AVAHI, mdns.group, AVAHI ".EntryGroup", "Commit", NULL, NULL, "");
	if (r >= 0)
		log_info(&log_control, "announced by mDNS", "services=%zu first=\"%s\" type=%s", w->count, w->service[0].name, w->service[0].type);
	return r;
}

/* Is what we announced still there?  Another machine of our name makes us take another one. */
static bool is_alive(void)
{
	sd_bus_message *answer = NULL;
	int32_t state = AVAHI_GROUP_FAILURE;
	if (!mdns.bus || !mdns.group[0])
		return false;
	while (sd_bus_process(mdns.bus, NULL) > 0)
		;                        /* signals that nobody listens to */
	int r = sd_bus_call_method(mdns.bus, AVAHI, mdns.group, AVAHI ".EntryGroup", "GetState", NULL, &answer, "");
	if (r >= 0)
		r = sd_bus_message_read(answer, "i", &state);
	sd_bus_message_unref(answer);
	mdns.collisions += r >= 0 && state == AVAHI_GROUP_COLLISION;
	return r >= 0 && state != AVAHI_GROUP_COLLISION && state != AVAHI_GROUP_FAILURE;
}

static void bring_about(const struct mdns_wish *w)
{
	bool same = w->count == mdns.told.count && !memcmp(w->service, mdns.told.service, w->count * sizeof(w->service[0]));
	if (same && w->count && is_alive())
		return;
	forget();                        /* and Avahi forgets what was announced */
	mdns.told = *w;
	int r = w->count ? announce(w) : 0;
	if (r >= 0)
		return;
	log_debug(&log_control, "nothing is announced by mDNS", "error=\"%s\"", strerror(-r));
	forget();
}

static void work_run(struct work *work)
{
	(void)work;
	pthread_mutex_lock(&mdns.mutex);
	do {
		mdns.doing = mdns.wish;
		mdns.again = false;
		pthread_mutex_unlock(&mdns.mutex);
		bring_about(&mdns.doing);
		pthread_mutex_lock(&mdns.mutex);
	} while (mdns.again && !mdns.stopping);
	mdns.busy = false;
	pthread_cond_signal(&mdns.idle);
	pthread_mutex_unlock(&mdns.mutex);
}

/* ---- on the control thread --------------------------------------------------------------------------------------------- */
static void look_again(struct timer *t)
{
	(void)t;
	mdns_refresh();
}

void mdns_refresh(void)
{
	static struct mdns_wish w;       /* large; the control thread's */
	memset(&w, 0, sizeof(w));
	if (ctl.started)
		mdns_services(&w);
	pthread_mutex_lock(&mdns.mutex);
	bool start = !mdns.busy && !mdns.stopping && (w.count || mdns.wish.count);
	mdns.wish = w;
	mdns.again = true;
	mdns.busy |= start;
	bool stopping = mdns.stopping;
	pthread_mutex_unlock(&mdns.mutex);
	if (start) {
		mdns.work.work = work_run;
		mdns.work.done = NULL;
		reactor_work(NULL, &mdns.work);
	}
	timer_stop(&mdns.timer);
	mdns.timer.fire = look_again;
	if (w.count && !stopping)
		timer_start(ctl.reactor, &mdns.timer, LOOK_AGAIN_S * SECOND_NS);
}

void mdns_apply(const char *value)
{
	(void)value;
	mdns_refresh();
}

void mdns_start(void)
{
	mdns.stopping = false;
	mdns_refresh();
}

void mdns_stop(void)
{
	timer_stop(&mdns.timer);
	pthread_mutex_lock(&mdns.mutex);
	mdns.stopping = true;
	while (mdns.busy)
		pthread_cond_wait(&mdns.idle, &mdns.mutex);
	memset(&mdns.wish, 0, sizeof(mdns.wish));
	memset(&mdns.told, 0, sizeof(mdns.told));
	pthread_mutex_unlock(&mdns.mutex);
	forget();
}

#else
/* Without libsystemd there is no D-Bus here: nothing is announced. */
void mdns_refresh(void)
{
}
void mdns_apply(const char *value)
{
	(void)value;
}
void mdns_start(void)
{
}
void mdns_stop(void)
{
}
#endif
