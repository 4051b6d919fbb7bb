/* SPDX-License-Identifier: GPL-3.0-or-later */
/* connect.c - what to type on a host so that it reaches a target: Linux, Windows, ESXi, with the real names and
 * addresses.  Secrets are never printed; a word in angle brackets stands for them. */
#include "control/control_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/operate.h"

void connect_line(json_t *lines, const char *fmt, ...)
{
	char text[1600];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(lines, json_string(text));
}

/* ---- where -------------------------------------------------------------------------------------------------- */
json_t *portals_of(const char *protocol)
{
	const char *word = strcmp(protocol, "nvme") == 0 ? "nvme-tcp" : nas_protocol(protocol) ? protocol : "iscsi";
	struct config_query q = { .where_field = "protocol", .where_value = word, .where_field2 = "enabled", .where_value2 = "true" };
	struct config_error e;
	json_t *rows;
	return config_list(ctl.db, MODEL_PORTAL, &q, &rows, &e) ? json_array() : rows;
}

static void add_endpoint(json_t *list, const char *address, int64_t port)
{
	char text[128];
	json_t *have;
	size_t i;
	snprintf(text, sizeof(text), strchr(address, ':') ? "[%s]:%" PRId64 : "%s:%" PRId64, address, port);
	json_array_foreach(list, i, have)
		if (strcmp(json_string_value(have), text) == 0)
			return;
	json_array_append_new(list, json_pack("s", text));
}

/* A portal on all addresses stands for each that a host may come to; loopback only when there is no other. */
static void add_all(json_t *list, const char *family, int64_t port)
{
	json_t *all = control_addresses(), *a;
	size_t i, before = json_array_size(list);
	for (int loopback = 0; loopback < 2 && json_array_size(list) == before; loopback++)
		json_array_foreach(all, i, a)
			if (true_of(a, "loopback") == loopback && true_of(a, "up") && !true_of(a, "link_local") && strcmp(text_of(a, "family"), family) == 0)
				add_endpoint(list, text_of(a, "address"), port);
	json_decref(all);
}

static json_t *endpoints_of(const json_t *portals)
{
	json_t *list = json_array(), *p;
	size_t i;
	json_array_foreach((json_t *)portals, i, p) {
		const char *address = text_of(p, "address");
		if (strcmp(address, "0.0.0.0") == 0)
			add_all(list, "ipv4", int_of(p, "port"));
		else if (strcmp(address, "::") == 0)
			add_all(list, "ipv6", int_of(p, "port"));
		else
			add_endpoint(list, address, int_of(p, "port"));
	}
	return list;
}

json_t *portal_endpoints(const char *protocol)
{
	json_t *portals = portals_of(protocol), *endpoints = endpoints_of(portals);
	json_decref(portals);
	return endpoints;
}

/* "[::1]:3260" as address and port. */
void endpoint_split(const char *endpoint, char address[96], char port[8])
{
	const char *colon = strrchr(endpoint, ':');
	bool six = *endpoint == '[';
	snprintf(address, 96, "%.*s", (int)(colon - endpoint) - (six ? 2 : 0), endpoint + six);
	snprintf(port, 8, "%.7s", colon + 1);
}

/* ---- iSCSI --------------------------------------------------------------------------------------------------- */
struct chap {
	const char *user, *mutual_user;  /* "" without */
};

/* A name in single quotes, so that the shell takes it as it is; inner: what stands for a quote in it. */
#define QUOTED_BYTES 1100
static void quote(const char *s, const char *inner, char out[QUOTED_BYTES])
{
	size_t n = 0;
	out[n++] = '\'';
	for (; *s && n < QUOTED_BYTES - 8; s++) {
		if (*s != '\'') {
			out[n++] = *s;
			continue;
		}
		memcpy(out + n, inner, strlen(inner));
		n += strlen(inner);
	}
	out[n++] = '\'';
	out[n] = '\0';
}

