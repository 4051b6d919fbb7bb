/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_portal.c - listening addresses.  One that cannot be bound is an alert, tried again every five seconds;
 * the daemon goes on.  Sockets that systemd or an older daemon holds are taken over, and ours are put up for
 * the next one. */
#include "control/control_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct rt_portal *rt_portal_find(const char *id)
{
	struct node *n = registry_find(&ctl.portals, id);
	return n ? container_of(n, struct rt_portal, node) : NULL;
}

/* "iscsi/192.0.2.1:3260", "https/[::]:8443": how a socket is called in a hand-over. */
static void socket_name(const json_t *row, char *buf, size_t buf_bytes)
{
	const char *address = text_of(row, "address");
	snprintf(buf, buf_bytes, strchr(address, ':') ? "%s/[%s]:%" PRId64 : "%s/%s:%" PRId64, text_of(row, "protocol"), address, int_of(row, "port"));
}

static enum nvmf_tls_mode tls_mode(const char *word)
{
	return strcmp(word, "off") == 0 ? NVMF_TLS_OFF : strcmp(word, "required") == 0 ? NVMF_TLS_REQUIRED : NVMF_TLS_ALLOWED;
}

static int portal_open(struct rt_portal *p)
{
	char name[128];
	int r, fd = -1;
	if (nas_protocol(text_of(p->row, "protocol")))
		return 0;                /* its servers are told with all that concerns shares */
	socket_name(p->row, name, sizeof(name));
	if (ctl.opts.take_listen_fd)
		fd = ctl.opts.take_listen_fd(ctl.opts.arg, name);
	if (strcmp(text_of(p->row, "protocol"), "https") == 0) {
		if (!ctl.opts.https_open)
			return -EPROTONOSUPPORT;
		return ctl.opts.https_open(ctl.opts.arg, text_of(p->row, "address"), (uint16_t)int_of(p->row, "port"), fd, &p->https);
	}
	bool discovery = strcmp(text_of(p->row, "protocol"), "nvme-discovery") == 0;
	if (discovery || strcmp(text_of(p->row, "protocol"), "nvme-tcp") == 0) {
		struct nvmf_portal_spec ns = {
			.address = text_of(p->row, "address"), .port = (uint16_t)int_of(p->row, "port"), .discovery_only = discovery,
			.group = (uint16_t)int_of(p->row, "group_tag"), .listen_fd = fd,
			.tls = tls_mode(text_of(p->row, "nvme_tls")),
		};
		r = nvmf_portal_add(&ns, &p->nvmf);
		if (!r && ctl.opts.keep_listen_fd)
			ctl.opts.keep_listen_fd(ctl.opts.arg, name, nvmf_portal_fd(p->nvmf));
		return r;
	}
	struct iscsi_portal_spec spec = {
		.address = text_of(p->row, "address"), .port = (uint16_t)int_of(p->row, "port"), .tpgt = (uint16_t)int_of(p->row, "group_tag"), .listen_fd = fd,
	};
	r = iscsi_portal_add(&spec, &p->iscsi);
	if (!r && ctl.opts.keep_listen_fd)
		ctl.opts.keep_listen_fd(ctl.opts.arg, name, iscsi_portal_fd(p->iscsi));
	return r;
}

static const char *bind_advice(int err)
{
	switch (err) {
	case -EADDRINUSE:
		return "another program listens there";
	case -EADDRNOTAVAIL:
		return "this machine does not have the address (now)";
	case -EACCES:
		return "ports below 1024 need a privilege that the server does not have";
	default:
		return strerror(-err);
	}
}

static void portal_try(struct rt_portal *p)
{
	char label[128];
	object_label(MODEL_PORTAL, p->row, label, sizeof(label));
	const char *missing = front_end_missing(MODEL_PORTAL, text_of(p->row, "protocol"));
	int r = missing ? -EPROTONOSUPPORT : portal_open(p);
	p->listening = r == 0;
	if (!r) {
		if (ctl.started)
			mdns_refresh();
		p->reason[0] = '\0';
		alert_resolve("portal.failed", label);
		if (nas_protocol(text_of(p->row, "protocol")))
			return;
		control_event(LOG_LEVEL_INFO, false, "portal.listening", label, "portal %s listens", label);
		return;
	}
	snprintf(p->reason, sizeof(p->reason), "%s", missing ? missing : bind_advice(r));
	alert_raise(LOG_LEVEL_ERROR, "portal.failed", label, "portal %s does not listen: %s; it is tried again every %d s", label, p->reason, PORTAL_RETRY_S);
	retry_soon(PORTAL_RETRY_S);
}

static void portal_shut(struct rt_portal *p, bool for_good)
{
	char name[128], label[128];
	if (p->listening && for_good && ctl.opts.keep_listen_fd && !nas_protocol(text_of(p->row, "protocol"))) {
		socket_name(p->row, name, sizeof(name));
		ctl.opts.keep_listen_fd(ctl.opts.arg, name, -1);
	}
	if (p->iscsi)
		iscsi_portal_remove(TAKE(p->iscsi));
	if (p->nvmf)
		nvmf_portal_remove(TAKE(p->nvmf));
	if (p->https && ctl.opts.https_close)
		ctl.opts.https_close(ctl.opts.arg, TAKE(p->https));
	p->listening = false;
	if (ctl.started)
		mdns_refresh();
	object_label(MODEL_PORTAL, p->row, label, sizeof(label));
	if (for_good)
		alert_resolve("portal.failed", label);
}

void rt_portal_add(const json_t *row)
{
	struct rt_portal *p = calloc(1, sizeof(*p));
	if (!p)
		return;
	p->row = json_deep_copy(row);
	registry_add(&ctl.portals, &p->node, text_of(row, "id"));
	if (true_of(row, "enabled"))
		portal_try(p);
}

void rt_portal_remove(const char *id)
{
	struct rt_portal *p = rt_portal_find(id);
	if (!p)
		return;
	portal_shut(p, ctl.started);
	registry_remove(&ctl.portals, &p->node);
	json_decref(p->row);
	free(p);
}

bool portal_retry_all(void)
{
	bool left = false;
	struct node *n;
	list_for_each(n, &ctl.portals.all, all) {
		struct rt_portal *p = container_of(n, struct rt_portal, node);
		if (!p->listening && true_of(p->row, "enabled"))
			portal_try(p);
		left |= !p->listening && true_of(p->row, "enabled");
	}
	return left;
}
