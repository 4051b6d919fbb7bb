/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mdns_services.c - what the local network is told: NVMe discovery (_nvme-disc, NVMe TP 8009), the page (_https), SMB (_smb,
 * with _device-info, so that Macs show a server), Time Machine (_adisk, one dk per share), NFS (_nfs, one per share). */
#include "control/mdns_priv.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

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

static bool place_of(const json_t *row, struct mdns_service *s)
{
	const char *address = text_of(row, "address");
	bool v6 = strchr(address, ':') != NULL;
	s->interface = MDNS_ANY;
	s->protocol = v6 ? MDNS_INET6 : MDNS_INET;
	s->port = (uint16_t)int_of(row, "port");
	if (!strcmp(address, "0.0.0.0") || !strcmp(address, "::"))
		return true;
	s->interface = (int32_t)interface_of(address, v6);
	return s->interface > 0;
}

/* The next service, or NULL when there are too many; it counts once it is filled. */
static struct mdns_service *add(struct mdns_wish *w, const json_t *portal, const char *type, const char *fmt, ...) _printf_(4, 5);
static struct mdns_service *add(struct mdns_wish *w, const json_t *portal, const char *type, const char *fmt, ...)
{
	if (w->count == MDNS_SERVICES)
		return NULL;
	struct mdns_service *s = &w->service[w->count];
	memset(s, 0, sizeof(*s));
	if (!place_of(portal, s))
		return NULL;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(s->name, sizeof(s->name), fmt, ap);
	va_end(ap);
	snprintf(s->type, sizeof(s->type), "%s", type);
	w->count++;
	return s;
}

static void txt(struct mdns_service *s, const char *fmt, ...) _printf_(2, 3);
static void txt(struct mdns_service *s, const char *fmt, ...)
{
	va_list ap;
	if (s->txt_count == MDNS_TXT)
		return;
	va_start(ap, fmt);
	vsnprintf(s->txt[s->txt_count++], sizeof(s->txt[0]), fmt, ap);
	va_end(ap);
}

static bool is_on(const char *key)
{
	char word[16];
	setting_value(key, word, sizeof(word));
	return strcmp(word, "on") == 0;
}

/* Portals that do discovery only; where there are none, those that do it beside I/O. */
static bool nvme(struct mdns_wish *w, const char *server, const char *protocol)
{
	struct node *n;
	bool any = false;
	list_for_each(n, &ctl.portals.all, all) {
		struct rt_portal *p = container_of(n, struct rt_portal, node);
		struct mdns_service *s = p->listening && !strcmp(text_of(p->row, "protocol"), protocol) ? add(w, p->row, "_nvme-disc._tcp", "Holdfast on %s", server) : NULL;
		if (!s)
			continue;
		txt(s, "p=tcp");
		txt(s, "nqn=nqn.2014-08.org.nvmexpress.discovery");
		any = true;
	}
	return any;
}

static void page(struct mdns_wish *w, const char *server)
{
	struct node *n;
	list_for_each(n, &ctl.portals.all, all) {
		struct rt_portal *p = container_of(n, struct rt_portal, node);
		struct mdns_service *s = p->listening && !strcmp(text_of(p->row, "protocol"), "https") ? add(w, p->row, "_https._tcp", "Holdfast on %s", server) : NULL;
		if (s)
			txt(s, "path=/");
	}
}

/* What Apple's Time Machine looks for: shares that it may use, by name; 0x82: SMB, and Time Machine. */
static void time_machine(struct mdns_wish *w, const json_t *portal, const char *name, const json_t *shares)
{
	const json_t *share;
	size_t i;
	struct mdns_service *s = NULL;
	json_array_foreach(shares, i, share) {
		if (strcmp(text_of(share, "preset"), "time-machine") != 0 || !true_of(share, "smb"))
			continue;
		if (!s && !(s = add(w, portal, "_adisk._tcp", "%s", name)))
			return;
		if (!s->txt_count) {
			s->port = 9;
			txt(s, "sys=waMa=0,adVF=0x100");
		}
		txt(s, "dk%zu=adVN=%s,adVF=0x82,adVU=%s", s->txt_count - 1, text_of(share, "name"), text_of(share, "id"));
	}
}

static void smb(struct mdns_wish *w, const char *name, const json_t *portal, const json_t *shares)
{
	if (!add(w, portal, "_smb._tcp", "%s", name))
		return;
	struct mdns_service *s = add(w, portal, "_device-info._tcp", "%s", name);
	if (s) {
		s->port = 9;             /* nothing listens there: only its text counts */
		txt(s, "model=RackMac");
	}
	time_machine(w, portal, name, shares);
}

static void nfs(struct mdns_wish *w, const char *server, const json_t *portal, const json_t *shares)
{
	const json_t *share;
	size_t i;
	json_array_foreach(shares, i, share) {
		struct mdns_service *s = true_of(share, "nfs") && !true_of(share, "hidden") ? add(w, portal, "_nfs._tcp", "%.30s on %.28s", text_of(share, "name"), server) : NULL;
		if (s)
			txt(s, "path=/%s", text_of(share, "name"));
	}
}

static void shares_over(struct mdns_wish *w, const char *protocol, const char *server, const json_t *shares)
{
	json_t *portals = portals_of(protocol), *portal;
	char why[WHY_BYTES], name[64];
	bool listening = false;
	size_t i;
	setting_value("smb_server_name", name, sizeof(name));
	if (json_array_size(portals))
		nas_portal_state(protocol, &listening, why, sizeof(why));
	json_array_foreach(portals, i, portal) {
		if (!listening)
			break;
		if (!strcmp(protocol, "smb"))
			smb(w, *name ? name : server, portal, shares);
		else
			nfs(w, server, portal, shares);
	}
	json_decref(portals);
}

void mdns_services(struct mdns_wish *w)
{
	struct config_error e;
	json_t *shares = NULL;
	char server[61];
	setting_value("server_name", server, sizeof(server));
	if (is_on("mdns") && !nvme(w, server, "nvme-discovery"))
		nvme(w, server, "nvme-tcp");
	if (!is_on("nas_mdns"))
		return;
	page(w, server);
	if (rows_where(MODEL_SHARE, "enabled", "true", &shares, &e))
		return;
	if (json_array_size(shares)) {
		shares_over(w, "smb", server, shares);
		shares_over(w, "nfs", server, shares);
	}
	json_decref(shares);
}