static void iscsi_linux(json_t *l, const char *iqn, const json_t *endpoints, const struct chap *c)
{
	const char *first = json_string_value(json_array_get(endpoints, 0));
	char user[QUOTED_BYTES], mutual[QUOTED_BYTES];
	quote(c->user, "'\\''", user);
	quote(c->mutual_user, "'\\''", mutual);
	connect_line(l, "# As root, with open-iscsi (Debian: open-iscsi, Red Hat: iscsi-initiator-utils).  The host's own name is in /etc/iscsi/initiatorname.iscsi");
	for (size_t i = 0; i < json_array_size(endpoints); i++)
		connect_line(l, "iscsiadm -m discovery -t sendtargets -p %s", json_string_value(json_array_get(endpoints, i)));
	if (*c->user) {
		connect_line(l, "iscsiadm -m node -T %s -o update -n node.session.auth.authmethod -v CHAP", iqn);
		connect_line(l, "iscsiadm -m node -T %s -o update -n node.session.auth.username -v %s", iqn, user);
		connect_line(l, "iscsiadm -m node -T %s -o update -n node.session.auth.password -v '<secret>'", iqn);
	}
	if (*c->mutual_user) {
		connect_line(l, "iscsiadm -m node -T %s -o update -n node.session.auth.username_in -v %s", iqn, mutual);
		connect_line(l, "iscsiadm -m node -T %s -o update -n node.session.auth.password_in -v '<secret of the server>'", iqn);
	}
	if (json_array_size(endpoints) > 1)
		connect_line(l, "iscsiadm -m node -T %s --login", iqn);
	else
		connect_line(l, "iscsiadm -m node -T %s -p %s --login", iqn, first);
	connect_line(l, "iscsiadm -m node -T %s -o update -n node.startup -v automatic", iqn);
	connect_line(l, "iscsiadm -m node -T %s --rescan   # instead, when the host is logged in already", iqn);
	connect_line(l, "lsblk -S");
	if (json_array_size(endpoints) > 1)
		connect_line(l, "multipath -ll   # several paths: have multipath-tools run before you mount");
}

static void iscsi_windows(json_t *l, const char *iqn, const json_t *endpoints, const struct chap *c)
{
	char address[96], port[8], user[QUOTED_BYTES];
	connect_line(l, "# In PowerShell as administrator.  The host's own name: (Get-InitiatorPort).NodeAddress");
	connect_line(l, "Set-Service MSiSCSI -StartupType Automatic; Start-Service MSiSCSI");
	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		endpoint_split(json_string_value(json_array_get(endpoints, i)), address, port);
		connect_line(l, "New-IscsiTargetPortal -TargetPortalAddress %s -TargetPortalPortNumber %s", address, port);
	}
	if (*c->mutual_user)
		connect_line(l, "Set-IscsiChapSecret -ChapSecret '<secret of the server>'");
	if (*c->user) {
		quote(c->user, "''", user);
		connect_line(l, "Connect-IscsiTarget -NodeAddress %s -IsPersistent $true -AuthenticationType %s -ChapUsername %s -ChapSecret '<secret>'", iqn,
		     *c->mutual_user ? "MUTUALCHAP" : "ONEWAYCHAP", user);
	} else {
		connect_line(l, "Connect-IscsiTarget -NodeAddress %s -IsPersistent $true", iqn);
	}
	connect_line(l, "Get-Disk | Where-Object BusType -eq 'iSCSI'");
}

static void iscsi_esxi(json_t *l, const char *iqn, const json_t *endpoints, const struct chap *c)
{
	char user[QUOTED_BYTES], mutual[QUOTED_BYTES];
	quote(c->user, "'\\''", user);
	quote(c->mutual_user, "'\\''", mutual);
	connect_line(l, "# In the ESXi shell.  The host's own name: esxcli iscsi adapter get -A vmhba64");
	connect_line(l, "esxcli iscsi software set --enabled=true");
	connect_line(l, "esxcli iscsi adapter list   # the adapter is vmhba64 below; take the name that you see");
	if (*c->user)
		connect_line(l, "esxcli iscsi adapter auth chap set --adapter=vmhba64 --direction=uni --level=required --authname=%s --secret='<secret>'", user);
	if (*c->mutual_user)
		connect_line(l, "esxcli iscsi adapter auth chap set --adapter=vmhba64 --direction=mutual --level=required --authname=%s --secret='<secret of the server>'", mutual);
	for (size_t i = 0; i < json_array_size(endpoints); i++)
		connect_line(l, "esxcli iscsi adapter discovery sendtarget add --adapter=vmhba64 --address=%s", json_string_value(json_array_get(endpoints, i)));
	connect_line(l, "esxcli storage core adapter rescan --adapter=vmhba64");
	connect_line(l, "esxcli iscsi session list --name=%s", iqn);
}

