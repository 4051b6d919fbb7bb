/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.c - why can this host not see that volume?  Walks the way that a host goes, says at each step whether it is
 * open, and what to type when it is not: volume, mapping, names, bans, portal, paths, redirects, target, access, LUNs,
 * secret, then what only people can judge: size, session, reservations, refusals of late. */
#include "control/control_priv.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/operate.h"

#define LATELY_S 3600

enum verdict { CLOSED, OPEN, UNSURE };
struct walk {
	const char *host_name, *volume_name;
	json_t *host, *volume;           /* objects as people see them; owned */
	json_t *steps, *sessions, *refused; /* owned */
	const json_t *target, *lun;      /* of the way under way; NULL before */
	bool stranger;                   /* it is a name that belongs to no host */
	bool nvme;
	bool shut;                       /* this way has a closed step */
	bool visible;                    /* one way is open */
	struct config_error *e;
};

/* fix: "" when there is nothing to do. */
_printf_(5, 6) static void step(struct walk *w, const char *check, enum verdict v, const char *fix, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	w->shut |= v == CLOSED;
	json_t *o = json_pack("{s:s, s:s?, s:o, s:s, s:s?}", "check", check, "target", w->target ? text_of(w->target, "name") : NULL, "ok",
			      v == UNSURE ? json_null() : json_boolean(v == OPEN), "text", text, "fix", *fix ? fix : NULL);
	if (o)
		json_array_append_new(w->steps, o);
}

static void join(const json_t *texts, char *buf, size_t buf_bytes)
{
	json_t *v;
	size_t i;
	buf[0] = '\0';
	json_array_foreach((json_t *)texts, i, v)
		snprintf(buf + strlen(buf), buf_bytes - strlen(buf), "%s%s", i ? ", " : "", json_string_value(v));
}

/* ---- the volume and what maps it ------------------------------------------------------------------------------ */
static void look_at_volume(struct walk *w)
{
	if (strcmp(text_of(w->volume, "state"), "online") == 0)
		step(w, "volume", OPEN, "", "Volume %s is online.", text_of(w->volume, "name"));
	else
		step(w, "volume", CLOSED, "Bring its disk, folder or plugin back; it is tried again every ten seconds.", "Volume %s is offline: %s.", text_of(w->volume, "name"),
		     text_of(w->volume, "reason"));
}

/* ---- a name that belongs to no host --------------------------------------------------------------------------- */
static bool is_nqn(const char *name)
{
	return strncmp(name, "nqn.", 4) == 0;
}
static bool is_wire_name(const char *name)
{
	return is_nqn(name) || strncmp(name, "iqn.", 4) == 0 || strncmp(name, "eui.", 4) == 0 || strncmp(name, "naa.", 4) == 0;
}

/* How it becomes a host of this target: from the inbox, when it has knocked, else by hand. */
static void how_to_let_in(const struct walk *w, char *buf, size_t buf_bytes)
{
	const char *target = text_of(w->target, "name"), *here = text_of(w->target, "qualified_name");
	json_t *r;
	size_t i;
	json_array_foreach(w->refused, i, r)
		if (strcmp(text_of(r, "name"), w->host_name) == 0 && (!*text_of(r, "target") || strcmp(text_of(r, "target"), here) == 0)) {
			snprintf(buf, buf_bytes, "Approve it in the inbox: holdfast refused approve %s", text_of(r, "id"));
			return;
		}
	snprintf(buf, buf_bytes, "holdfast host create NAME --%s %s; then holdfast target allow %s --host NAME", is_nqn(w->host_name) ? "nqn" : "iqn", w->host_name, target);
}

/* False: this way is not for such names, and there is nothing more to say of it. */
static bool look_at_stranger(struct walk *w)
{
	const char *target = text_of(w->target, "name");
	char fix[512];
	how_to_let_in(w, fix, sizeof(fix));
	if (is_nqn(w->host_name) != w->nvme) {
		step(w, "name", CLOSED, "", "%s is a name of %s, and target %s speaks %s.", w->host_name, w->nvme ? "iSCSI" : "NVMe", target, w->nvme ? "NVMe" : "iSCSI");
		return false;
	}
	if (true_of(w->target, "allow_any"))
		step(w, "name", UNSURE, "", "%s belongs to no host; target %s lets it in all the same, like everybody.", w->host_name, target);
	else
		step(w, "name", CLOSED, fix, "%s belongs to no host, so no rule of target %s can mean it.", w->host_name, target);
	return true;
}

