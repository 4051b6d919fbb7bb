/* SPDX-License-Identifier: GPL-3.0-or-later */
/* live.c - the members of objects that are not stored: state, space, counters, what hangs on what. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

#include "core/hex.h"

#define USED_FRESH_NS (10 * SECOND_NS)
#define USED_BUDGET_NS (50 * (SECOND_NS / 1000))

/* ---- sessions ---------------------------------------------------------------------------------------------------- */
static void add_session(void *arg, const struct iscsi_session_info *s)
{
	char isid[2 * sizeof(s->isid) + 1];
	hex_write(s->isid, sizeof(s->isid), isid);
	json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:b, s:b, s:b, s:i, s:s, s:i}", "id", (json_int_t)s->id, "protocol", "iscsi",
			      "initiator", s->initiator, "initiator_alias", s->initiator_alias, "target", s->target, "host", s->host, "peer", s->peer, "portal", s->portal,
			      "isid", isid, "tsih", (int)s->tsih, "group_tag", (int)s->tpgt, "discovery", (int)s->discovery, "header_digest", (int)s->header_digest,
			      "data_digest", (int)s->data_digest, "immediate_data", (int)s->immediate_data, "initial_r2t", (int)s->initial_r2t, "error_recovery_level",
			      (int)s->error_recovery_level, "auth", s->auth ? s->auth : "none", "connections", (int)s->connections);
	json_t *more = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "max_recv_bytes", (json_int_t)s->max_recv_bytes, "max_burst_bytes",
				 (json_int_t)s->max_burst_bytes, "first_burst_bytes", (json_int_t)s->first_burst_bytes, "max_outstanding_r2t", (json_int_t)s->max_outstanding_r2t,
				 "since_unix_s", (json_int_t)s->since_unix_s, "read_ops", (json_int_t)s->read_ops, "read_bytes", (json_int_t)s->read_bytes, "write_ops",
				 (json_int_t)s->write_ops, "write_bytes", (json_int_t)s->write_bytes, "errors", (json_int_t)s->errors, "latency_p50_ns",
				 (json_int_t)s->latency_p50_ns, "latency_p99_ns", (json_int_t)s->latency_p99_ns, "reactor", (int)s->reactor);
	if (o && more) {
		json_object_update(o, more);
		json_array_append(arg, o);
	}
	json_decref(o);
	json_decref(more);
}

static void add_association(void *arg, const struct nvmf_session_info *s)
{
	char host_id[2 * sizeof(s->host_id) + 1];
	hex_write(s->host_id, sizeof(s->host_id), host_id);
	json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:b, s:b, s:b, s:s, s:i, s:I}", "id", (json_int_t)s->id, "protocol", "nvme-tcp",
			      "initiator", s->host_nqn, "initiator_alias", "", "target", s->subsystem, "host", s->host, "peer", s->peer, "portal", s->portal,
			      "host_id", host_id, "controller_id", (int)s->cntlid, "discovery", (int)s->discovery, "header_digest", (int)s->header_digest,
			      "data_digest", (int)s->data_digest, "auth", s->auth, "connections", (int)s->queues + 1, "keep_alive_ms", (json_int_t)s->kato_ms);
	json_t *more = json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "tls", s->tls, "tls_in_kernel", (int)s->tls_in_kernel, "since_unix_s",
				 (json_int_t)s->since_unix_s, "read_ops", (json_int_t)s->read_ops, "read_bytes", (json_int_t)s->read_bytes, "write_ops", (json_int_t)s->write_ops, "write_bytes", (json_int_t)s->write_bytes, "errors",
				 (json_int_t)s->errors, "latency_p50_ns", (json_int_t)s->latency_p50_ns, "latency_p99_ns", (json_int_t)s->latency_p99_ns, "reactor",
				 (int)s->reactor);
	if (o && more) {
		json_object_update(o, more);
		json_array_append(arg, o);
	}
	json_decref(o);
	json_decref(more);
}

json_t *sessions_list(void)
{
	json_t *list = json_array();
	iscsi_session_each(add_session, list);
	nvmf_session_each(add_association, list);
	return list;
}

static void count_one(void *arg, const struct iscsi_session_info *s)
{
	json_t *by_target = arg;
	if (!s->discovery)
		json_object_set_new(by_target, s->target, json_integer(int_of(by_target, s->target) + 1));
}