/* ---- NVMe/TCP -------------------------------------------------------------------------------------------------- */
static void nvme_linux(json_t *l, const char *nqn, const json_t *endpoints, bool dhchap, bool tls)
{
	char address[96], port[8];
	connect_line(l, "# As root, with nvme-cli.  The host's own name is in /etc/nvme/hostnqn");
	connect_line(l, "modprobe nvme-tcp");
	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		endpoint_split(json_string_value(json_array_get(endpoints, i)), address, port);
		if (i == 0)
			connect_line(l, "nvme discover -t tcp -a %s -s %s", address, port);
		connect_line(l, "nvme connect -t tcp -a %s -s %s -n %s%s%s", address, port, nqn, dhchap ? " --dhchap-secret='<DHHC-1 key>'" : "", tls ? " --tls" : "");
	}
	connect_line(l, "nvme list-subsys");
	connect_line(l, "lsblk");
}

static void nvme_esxi(json_t *l, const char *nqn, const json_t *endpoints)
{
	char address[96], port[8];
	connect_line(l, "# In the ESXi shell (7.0 U3 or newer).  The host's own name: esxcli nvme info get");
	connect_line(l, "esxcli nvme fabrics enable --protocol=TCP --device=vmnic0   # the uplink that leads to the storage");
	connect_line(l, "esxcli network ip interface tag add --interface-name=vmk0 --tagname=NVMeTCP");
	connect_line(l, "esxcli nvme adapter list   # the adapter is vmhba65 below; take the name that you see");
	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		endpoint_split(json_string_value(json_array_get(endpoints, i)), address, port);
		if (i == 0)
			connect_line(l, "esxcli nvme fabrics discover --adapter=vmhba65 --ip-address=%s --port-number=%s", address, port);
		connect_line(l, "esxcli nvme fabrics connect --adapter=vmhba65 --ip-address=%s --port-number=%s --subsystem-nqn=%s", address, port, nqn);
	}
	connect_line(l, "esxcli nvme namespace list");
}

json_t *connect_json(const char *protocol, const char *qualified_name, const json_t *portals, const json_t *host)
{
	json_t *os[3] = { json_array(), json_array(), json_array() }, *endpoints = endpoints_of(portals);
	struct chap c = { text_of(host, "chap_user"), text_of(host, "mutual_user") };
	if (json_array_size(endpoints) == 0) {
		for (size_t i = 0; i < ARRAY_COUNT(os); i++)
			connect_line(os[i], "# No portal serves this protocol yet: holdfast portal add %s 0.0.0.0:%s", strcmp(protocol, "nvme") == 0 ? "nvme-tcp" : "iscsi",
			     strcmp(protocol, "nvme") == 0 ? "4420" : "3260");
	} else if (strcmp(protocol, "nvme") == 0) {
		nvme_linux(os[0], qualified_name, endpoints, true_of(host, "dhchap_key"), true_of(host, "tls_psk"));
		connect_line(os[1], "# Windows brings no NVMe/TCP initiator: serve the volume over iSCSI, or install a vendor's initiator.");
		nvme_esxi(os[2], qualified_name, endpoints);
	} else {
		iscsi_linux(os[0], qualified_name, endpoints, &c);
		iscsi_windows(os[1], qualified_name, endpoints, &c);
		iscsi_esxi(os[2], qualified_name, endpoints, &c);
	}
	return json_pack("{s:s, s:s, s:o, s:{s:o, s:o, s:o}}", "protocol", protocol, "name", qualified_name, "addresses", endpoints, "connect", "linux", os[0], "windows", os[1], "esxi",
			 os[2]);
}

/* ---- the call ----------------------------------------------------------------------------------------------------- */
struct connect_call {
	const char *target, *host;
	json_t *result;
	struct config_error *e;
};
static int connect_run(void *arg)
{
	struct connect_call *c = arg;
	json_t *target, *host = NULL;
	int r = config_get(ctl.db, MODEL_TARGET, c->target, &target, c->e);
	if (r)
		return r;
	if (c->host && *c->host)
		r = config_get(ctl.db, MODEL_HOST, c->host, &host, c->e);
	if (!r) {
		json_t *portals = portals_of(text_of(target, "protocol"));
		c->result = connect_json(text_of(target, "protocol"), text_of(target, "qualified_name"), portals, host);
		json_decref(portals);
	}
	json_decref(target);
	json_decref(host);
	return r;
}

int control_connect(const char *target, const char *host, json_t **ret_result, struct config_error *e)
{
	struct connect_call c = { .target = target, .host = host, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, connect_run, &c);
	if (!r)
		*ret_result = c.result;
	return r;
}