/* ---- one way: portal, target, access, LUNs, secret -------------------------------------------------------------- */
static void look_at_names(struct walk *w)
{
	const json_t *names = json_object_get(w->host, w->nvme ? "nqns" : "iqns");
	const char *host = text_of(w->host, "name"), *what = w->nvme ? "NQN" : "IQN";
	char list[700], fix[256];
	join(names, list, sizeof(list));
	snprintf(fix, sizeof(fix), "holdfast host set %s --%s %s", host, w->nvme ? "nqn" : "iqn", w->nvme ? "NQN   (on the host: cat /etc/nvme/hostnqn)" :
													     "IQN   (on the host: cat /etc/iscsi/initiatorname.iscsi)");
	if (json_array_size(names))
		step(w, "name", OPEN, "", "Host %s is known as %s; it must come with exactly that name.", host, list);
	else if (true_of(w->target, "allow_any"))
		step(w, "name", UNSURE, fix, "Host %s has no %s; target %s lets it in all the same, like everybody.", host, what, text_of(w->target, "name"));
	else if (w->nvme || (json_array_size(json_object_get(w->host, "addresses")) == 0 && !*text_of(w->host, "chap_user")))
		step(w, "name", CLOSED, fix, "Host %s has no %s, so no rule of target %s can mean it.", host, what, text_of(w->target, "name"));
	else
		step(w, "name", OPEN, "", "Host %s is known by its addresses or CHAP name; any IQN will do.", host);
	join(json_object_get(w->host, "addresses"), list, sizeof(list));
	if (*list)
		step(w, "address", UNSURE, "", "Host %s must come from %s.", host, list);
}

/* Bans are an administrator's, by the name that the host had then. */
static void look_at_bans(struct walk *w)
{
	json_t *bans = control_bans(), *b, *v;
	size_t i, j;
	char fix[64];
	json_array_foreach(bans, i, b) {
		bool mine = false;
		json_array_foreach(json_object_get(w->host, w->nvme ? "nqns" : "iqns"), j, v)
			mine |= fnmatch(json_string_value(v), text_of(b, "initiator"), FNM_CASEFOLD) == 0;
		if (!mine || strcasecmp(text_of(b, "target"), text_of(w->target, "qualified_name")) != 0)
			continue;
		snprintf(fix, sizeof(fix), "holdfast ban lift %" PRId64, int_of(b, "id"));
		step(w, "ban", CLOSED, fix, "An administrator has kept %s from target %s until %s.", text_of(b, "initiator"), text_of(w->target, "name"), text_of(b, "until"));
	}
	json_decref(bans);
}

/* Portals that offer the target: for iSCSI those of its groups, when it names some.  Returns owned. */
static json_t *portals_offering(const struct walk *w)
{
	const json_t *groups = w->nvme ? NULL : json_object_get(w->target, "portal_groups");
	json_t *portals = portals_of(text_of(w->target, "protocol")), *offering = json_array(), *p, *v;
	size_t i, j;
	json_array_foreach(portals, i, p) {
		bool in = json_array_size(groups) == 0;
		json_array_foreach((json_t *)groups, j, v)
			in |= strtoll(json_string_value(v), NULL, 10) == int_of(p, "group_tag");
		if (in)
			json_array_append(offering, p);
	}
	json_decref(portals);
	live_fill(MODEL_PORTAL, offering);
	return offering;
}

static bool listens(const json_t *portal)
{
	return strcmp(text_of(portal, "state"), "listening") == 0;
}