static void count_association(void *arg, const struct nvmf_session_info *s)
{
	json_t *by_target = arg;
	if (!s->discovery)
		json_object_set_new(by_target, s->subsystem, json_integer(int_of(by_target, s->subsystem) + 1));
}

/* ---- pools, volumes, portals ----------------------------------------------------------------------------------------- */
static void set_text(json_t *o, const char *member, const char *text)
{
	json_object_set_new(o, member, text && *text ? json_string(text) : json_null());
}

static void fill_pool(json_t *o)
{
	struct pool_facts f;
	pool_facts(text_of(o, "path"), &f);
	json_object_set_new(o, "state", json_string(f.online ? "online" : "offline"));
	set_text(o, "reason", f.reason);
	set_text(o, "file_system", f.file_system);
	json_object_set_new(o, "total_bytes", f.online ? json_integer((json_int_t)f.total_bytes) : json_null());
	json_object_set_new(o, "free_bytes", f.online ? json_integer((json_int_t)f.free_bytes) : json_null());
}

static json_t *volume_stats_json(const struct volume *vol)
{
	static struct volume_stats s;    /* large; control thread only */
	volume_stats(vol, &s);
	json_t *o = json_object();
	static const char *const names[] = { "read", "write", "other" };
	for (size_t i = 0; i < STATS_KINDS; i++) {
		char member[32];
		snprintf(member, sizeof(member), "%s_ops", names[i]);
		json_object_set_new_nocheck(o, member, json_integer((json_int_t)s.kind[i].ops));
		snprintf(member, sizeof(member), "%s_bytes", names[i]);
		json_object_set_new_nocheck(o, member, json_integer((json_int_t)s.kind[i].bytes));
		snprintf(member, sizeof(member), "%s_errors", names[i]);
		json_object_set_new_nocheck(o, member, json_integer((json_int_t)s.kind[i].errors));
		snprintf(member, sizeof(member), "%s_latency_p50_ns", names[i]);
		json_object_set_new_nocheck(o, member, json_integer((json_int_t)hist_quantile_ns(&s.kind[i].latency, 0.5)));
		snprintf(member, sizeof(member), "%s_latency_p99_ns", names[i]);
		json_object_set_new_nocheck(o, member, json_integer((json_int_t)hist_quantile_ns(&s.kind[i].latency, 0.99)));
	}
	json_object_set_new_nocheck(o, "in_flight", json_integer((json_int_t)s.in_flight));
	return o;
}

/* Asking a backend for its space may be slow: at most every ten seconds each, and a list spends 50 ms on it. */
void volume_refresh_used(struct rt_volume *v, uint64_t deadline_ns)
{
	uint64_t now = reactor_clock_ns();
	if (!v->volume || v->building || now > deadline_ns || (v->used_at_ns && now - v->used_at_ns < USED_FRESH_NS))
		return;
	v->used_known = volume_used_bytes(v->volume, &v->used_bytes) == 0;
	v->used_at_ns = now;
}

static void fill_volume(json_t *o, uint64_t deadline_ns)
{
	struct rt_volume *v = rt_volume_find(text_of(o, "id"));
	char reason[256] = "not opened yet", naa[40] = "";
	if (v) {
		volume_refresh_used(v, deadline_ns);
		rt_volume_reason(v, reason, sizeof(reason));
		if (v->unit)
			scsi_unit_naa_text(v->unit, naa);
	}
	json_object_set_new_nocheck(o, "state", json_string(v && rt_volume_is_online(v) && !v->building ? "online" : "offline"));
	set_text(o, "reason", reason);
	json_object_set_new_nocheck(o, "used_bytes", v && v->used_known ? json_integer((json_int_t)v->used_bytes) : json_null());
	json_object_set_new_nocheck(o, "naa", json_string(naa));
	json_object_set_new_nocheck(o, "stats", v && v->volume ? volume_stats_json(v->volume) : json_object());
}

static void fill_portal(json_t *o)
{
	struct rt_portal *p = rt_portal_find(text_of(o, "id"));
	bool enabled = true_of(o, "enabled"), listening = false;
	char why[WHY_BYTES] = "";
	if (enabled && nas_protocol(text_of(o, "protocol"))) {
		nas_portal_state(text_of(o, "protocol"), &listening, why, sizeof(why));
		json_object_set_new(o, "state", json_string(listening ? "listening" : "failed"));
		set_text(o, "reason", why);
		return;
	}
	json_object_set_new(o, "state", json_string(!enabled ? "disabled" : p && p->listening ? "listening" : "failed"));
	set_text(o, "reason", enabled && p ? p->reason : "");
}

