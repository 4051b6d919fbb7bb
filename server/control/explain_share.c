/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain_share.c - the questions of people about shares: why can this one not open it, and what to type on a client.  Names
 * become addresses on the caller's thread, since looking them up may take long; the walk itself is share/'s. */
#include "control/nas_priv.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "control/operate.h"

#define ANSWER_MS 1000

/* ---- explain ------------------------------------------------------------------------------------------------- */
/* Does anything take connections there?  An address of all is asked on loopback. */
static bool port_answers(const json_t *portal)
{
	const char *address = text_of(portal, "address");
	char port[8];
	struct addrinfo want = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
	snprintf(port, sizeof(port), "%" PRId64, int_of(portal, "port"));
	if (getaddrinfo(strcmp(address, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(address, "::") == 0 ? "::1" : address, port, &want, &found))
		return false;
	_cleanup_(closep) int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -1 : connect(fd, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	if (r < 0 && (fd < 0 || errno != EINPROGRESS))
		return false;
	struct pollfd p = { fd, POLLOUT, 0 };
	int error = 0;
	socklen_t len = sizeof(error);
	return r == 0 || (TEMP_FAILURE_RETRY(poll(&p, 1, ANSWER_MS)) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error == 0);
}

static void why_not(const char *protocol, const json_t *portals, char *why, size_t why_bytes)
{
	bool listening = false;
	json_t *p;
	size_t i;
	nas_portal_state(protocol, &listening, why, why_bytes);
	if (listening)
		why[0] = '\0';
	json_array_foreach((json_t *)portals, i, p)
		if (!*why && true_of(p, "enabled") && strcmp(text_of(p, "protocol"), protocol) == 0 && !port_answers(p))
			snprintf(why, why_bytes, "nothing takes connections at port %" PRId64, int_of(p, "port"));
}

struct ask {
	const char *user, *host, *share;
	char address[64];                /* of the host; "" not known yet */
	json_t *result;
	struct config_error *e;
};

/* A host of ours by its name: the first of its addresses that is one. */
static int host_run(void *arg)
{
	struct ask *a = arg;
	unsigned char bytes[16];
	struct config_error ignored;
	json_t *host, *v;
	size_t i;
	if (config_get(ctl.db, MODEL_HOST, a->host, &host, &ignored))
		return 0;
	json_array_foreach(json_object_get(host, "addresses"), i, v) {
		const char *text = json_string_value(v);
		if (!a->address[0] && (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1))
			snprintf(a->address, sizeof(a->address), "%s", text);
	}
	json_decref(host);
	return 0;
}

static int find_address(struct ask *a)
{
	unsigned char bytes[16];
	struct addrinfo want = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	if (inet_pton(AF_INET, a->host, bytes) == 1 || inet_pton(AF_INET6, a->host, bytes) == 1) {
		snprintf(a->address, sizeof(a->address), "%s", a->host);
		return 0;
	}
	int r = reactor_call(ctl.reactor, host_run, a);
	if (r || a->address[0])
		return r;
	r = getaddrinfo(a->host, NULL, &want, &found);
	if (r == 0)
		getnameinfo(found->ai_addr, found->ai_addrlen, a->address, sizeof(a->address), NULL, 0, NI_NUMERICHOST);
	if (found)
		freeaddrinfo(found);
	return r == 0 && a->address[0] ? 0 : config_fail(a->e, -ENOENT, "host", "%s is no address, no host with an address, and no name that this machine can look up", a->host);
}

static int explain_run(void *arg)
{
	struct ask *a = arg;
	struct nas_world h;
	char smb_why[WHY_BYTES] = "", nfs_why[WHY_BYTES] = "";
	json_t *share;
	int r = config_get(ctl.db, MODEL_SHARE, a->share, &share, a->e);
	if (r)
		return r;
	r = nas_world_build(&h, a->e);
	if (!r) {
		why_not("smb", h.rows[NAS_PORTALS], smb_why, sizeof(smb_why));
		why_not("nfs", h.rows[NAS_PORTALS], nfs_why, sizeof(nfs_why));
		const struct share_explain_opts o = { .user = a->user, .address = a->address[0] ? a->address : NULL, .smb_why = smb_why, .nfs_why = nfs_why };
		r = share_explain(&h.world, text_of(share, "id"), &o, &a->result);
		if (r)
			r = config_fail(a->e, r, "", "the share cannot be explained: %s", strerror(-r));
	}
	nas_world_done(&h);
	json_decref(share);
	return r;
}

int control_explain_share(const char *user, const char *host, const char *share, json_t **ret_result, struct config_error *e)
{
	struct ask a = { .user = user, .host = host, .share = share, .e = e };
	*e = (struct config_error){ 0 };
	int r = host ? find_address(&a) : 0;
	if (!r)
		r = reactor_call(ctl.reactor, explain_run, &a);
	if (!r)
		*ret_result = a.result;
	return r;
}

/* ---- connect ------------------------------------------------------------------------------------------------------- */
struct way {
	const char *name, *user;         /* of the share, which needs no quotes (model.c); for the login */
	const json_t *share;
	json_t *linux_lines, *windows, *macos, *esxi;
};

static void smb_lines(struct way *w, const char *address, const char *port)
{
	bool six = strchr(address, ':'), usual = strcmp(port, "445") == 0, guest = true_of(w->share, "guest");
	char more[64] = "", host[128], unc[160];
	snprintf(host, sizeof(host), six ? "[%s]" : "%s", address);
	if (!usual)
		snprintf(more, sizeof(more), ",port=%s", port);
	/* Windows writes addresses of version 6 as names. */
	snprintf(unc, sizeof(unc), "%s%s", address, six ? ".ipv6-literal.net" : "");
	for (char *p = unc; six && *p && *p != '.'; p++)
		*p = *p == ':' ? '-' : *p;
	if (usual) {
		connect_line(w->windows, "# In the Explorer: \\\\%s\\%s - or in PowerShell:", unc, w->name);
		connect_line(w->windows, "New-SmbMapping -LocalPath S: -RemotePath '\\\\%s\\%s'%s%s -Persistent $true", unc, w->name, guest ? "" : " -UserName ", guest ? "" : w->user);
	} else {
		connect_line(w->windows, "# Windows reaches SMB by port 445 only (before Windows 11 24H2); this server has it at %s:", port);
		connect_line(w->windows, "New-SmbMapping -LocalPath S: -RemotePath '\\\\%s\\%s' -TcpPort %s%s%s", unc, w->name, port, guest ? "" : " -UserName ", guest ? "" : w->user);
	}
	connect_line(w->macos, "# Finder, Go, Connect to Server - or in a terminal:");
	connect_line(w->macos, "open 'smb://%s%s%s%s%s/%s'", guest ? "guest@" : w->user, guest ? "" : "@", host, usual ? "" : ":", usual ? "" : port, w->name);
	if (strcmp(text_of(w->share, "preset"), "time-machine") == 0)
		connect_line(w->macos, "sudo tmutil setdestination -a 'smb://%s@%s/%s'   # it asks for the password", w->user, host, w->name);
	connect_line(w->linux_lines, "# SMB, as root, with cifs-utils");
	if (guest)
		connect_line(w->linux_lines, "mount -t cifs //%s/%s /mnt -o guest,vers=3.1.1%s", host, w->name, more);
	else
		connect_line(w->linux_lines, "mount -t cifs //%s/%s /mnt -o username=%s,vers=3.1.1%s   # asks for the password", host, w->name, w->user, more);
}

static void nfs_lines(struct way *w, const char *address, const char *port)
{
	bool usual = strcmp(port, "2049") == 0, four = json_array_size(json_object_get(w->share, "nfs_versions")) == 0, three = four;
	bool vmware = strcmp(text_of(w->share, "preset"), "vmware") == 0;
	char host[128], more[64] = "", newest[8] = "4.2";
	json_t *v;
	size_t i;
	snprintf(host, sizeof(host), strchr(address, ':') ? "[%s]" : "%s", address);
	json_array_foreach(json_object_get(w->share, "nfs_versions"), i, v) {
		const char *text = json_string_value(v);
		three |= strcmp(text, "3") == 0;
		if (i == 0 || strcmp(text, newest) > 0)
			snprintf(newest, sizeof(newest), "%s", text);
	}
	if (vmware && four)
		snprintf(newest, sizeof(newest), "3");
	if (!usual)
		snprintf(more, sizeof(more), ",port=%s", port);
	connect_line(w->linux_lines, "# NFS, as root, with nfs-common or nfs-utils");
	connect_line(w->linux_lines, "mount -t nfs -o vers=%s%s %s:/%s /mnt", newest, more, host, w->name);
	connect_line(w->macos, "# NFS:");
	connect_line(w->macos, "sudo mount -t nfs -o %s%s %s:/%s /private/mnt   # make that folder first", newest[0] == '3' ? "vers=3,resvport" : "vers=4", more, host, w->name);
	if (!usual)
		connect_line(w->esxi, "# ESXi reaches NFS by port 2049 only; this server has it at %s.", port);
	else if (vmware ? newest[0] == '3' : three)
		connect_line(w->esxi, "esxcli storage nfs add --host=%s --share=/%s --volume-name=%s", address, w->name, w->name);
	else if (strcmp(newest, "4.1") >= 0)
		connect_line(w->esxi, "esxcli storage nfs41 add --hosts=%s --share=/%s --volume-name=%s", address, w->name, w->name);
	else
		connect_line(w->esxi, "# ESXi mounts NFS 3 or 4.1; this share has %s.", newest);
	if (!vmware)
		connect_line(w->esxi, "# Datastores want a share of the preset vmware.");
}

static void without(struct way *w, const char *protocol)
{
	bool smb = strcmp(protocol, "smb") == 0;
	json_t *all[] = { w->linux_lines, w->windows, w->macos, w->esxi };
	for (size_t i = 0; i < ARRAY_COUNT(all); i++)
		if (smb ? i < 3 : i != 1)
			connect_line(all[i], "# No portal serves %s yet: holdfast portal add %s", smb ? "SMB" : "NFS", smb ? "smb 0.0.0.0:445" : "nfs 0.0.0.0:2049");
}

static int connect_run(void *arg)
{
	struct ask *a = arg;
	json_t *share, *addresses = json_array(), *smb, *nfs;
	char address[96], port[8];
	if (a->user && a->user[strspn(a->user, "abcdefghijklmnopqrstuvwxyz0123456789._-")]) {
		json_decref(addresses);
		return config_fail(a->e, -EINVAL, "user", "that is no name of a user");
	}
	int r = config_get(ctl.db, MODEL_SHARE, a->share, &share, a->e);
	if (r) {
		json_decref(addresses);
		return r;
	}
	struct way w = { .name = text_of(share, "name"), .user = a->user ? a->user : "USER", .share = share, .linux_lines = json_array(), .windows = json_array(),
			 .macos = json_array(), .esxi = json_array() };
	smb = portal_endpoints("smb");
	nfs = portal_endpoints("nfs");
	for (int is_nfs = 0; is_nfs < 2; is_nfs++) {
		const json_t *endpoints = is_nfs ? nfs : smb;
		if (!true_of(share, is_nfs ? "nfs" : "smb"))
			continue;
		json_array_extend(addresses, (json_t *)endpoints);
		if (json_array_size(endpoints) == 0) {
			without(&w, is_nfs ? "nfs" : "smb");
			continue;
		}
		endpoint_split(json_string_value(json_array_get(endpoints, 0)), address, port);
		(is_nfs ? nfs_lines : smb_lines)(&w, address, port);
	}
	if (!true_of(share, "smb"))
		connect_line(w.windows, "# Windows wants SMB: holdfast share set %s --smb on", w.name);
	if (!true_of(share, "nfs"))
		connect_line(w.esxi, "# ESXi wants NFS: holdfast share set %s --nfs on", w.name);
	a->result = json_pack("{s:s, s:o, s:{s:o, s:o, s:o, s:o}}", "name", w.name, "addresses", addresses, "connect", "linux", w.linux_lines, "windows", w.windows, "macos", w.macos,
			      "esxi", w.esxi);
	json_decref(smb);
	json_decref(nfs);
	json_decref(share);
	return 0;
}

int control_connect_share(const char *share, const char *user, json_t **ret_result, struct config_error *e)
{
	struct ask a = { .share = share, .user = user, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, connect_run, &a);
	if (!r)
		*ret_result = a.result;
	return r;
}