static void look_at_portals(struct walk *w, const json_t *portals)
{
	const json_t *groups = json_object_get(w->target, "portal_groups");
	char listening[300] = "", failed[400] = "", fix[128], only[200];
	json_t *p;
	size_t i;
	json_array_foreach((json_t *)portals, i, p) {
		char label[128];
		object_label(MODEL_PORTAL, p, label, sizeof(label));
		if (listens(p))
			snprintf(listening + strlen(listening), sizeof(listening) - strlen(listening), "%s%s", *listening ? ", " : "", label);
		else
			snprintf(failed + strlen(failed), sizeof(failed) - strlen(failed), "%s%s: %s", *failed ? "; " : "", label, text_of(p, "reason"));
	}
	join(groups, only, sizeof(only));
	snprintf(fix, sizeof(fix), "holdfast portal add %s%s%.60s", w->nvme ? "nvme-tcp 0.0.0.0:4420" : "iscsi 0.0.0.0:3260", !w->nvme && *only ? " --group-tag " : "",
		 !w->nvme && *only ? json_string_value(json_array_get(groups, 0)) : "");
	if (*listening)
		step(w, "portal", OPEN, "", "The server listens: %s.", listening);
	else if (*failed)
		step(w, "portal", CLOSED, "Stop the program that has the address, or give the machine the address.", "No portal listens: %s.", failed);
	else if (!w->nvme && *only)
		step(w, "portal", CLOSED, fix, "Target %s is offered only by portal group %s, which has no portal.", text_of(w->target, "name"), only);
	else
		step(w, "portal", CLOSED, fix, "There is no portal for %s.", w->nvme ? "NVMe/TCP" : "iSCSI");
}

/* What hosts are told of the paths; a path that is not optimized is used only when no other is left. */
static void look_at_paths(struct walk *w, const json_t *portals)
{
	const json_t *states = json_object_get(w->target, "path_states");
	unsigned count = 0, good = 0, slow = 0, changing = 0;
	char shut[128] = "", fix[160];
	json_t *p;
	size_t i;
	json_array_foreach((json_t *)portals, i, p) {
		char tag[24];
		snprintf(tag, sizeof(tag), "%" PRId64, int_of(p, "group_tag"));
		const char *state = text_of(states, tag);
		if (!listens(p))
			continue;
		count++;
		good += !*state || strcmp(state, "optimized") == 0;
		slow += strcmp(state, "non-optimized") == 0;
		changing += strcmp(state, "change") == 0;
		if (strcmp(state, "inaccessible") == 0 && strlen(shut) < 100)
			snprintf(shut + strlen(shut), sizeof(shut) - strlen(shut), "%s%s", *shut ? ", " : "", tag);
	}
	snprintf(fix, sizeof(fix), "holdfast target ana %s --group %d --ana-state optimized", text_of(w->target, "name"), *shut ? (int)strtol(shut, NULL, 10) : 1);
	if (count == 0 || good == count)
		return;                          /* the usual case needs no words */
	if (good + slow + changing == 0)
		step(w, "path", CLOSED, fix, "Hosts are told that every path to target %s is inaccessible (portal group %s).", text_of(w->target, "name"), shut);
	else if (good + slow == 0)
		step(w, "path", UNSURE, fix, "Hosts are told that the paths to target %s are changing, and wait.", text_of(w->target, "name"));
	else if (*shut)
		step(w, "path", OPEN, "", "Hosts are told that the paths through portal group %s are inaccessible; they use the others.", shut);
	else
		step(w, "path", OPEN, "", "Hosts are told that %u of %u paths %s not the best; it works all the same.", count - good, count, count - good == 1 ? "is" : "are");
}

/* Logins are sent elsewhere: to another portal of ours, or to another server, whose mapping we do not know. */
static void look_at_redirects(struct walk *w)
{
	char list[600];
	if (w->nvme || json_array_size(json_object_get(w->target, "redirects")) == 0)
		return;
	join(json_object_get(w->target, "redirects"), list, sizeof(list));
	step(w, "redirect", UNSURE, "The host must reach that address, or the redirects of the target are taken away.", "Logins to target %s are sent to %s%s.", text_of(w->target, "name"), list, true_of(w->target, "redirect_permanent") ? ", and hosts may remember that" : "");
}

static void look_at_target(struct walk *w)
{
	const struct rt_target *t = rt_target_find(text_of(w->target, "id"));
	const char *name = text_of(w->target, "name");
	char fix[128];
	snprintf(fix, sizeof(fix), "holdfast target set %s --enabled on", name);
	if (!true_of(w->target, "enabled"))
		step(w, "target", CLOSED, fix, "Target %s is disabled.", name);
	else if (!t || (!t->target && !t->subsystem))
		step(w, "target", CLOSED, "Mend what the message says; it is tried again every ten seconds.", "Target %s is not served: %s.", name, t ? t->reason : "it is not running");
	else
		step(w, "target", OPEN, "", "Target %s (%s) accepts logins.", name, text_of(w->target, "qualified_name"));
}