/* ---- targets: one pass over LUNs, accesses and sessions, however many targets ----------------------------------------------- */
static void group_by_target(enum model_kind k, const char *only_target, json_t *by_target, json_t *(*member)(const json_t *row))
{
	struct config_query q = { .where_field = only_target ? "target" : NULL, .where_value = only_target };
	struct config_error e;
	json_t *rows, *row;
	size_t i;
	if (config_list(ctl.db, k, &q, &rows, &e))
		return;
	json_array_foreach(rows, i, row) {
		const char *target = text_of(row, "target");
		json_t *list = json_object_get(by_target, target);
		if (!list) {
			list = json_array();
			json_object_set_new(by_target, target, list);
		}
		json_array_append_new(list, member(row));
	}
	json_decref(rows);
}
static json_t *lun_member(const json_t *row)
{
	return json_pack("{s:O, s:O, s:O, s:O}", "lun", json_object_get(row, "lun"), "volume", json_object_get(row, "volume"), "read_only", json_object_get(row, "read_only"),
			 "id", json_object_get(row, "id"));
}
static json_t *host_member(const json_t *row)
{
	const char *host = json_string_value(json_object_get(row, "host"));
	if (host)
		return json_string(host);
	return json_sprintf("@%s", text_of(row, "group"));
}

static void fill_targets(json_t *array, const char *only)
{
	json_t *luns = json_object(), *hosts = json_object(), *sessions = json_object(), *o;
	size_t i;
	group_by_target(MODEL_LUN, only, luns, lun_member);
	group_by_target(MODEL_ACCESS, only, hosts, host_member);
	iscsi_session_each(count_one, sessions);
	nvmf_session_each(count_association, sessions);
	json_array_foreach(array, i, o) {
		json_t *l = json_object_get(luns, text_of(o, "name")), *h = json_object_get(hosts, text_of(o, "name"));
		json_object_set_new(o, "luns", l ? json_incref(l) : json_array());
		json_object_set_new(o, "hosts", h ? json_incref(h) : json_array());
		json_object_set_new(o, "sessions", json_integer(int_of(sessions, text_of(o, "qualified_name"))));
	}
	json_decref(luns);
	json_decref(hosts);
	json_decref(sessions);
}

/* ---- all ------------------------------------------------------------------------------------------------------------------------ */
static void fill_setting(json_t *o)
{
	const struct setting_row *s = setting_find(text_of(o, "key"));
	if (!s)
		return;
	json_t *full = setting_object(s, o);
	json_object_update(o, full);
	json_decref(full);
}

void live_fill(enum model_kind k, json_t *objects)
{
	json_t *array = json_is_array(objects) ? json_incref(objects) : json_pack("[O]", objects), *o;
	uint64_t deadline_ns = reactor_clock_ns() + USED_BUDGET_NS;
	size_t i;
	if (k == MODEL_VOLUME && !json_is_array(objects)) { /* one that somebody asks for: as it is now */
		struct rt_volume *v = rt_volume_find(text_of(objects, "id"));
		if (v)
			v->used_at_ns = 0;
	}
	if (k == MODEL_TARGET)
		fill_targets(array, json_array_size(array) == 1 ? text_of(json_array_get(array, 0), "name") : NULL);
	json_array_foreach(array, i, o) {
		if (k == MODEL_POOL)
			fill_pool(o);
		else if (k == MODEL_VOLUME)
			fill_volume(o, deadline_ns);
		else if (k == MODEL_PORTAL)
			fill_portal(o);
		else if (k == MODEL_SETTING)
			fill_setting(o);
		else if (k == MODEL_TASK)
			control_task_overlay(o);
		else if (k == MODEL_CERTIFICATE)
			certificate_fill(o);
		else if (k == MODEL_CHANNEL)
			channel_fill(o);
		else if (k == MODEL_SHARE)
			share_fill(o);
		else if (k == MODEL_USER)
			user_fill(o);
		else if (k == MODEL_QUOTA)
			quota_fill(o);
	}
	json_decref(array);
}
