/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mdns.c - tells the local network where NVMe discovery is: service _nvme-disc._tcp, through Avahi's D-Bus interface
 * (org.freedesktop.Avahi.Server, .EntryGroup), where avahi-daemon runs.  NVMe TP 8009, RFC 6763.
 *
 * What is to be announced is made on the control thread from the portals that listen; D-Bus is spoken on a worker, since a
 * bus may let us wait.  Avahi takes back what a client announced when the client goes, so nothing is to be undone at the end. */
#include "config.h"
#include "control/control_priv.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-bus.h>

#define SERVICES_MAX 16
#define LOOK_AGAIN_S 20                  /* avahi-daemon may come, go or start anew */
#define CALL_TIMEOUT_US 2000000u
#define AVAHI "org.freedesktop.Avahi"
enum { AVAHI_ANY = -1, AVAHI_INET = 0, AVAHI_INET6 = 1 };
enum { AVAHI_GROUP_COLLISION = 3, AVAHI_GROUP_FAILURE = 4 };

struct service {
	int32_t interface, protocol;
	uint16_t port;
};
struct wish {
	char name[128];
	struct service service[SERVICES_MAX];
	size_t count;
};
static struct {
	pthread_mutex_t mutex;           /* guards wish, busy, again, stopping */
	pthread_cond_t idle;
	struct wish wish;
	bool busy, again, stopping;
	struct work work;
	struct timer timer;              /* the control thread's */
	/* the worker's */
	sd_bus *bus;
	char group[128];                 /* object path; empty: nothing is announced */
	struct wish told;
	unsigned collisions;
} mdns = { .mutex = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER };

/* ---- on the worker: Avahi ---------------------------------------------------------------------------------------------- */
static void forget(void)
{
	mdns.bus = sd_bus_close_unref(mdns.bus);
	mdns.group[0] = '\0';
}

static int add_service(const char *name, const struct service *s)
{
	static const char *const words[] = { "p=tcp", "nqn=" "nqn.2014-08.org.nvmexpress.discovery" };
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(mdns.bus, &m, AVAHI, mdns.group, AVAHI ".EntryGroup", "AddService");
	if (r >= 0)
		r = sd_bus_message_append(m, "iiussssq", s->interface, s->protocol, 0u, name, "_nvme-disc._tcp", "", "", s->port);
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "ay");
	for (size_t i = 0; i < ARRAY_COUNT(words) && r >= 0; i++)
		r = sd_bus_message_append_array(m, 'y', words[i], strlen(words[i]));
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

static int announce(const struct wish *w)
{
	char name[160];
	int r = 0;
	if (!mdns.bus)
		r = sd_bus_open_system(&mdns.bus);
	if (r < 0)
		return r;
	sd_bus_set_method_call_timeout(mdns.bus, CALL_TIMEOUT_US);
	r = new_group();
	if (mdns.collisions)
		snprintf(name, sizeof(name), "%s #%u", w->name, mdns.collisions + 1);
	else
		snprintf(name, sizeof(name), "%s", w->name);
	for (size_t i = 0; i < w->count && r >= 0; i++)
		r = add_service(name, &w->service[i]);
	if (r >= 0)
		r = sd_bus_call_method(mdns.bus, AVAHI, mdns.group, AVAHI ".EntryGroup", "Commit", NULL, NULL, "");
	if (r >= 0)
		log_info(&log_control, "NVMe discovery is announced by mDNS", "name=\"%s\" services=%zu", name, w->count);
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

static void bring_about(const struct wish *w)
{
	bool same = w->count == mdns.told.count && !strcmp(w->name, mdns.told.name) &&
		    !memcmp(w->service, mdns.told.service, w->count * sizeof(w->service[0]));
	if (same && w->count && is_alive())
		return;
	forget();                        /* and Avahi forgets what was announced */
	mdns.told = *w;
	int r = w->count ? announce(w) : 0;
	if (r >= 0)
		return;
	log_debug(&log_control, "NVMe discovery is not announced by mDNS", "error=\"%s\"", strerror(-r));
	forget();
}

static void work_run(struct work *work)
{
	(void)work;
	pthread_mutex_lock(&mdns.mutex);
	do {
		struct wish w = mdns.wish;
		mdns.again = false;
		pthread_mutex_unlock(&mdns.mutex);
		bring_about(&w);
		pthread_mutex_lock(&mdns.mutex);
	} while (mdns.again && !mdns.stopping);
	mdns.busy = false;
	pthread_cond_signal(&mdns.idle);
	pthread_mutex_unlock(&mdns.mutex);
}

/* ---- on the control thread: what listens ----------------------------------------------------------------------------------- */
/* The interface of a local address; 0: none, or only this machine has it. */
static unsigned interface_of(const char *address, bool v6)
{
	struct ifaddrs *all, *i;
	uint8_t want[16];
	unsigned found = 0;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, address, want) != 1 || getifaddrs(&all))
		return 0;
	for (i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != (v6 ? AF_INET6 : AF_INET) || i->ifa_flags & IFF_LOOPBACK)
			continue;
		const void *has = v6 ? (const void *)&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr :
				       (const void *)&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
		if (!memcmp(has, want, v6 ? 16 : 4))
			found = if_nametoindex(i->ifa_name);
	}
	freeifaddrs(all);
	return found;
}

static bool service_of(const struct rt_portal *p, struct service *ret)
{
	const char *address = text_of(p->row, "address");
	bool v6 = strchr(address, ':') != NULL;
	*ret = (struct service){ .interface = AVAHI_ANY, .protocol = v6 ? AVAHI_INET6 : AVAHI_INET, .port = (uint16_t)int_of(p->row, "port") };
	if (!strcmp(address, "0.0.0.0") || !strcmp(address, "::"))
		return true;
	ret->interface = (int32_t)interface_of(address, v6);
	return ret->interface > 0;
}

/* Portals that do discovery only; where there are none, those that do it beside I/O. */
static void collect(struct wish *w, const char *protocol)
{
	struct node *n;
	list_for_each(n, &ctl.portals.all, all) {
		struct rt_portal *p = container_of(n, struct rt_portal, node);
		if (p->listening && !strcmp(text_of(p->row, "protocol"), protocol) && w->count < SERVICES_MAX && service_of(p, &w->service[w->count]))
			w->count++;
	}
}

static void look_again(struct timer *t)
{
	(void)t;
	mdns_refresh();
}

void mdns_refresh(void)
{
	struct wish w;
	char word[16], name[100];
	memset(&w, 0, sizeof(w));
	setting_value("mdns", word, sizeof(word));
	setting_value("server_name", name, sizeof(name));
	snprintf(w.name, sizeof(w.name), "Holdfast on %.60s", name);     /* a label has 63 bytes */
	w.name[63] = '\0';
	if (!strcmp(word, "on") && ctl.started) {
		collect(&w, "nvme-discovery");
		if (!w.count)
			collect(&w, "nvme-tcp");
	}
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