static bool group_has(const char *group, const char *host)
{
	struct config_error e;
	json_t *row, *v;
	size_t i;
	bool has = false;
	if (!*group || config_get(ctl.db, MODEL_HOST_GROUP, group, &row, &e))
		return false;
	json_array_foreach(json_object_get(row, "hosts"), i, v)
		has |= strcmp(json_string_value(v) ? json_string_value(v) : "", host) == 0;
	json_decref(row);
	return has;
}

/* The rule that means the host: its own, or of a group; the first counts.  Returns owned. */
static json_t *access_of(const struct walk *w)
{
	struct config_query q = { .where_field = "target", .where_value = text_of(w->target, "name") };
	const char *host = text_of(w->host, "name");
	struct config_error e;
	json_t *rows, *row, *found = NULL;
	size_t i;
	if (config_list(ctl.db, MODEL_ACCESS, &q, &rows, &e))
		return NULL;
	json_array_foreach(rows, i, row)
		if (!found && (strcmp(text_of(row, "host"), host) == 0 || group_has(text_of(row, "group"), host)))
			found = json_incref(row);
	json_decref(rows);
	return found;
}

static void look_at_luns(struct walk *w, const json_t *access)
{
	const json_t *luns = json_object_get(access, "luns");
	char number[24], list[400], fix[256];
	json_t *v;
	size_t i;
	bool seen = json_array_size(luns) == 0;
	snprintf(number, sizeof(number), "%" PRId64, int_of(w->lun, "lun"));
	json_array_foreach((json_t *)luns, i, v)
		seen |= strcmp(json_string_value(v), number) == 0;
	join(luns, list, sizeof(list));
	snprintf(fix, sizeof(fix), "holdfast target deny %s --%s %s; then allow it again with --luns %s too", text_of(w->target, "name"), *text_of(access, "host") ? "host" : "group",
		 *text_of(access, "host") ? text_of(access, "host") : text_of(access, "group"), number);
	if (!seen)
		step(w, "lun", CLOSED, fix, "The rule shows only LUN %s, and the volume is LUN %s.", list, number);
	else
		step(w, "lun", OPEN, "", "The volume is %s %s of target %s%s.", w->nvme ? "namespace" : "LUN", number, text_of(w->target, "name"),
		     true_of(w->lun, "read_only") || true_of(w->volume, "read_only") ? ", read-only" : "");
}

static void look_at_access(struct walk *w)
{
	const char *target = text_of(w->target, "name"), *host = text_of(w->host, "name");
	json_t *access = access_of(w);
	char fix[256];
	snprintf(fix, sizeof(fix), "holdfast target allow %s --host %s", target, host);
	if (access && *text_of(access, "host"))
		step(w, "access", OPEN, "", "A rule of target %s lets host %s in.", target, host);
	else if (access)
		step(w, "access", OPEN, "", "A rule of target %s lets host %s in, as a member of group %s.", target, host, text_of(access, "group"));
	else if (true_of(w->target, "allow_any"))
		step(w, "access", OPEN, "", "Target %s lets every host in.", target);
	else if (w->stranger)
		step(w, "access", CLOSED, "", "Target %s lets only hosts in that its rules name.", target);
	else
		step(w, "access", CLOSED, fix, "No rule of target %s lets host %s in.", target, host);
	look_at_luns(w, access);
	json_decref(access);
}

/* Hosts without CHAP of their own show the target's, when it has some. */
static void look_at_chap(struct walk *w, const char *problem, const char *fix)
{
	const char *host = text_of(w->host, "name"), *target = text_of(w->target, "name");
	bool own = *text_of(w->host, "chap_user");
	const char *user = text_of(own ? w->host : w->target, "chap_user");
	char target_fix[256];
	snprintf(target_fix, sizeof(target_fix), "holdfast target set %s --chap-secret-file FILE", target);
	if (!*user)
		step(w, "secret", OPEN, "", "No CHAP is asked of host %s.", host);
	else if (problem)
		step(w, "secret", CLOSED, "Put the file secret.key of this server back and restart, or set the secret anew.", "The stored secrets cannot be opened: %s.", problem);
	else if (own && alert_is_raised("host.secret", host))
		step(w, "secret", CLOSED, fix, "The secret of host %s cannot be used.", host);
	else if (!own && alert_is_raised("target.secret", target))
		step(w, "secret", CLOSED, target_fix, "The secret of target %s cannot be used.", target);
	else
		step(w, "secret", UNSURE, "", "Host %s must log in with CHAP as \"%s\"%s%s%s%s: the same secret must be set on the host.", host, user, own ? "" : ", as target ",
		     own ? "" : target, own ? "" : " asks of hosts without CHAP of their own", *text_of(own ? w->host : w->target, "mutual_user") ? ", and checks the server too" : "");
}

static void look_at_keys(struct walk *w, const char *problem, const char *fix)
{
	const char *host = text_of(w->host, "name"), *target = text_of(w->target, "name");
	bool key = true_of(w->host, "dhchap_key"), psk = true_of(w->host, "tls_psk");
	bool auth = true_of(w->target, "require_auth"), tls = true_of(w->target, "require_tls");
	char psk_fix[256];
	snprintf(psk_fix, sizeof(psk_fix), "holdfast host set %s --tls-psk-file FILE", host);
	if (auth && !key)
		step(w, "secret", CLOSED, fix, "Target %s lets only hosts in that prove themselves by a key, and host %s has none.", target, host);
	else if (tls && !psk)
		step(w, "secret", CLOSED, psk_fix, "Target %s takes only encrypted connections, and host %s has no TLS key.", target, host);
	else if (!key && !psk)
		step(w, "secret", OPEN, "", "No key is asked of host %s.", host);
	else if (problem)
		step(w, "secret", CLOSED, "Put the file secret.key of this server back and restart, or set the secret anew.", "The stored secrets cannot be opened: %s.", problem);
	else if (alert_is_raised("host.secret", host))
		step(w, "secret", CLOSED, fix, "The secret of host %s cannot be used.", host);
	else
		step(w, "secret", UNSURE, "", "Host %s must prove itself%s%s: the same key must be set on the host.", host, key ? " with its DH-HMAC-CHAP key" : "", psk ? " over TLS with its PSK" : "");
}

static void look_at_secret(struct walk *w)
{
	const char *problem = config_key_problem(ctl.db);
	char fix[256];
	snprintf(fix, sizeof(fix), "holdfast host set %s --%s FILE", text_of(w->host, "name"), w->nvme ? "dhchap-key-file" : "chap-secret-file");
	if (w->nvme)
		look_at_keys(w, problem, fix);
	else
		look_at_chap(w, problem, fix);
}

/* ---- what only people can judge ------------------------------------------------------------------------------------ */
static void look_at_size(struct walk *w)
{
	int64_t size = int_of(w->volume, "size_bytes");
	if (int_of(w->volume, "block_size") == 4096)
		step(w, "size", UNSURE, "", "Its blocks have 4096 bytes: Linux and Windows 8 or newer take that, ESXi does not over iSCSI.");
	if (size > INT64_C(64) << 40)
		step(w, "size", UNSURE, "", "It is larger than 64 TiB, which ESXi does not take.");
	else if (size > INT64_C(2) << 40)
		step(w, "size", UNSURE, "", "It is larger than 2 TiB: a partition table must be GPT, and ESXi wants VMFS 5 or newer.");
}

static void look_at_sessions(struct walk *w)
{
	unsigned count = 0, others = 0;
	char fix[200];
	json_t *s;
	size_t i;
	snprintf(fix, sizeof(fix), "holdfast target connect %s%s%s   tells what to type on the host.", text_of(w->target, "name"), w->stranger ? "" : " --host ",
		 w->stranger ? "" : text_of(w->host, "name"));
	json_array_foreach(w->sessions, i, s) {
		if (strcmp(text_of(s, "target"), text_of(w->target, "qualified_name")) != 0 || true_of(s, "discovery"))
			continue;
		bool mine = strcmp(text_of(s, "host"), text_of(w->host, "name")) == 0;
		json_t *v;
		size_t j;
		json_array_foreach(json_object_get(w->host, w->nvme ? "nqns" : "iqns"), j, v)
			mine |= strcmp(text_of(s, "initiator"), json_string_value(v)) == 0;
		count += mine;
		others += !mine;
	}
	if (count)
		step(w, "session", OPEN, "", "Host %s is logged in (%u session%s). If it does not see the volume, let it rescan.", text_of(w->host, "name"), count, count == 1 ? "" : "s");
	else
		step(w, "session", UNSURE, fix, "Host %s is not logged in now%s.", text_of(w->host, "name"),
		     others ? ", others are" : "");
}

static const char *type_text(enum resv_type t)
{
	switch (t) {
	case RESV_WRITE_EXCLUSIVE: return "write exclusive";
	case RESV_EXCLUSIVE_ACCESS: return "exclusive access";
	case RESV_WRITE_EXCLUSIVE_REG_ONLY: return "write exclusive, registrants only";
	case RESV_EXCLUSIVE_ACCESS_REG_ONLY: return "exclusive access, registrants only";
	case RESV_WRITE_EXCLUSIVE_ALL_REG: return "write exclusive, all registrants";
	case RESV_EXCLUSIVE_ACCESS_ALL_REG: return "exclusive access, all registrants";
	default: return "none";
	}
}

/* An initiator's name begins the id of a SCSI nexus; a host identifier of NVMe says no name. */
static bool registrant_is(const struct resv_registrant *r, const json_t *names)
{
	json_t *v;
	size_t i;
	json_array_foreach((json_t *)names, i, v) {
		size_t len = strlen(json_string_value(v));
		if (r->id.len > len && memcmp(r->id.bytes, json_string_value(v), len) == 0 && r->id.bytes[len] == ',')
			return true;
	}
	return false;
}

static void look_at_reservations(struct walk *w)
{
	struct rt_volume *v = rt_volume_find(text_of(w->volume, "id"));
	struct resv_state st = { 0 };
	char holder[120] = "a host";
	bool registered = false, holds = false;
	if (!v || !v->volume || volume_resv_read(v->volume, &st))
		return;
	for (size_t i = 0; i < st.count; i++) {
		const struct resv_registrant *r = &st.registrants[i];
		bool mine = registrant_is(r, json_object_get(w->host, "iqns"));
		registered |= mine;
		holds |= mine && r->holder;
		if (r->holder && r->id.len > 4 && memcmp(r->id.bytes, "iqn.", 4) == 0)
			snprintf(holder, sizeof(holder), "%.*s", (int)(r->id.len < 100 ? r->id.len : 100), (const char *)r->id.bytes);
	}
	free(st.registrants);
	if (st.type == RESV_NONE)
		step(w, "reservation", OPEN, "", "Nobody has reserved the volume.");
	else if (holds)
		step(w, "reservation", OPEN, "", "The host itself has reserved the volume (%s).", type_text(st.type));
	else
		step(w, "reservation", UNSURE, "Let the cluster software that reserved it add the host, or release the reservation there.",
		     "%s has reserved the volume (%s)%s: the host sees it, but may get conflicts.", holder, type_text(st.type), registered ? ", and the host is registered" : "");
}

static bool lately(const char *at)
{
	struct tm tm = { 0 };
	if (!strptime(at, "%Y-%m-%dT%H:%M:%S", &tm))
		return false;
	int64_t age_s = (int64_t)time(NULL) - (int64_t)timegm(&tm);
	return age_s < LATELY_S;
}

/* Its own refusals, and those of a stranger at this target who may be the host under another name. */
static void look_at_refusals(struct walk *w)
{
	const json_t *names = json_object_get(w->host, w->nvme ? "nqns" : "iqns");
	json_t *r, *v;
	size_t i, j;
	unsigned told = 0;
	json_array_foreach(w->refused, i, r) {
		bool mine = false, here = strcmp(text_of(r, "target"), text_of(w->target, "qualified_name")) == 0;
		json_array_foreach((json_t *)names, j, v)
			mine |= strcmp(json_string_value(v), text_of(r, "name")) == 0;
		if (told == 3 || !(mine || here) || !lately(text_of(r, "last_at")))
			continue;
		told++;
		if (mine)
			step(w, "refusals", UNSURE, "", "The host was refused %" PRId64 " times, last at %s from %s: %s.", int_of(r, "count"), text_of(r, "last_at"), text_of(r, "address"),
			     text_of(r, "text"));
		else
			step(w, "refusals", UNSURE, "If that is the host, give it this name too: holdfast refused approve.", "%s from %s was refused here at %s: %s.",
			     *text_of(r, "name") ? text_of(r, "name") : "Somebody", text_of(r, "address"), text_of(r, "last_at"), text_of(r, "text"));
	}
}

/* ---- all ------------------------------------------------------------------------------------------------------------- */
static void walk_target(struct walk *w, const json_t *target, const json_t *lun, bool volume_is_shut)
{
	w->target = target;
	w->lun = lun;
	w->nvme = strcmp(text_of(target, "protocol"), "nvme") == 0;
	w->shut = volume_is_shut;
	json_t *portals = portals_offering(w);
	if (!w->stranger)
		look_at_names(w);
	else if (!look_at_stranger(w)) {
		json_decref(portals);
		return;
	}
	look_at_bans(w);
	look_at_portals(w, portals);
	look_at_paths(w, portals);
	look_at_redirects(w);
	json_decref(portals);
	look_at_target(w);
	look_at_access(w);
	look_at_secret(w);
	w->visible |= !w->shut;
	look_at_sessions(w);
	look_at_refusals(w);
}

/* A host by its name, or by the name it has on the wire; a name of the wire that is no host's stands for itself. */
static int find_host(struct walk *w)
{
	int r = config_get(ctl.db, MODEL_HOST, w->host_name, &w->host, w->e);
	json_t *rows, *row, *v;
	size_t i, j;
	struct config_error ignored;
	if (r != -ENOENT || config_list(ctl.db, MODEL_HOST, NULL, &rows, &ignored))
		return r;
	json_array_foreach(rows, i, row)
		for (int nvme = 0; nvme < 2; nvme++)
			json_array_foreach(json_object_get(row, nvme ? "nqns" : "iqns"), j, v)
				if (!w->host && strcmp(json_string_value(v), w->host_name) == 0)
					w->host = json_incref(row);
	json_decref(rows);
	w->stranger = !w->host && is_wire_name(w->host_name);
	if (w->stranger)
		w->host = json_pack("{s:s, s:[s]}", "name", w->host_name, is_nqn(w->host_name) ? "nqns" : "iqns", w->host_name);
	if (w->host)
		*w->e = (struct config_error){ 0 };
	return w->host ? 0 : r;
}

static int walk_all(struct walk *w)
{
	struct config_query q = { .where_field = "volume" };
	json_t *luns, *lun, *target;
	size_t i;
	char fix[512];
	int r = find_host(w);
	if (!r)
		r = config_get(ctl.db, MODEL_VOLUME, w->volume_name, &w->volume, w->e);
	if (r)
		return r;
	live_fill(MODEL_VOLUME, w->volume);
	q.where_value = text_of(w->volume, "name");
	r = config_list(ctl.db, MODEL_LUN, &q, &luns, w->e);
	if (r)
		return r;
	look_at_volume(w);
	bool shut = w->shut;
	if (w->stranger)
		snprintf(fix, sizeof(fix), "holdfast host create NAME --%s %s; then holdfast serve %s --host NAME", is_nqn(w->host_name) ? "nqn" : "iqn", w->host_name, text_of(w->volume, "name"));
	else
		snprintf(fix, sizeof(fix), "holdfast serve %s --host %s", text_of(w->volume, "name"), text_of(w->host, "name"));
	if (json_array_size(luns) == 0)
		step(w, "mapping", CLOSED, fix, "Volume %s is attached to no target.", text_of(w->volume, "name"));
	json_array_foreach(luns, i, lun) {
		struct config_error ignored;
		if (config_get(ctl.db, MODEL_TARGET, text_of(lun, "target"), &target, &ignored))
			continue;
		walk_target(w, target, lun, shut);
		w->target = NULL;
		json_decref(target);
	}
	look_at_size(w);
	look_at_reservations(w);
	json_decref(luns);
	return 0;
}

struct explain_call {
	const char *host, *volume;
	json_t *result;
	struct config_error *e;
};
static int explain_run(void *arg)
{
	struct explain_call *c = arg;
	struct walk w = { .host_name = c->host, .volume_name = c->volume, .steps = json_array(), .sessions = sessions_list(), .refused = refused_list(), .e = c->e };
	int r = walk_all(&w);
	if (!r)
		c->result = json_pack("{s:s, s:s, s:b, s:O}", "host", text_of(w.host, "name"), "volume", text_of(w.volume, "name"), "visible", (int)w.visible, "steps", w.steps);
	json_decref(w.host);
	json_decref(w.volume);
	json_decref(w.steps);
	json_decref(w.sessions);
	json_decref(w.refused);
	return r;
}

int control_explain(const char *host, const char *volume, json_t **ret_result, struct config_error *e)
{
	struct explain_call c = { .host = host, .volume = volume, .e = e };
	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, explain_run, &c);
	if (!r)
		*ret_result = c.result;
	return r;
}
