/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runtime_volume.c - volumes that run: open, offline and back again, closed.
 *
 * A volume whose backend is missing stays: its unit stays mapped and answers NOT READY, an alert says why,
 * and the backend is tried again every ten seconds.  Nothing here removes what the store says. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>

/* Optical media have blocks of 2048 bytes, whatever the row says. */
static bool is_cdrom(const json_t *row)
{
	return strcmp(text_of(row, "type"), "cdrom") == 0;
}

/* ---- the spec ------------------------------------------------------------------------------------------ */
static int fill_spec(const json_t *row, struct volume_spec_hold *ret_hold, char *why, size_t why_bytes)
{
	const char *key;
	json_t *v;
	size_t n = 0;
	json_object_foreach(json_object_get(row, "options"), key, v) {
		if (n == ARRAY_COUNT(ret_hold->setting)) {
			snprintf(why, why_bytes, "a volume takes at most %zu options", n);
			volume_spec_done(ret_hold);
			return -EINVAL;
		}
		ret_hold->setting[n++] = (struct volume_setting){ .name = key, .value = json_string_value(v) };
	}
	ret_hold->spec = (struct volume_spec){
		.name = text_of(row, "name"),
		.uuid = text_of(row, "id"),
		.plugin = text_of(row, "plugin"),
		.pool_path = json_string_value(json_object_get(ret_hold->pool, "path")),
		.size_bytes = (uint64_t)int_of(row, "size_bytes"),
		.block_bytes = is_cdrom(row) ? 2048 : (uint32_t)int_of(row, "block_size"),
		.read_only = true_of(row, "read_only"),
		.encrypted = true_of(row, "encrypted"),
		.settings = ret_hold->setting,
		.setting_count = n,
	};
	return 0;
}

int volume_spec_of(const json_t *row, struct volume_spec_hold *ret_hold, char *why, size_t why_bytes)
{
	struct config_error e;
	const char *pool = json_string_value(json_object_get(row, "pool"));
	*ret_hold = (struct volume_spec_hold){ 0 };
	if (pool && config_get(ctl.db, MODEL_POOL, pool, &ret_hold->pool, &e)) {
		snprintf(why, why_bytes, "%s", e.why);
		return e.code;
	}
	return fill_spec(row, ret_hold, why, why_bytes);
}

json_t *volume_note_of(const json_t *row)
{
	struct config_error e;
	json_t *pool = NULL;
	const char *id = json_string_value(json_object_get(row, "pool"));
	if (id && config_get(ctl.db, MODEL_POOL, id, &pool, &e))
		return NULL;
	json_t *note = json_pack("{s:O, s:s?}", "row", row, "pool_path", json_string_value(json_object_get(pool, "path")));
	json_decref(pool);
	return note;
}

int volume_spec_of_note(const json_t *note, struct volume_spec_hold *ret_hold, char *why, size_t why_bytes)
{
	*ret_hold = (struct volume_spec_hold){ .pool = json_pack("{s:s?}", "path", json_string_value(json_object_get(note, "pool_path"))) };
	if (!ret_hold->pool)
		return -ENOMEM;
	return fill_spec(json_object_get(note, "row"), ret_hold, why, why_bytes);
}

void volume_spec_done(struct volume_spec_hold *h)
{
	json_decref(h->pool);
	h->pool = NULL;
	explicit_bzero(h->key, sizeof(h->key));
}

/* Writing every block of a large volume takes its time: a task does it. */
bool volume_builds_slowly(const json_t *row)
{
	return strcmp(text_of(json_object_get(row, "options"), "preallocate"), "full") == 0 && int_of(row, "size_bytes") > (INT64_C(64) << 20);
}

/* ---- state --------------------------------------------------------------------------------------------- */
struct rt_volume *rt_volume_find(const char *id)
{
	struct node *n = registry_find(&ctl.volumes, id);
	return n ? container_of(n, struct rt_volume, node) : NULL;
}

bool rt_volume_is_online(const struct rt_volume *v)
{
	return v->volume && volume_state(v->volume) == VOLUME_ONLINE;
}

void rt_volume_reason(const struct rt_volume *v, char *buf, size_t buf_bytes)
{
	buf[0] = '\0';
	if (v->building)
		snprintf(buf, buf_bytes, "its backing store is being made");
	else if (!v->volume)
		snprintf(buf, buf_bytes, "%s", v->reason);
	else if (volume_state(v->volume) != VOLUME_ONLINE)
		volume_reason(v->volume, buf, buf_bytes);
}

void rt_volume_check(struct rt_volume *v)
{
	char reason[256];
	const char *name = text_of(v->row, "name");
	if (v->building)
		return;
	if (v->volume && volume_has_lost_writes(v->volume))
		alert_raise(LOG_LEVEL_ERROR, "volume.writes_lost", name,
			    "writes to volume %s that hosts were told of may be lost: its backing store could not make them durable; every flush fails until somebody has looked", name);
	else
		alert_resolve("volume.writes_lost", name);
	if (rt_volume_is_online(v)) {
		alert_resolve("volume.offline", name);
		return;
	}
	rt_volume_reason(v, reason, sizeof(reason));
	alert_raise(LOG_LEVEL_ERROR, "volume.offline", name, "volume %s is offline: %s; hosts see it as not ready, it is tried again every %d s", name,
		    *reason ? reason : "no reason given", VOLUME_RETRY_S);
	retry_soon(VOLUME_RETRY_S);
}

/* Hosts must hear of lost writes, so flushes fail until a person knows: then the backing store gets its second chance. */
void rt_volume_acknowledged(const char *type, const char *name)
{
	struct node *n;
	if (strcmp(type, "volume.writes_lost") != 0)
		return;
	list_for_each(n, &ctl.volumes.all, all) {
		struct rt_volume *v = container_of(n, struct rt_volume, node);
		if (!v->volume || strcmp(text_of(v->row, "name"), name) != 0)
			continue;
		int r = volume_reopen(v->volume);
		if (r)
			log_warn(&log_control, "a volume that lost writes cannot be opened anew", "volume=%s why=\"%s\"", name, strerror(-r));
		rt_volume_check(v);
	}
}

/* ---- events of block/, from any thread -------------------------------------------------------------------- */
struct volume_news {
	struct msg msg;
	char id[CONFIG_ID_BYTES];
	enum volume_event event;
};
static void news_arrive(struct msg *m)
{
	struct volume_news *n = container_of(m, struct volume_news, msg);
	struct rt_volume *v = rt_volume_find(n->id);
	if (v && n->event != VOLUME_FULL)
		rt_volume_check(v);
	if (v && n->event == VOLUME_FULL) {
		struct config_error e;
		json_t *pool;
		const char *id = json_string_value(json_object_get(v->row, "pool"));
		if (id && config_get(ctl.db, MODEL_POOL, id, &pool, &e) == 0) {
			alert_raise(LOG_LEVEL_ERROR, "pool.full", text_of(pool, "name"), "pool %s is full: writes to volume %s fail; free space or grow the file system",
				    text_of(pool, "name"), text_of(v->row, "name"));
			json_decref(pool);
			retry_soon(POOL_RETRY_S);
		}
	}
	free(n);
}

static void volume_news(struct volume_watcher *w, struct volume *vol, enum volume_event event)
{
	struct rt_volume *v = container_of(w, struct rt_volume, watcher);
	(void)vol;
	if (event != VOLUME_STATE_CHANGED && event != VOLUME_FULL && event != VOLUME_WRITES_LOST)
		return;
	struct volume_news *n = calloc(1, sizeof(*n));
	if (!n)
		return;                  /* the retry timer finds out too */
	n->msg.run = news_arrive;
	n->event = event;
	memcpy(n->id, v->node.id, sizeof(n->id));
	reactor_post(ctl.reactor, &n->msg);
}

/* ---- open and close ------------------------------------------------------------------------------------------ */
static void load_reservations(struct rt_volume *v)
{
	const char *text = json_string_value(json_object_get(v->row, "reservations"));
	const char *name = text_of(v->row, "name");
	if (text && *text && volume_resv_load(v->volume, text))
		alert_raise(LOG_LEVEL_ERROR, "volume.reservations", name,
			    "the stored reservations of volume %s cannot be read and are ignored; cluster nodes must register again", name);
}

/* A crash between the resize of the store and the commit leaves two sizes.  The store's counts: making it
 * fit the database could cut off what a host has written. */
static void adopt_size(struct rt_volume *v, const struct volume_spec *spec, struct volume **vol)
{
	struct volume_spec whole = *spec;
	struct volume *found;
	struct config_error e;
	json_t *row;
	whole.size_bytes = 0;
	if (!spec->pool_path || volume_state(*vol) == VOLUME_ONLINE || volume_open(&whole, &found))
		return;
	uint64_t bytes = volume_size_bytes(found);
	json_t *fields = json_pack("{s:I}", "size_bytes", (json_int_t)bytes);
	if (volume_state(found) != VOLUME_ONLINE || !fields || config_put(ctl.db, MODEL_VOLUME, v->node.id, fields, NULL, &e) ||
	    row_get(MODEL_VOLUME, v->node.id, &row, &e)) {
		json_decref(fields);
		volume_close(found, CLOSE_DEADLINE_MS);
		volume_unref(found);
		return;
	}
	json_decref(fields);
	log_warn(&log_control, "a resize was cut off, the size of the store counts", "volume=%s was=%llu is=%llu", spec->name,
		 (unsigned long long)spec->size_bytes, (unsigned long long)bytes);
	control_event(LOG_LEVEL_WARN, false, "volume.size", spec->name, "a resize of volume %s was cut off: the database said %llu bytes, it has %llu",
		      spec->name, (unsigned long long)spec->size_bytes, (unsigned long long)bytes);
	volume_close(*vol, CLOSE_DEADLINE_MS);
	volume_unref(*vol);
	*vol = found;
	json_decref(v->row);
	v->row = row;
}

static int try_open(struct rt_volume *v, char *why, size_t why_bytes)
{
	struct volume_spec_hold h;
	struct volume *vol = NULL;
	int r = volume_spec_of(v->row, &h, why, why_bytes);
	if (r)
		return r;
	volume_key_lend(v->row, &h);
	r = volume_open(&h.spec, &vol);
	if (r) {
		snprintf(why, why_bytes, "the volume cannot be opened: %s", strerror(-r));
		volume_check(&h.spec, why, why_bytes);
	}
	if (!r)
		adopt_size(v, &h.spec, &vol);
	volume_spec_done(&h);
	if (r)
		return r;
	struct scsi_unit_spec us = {
		.volume = vol,
		.device = is_cdrom(v->row) ? SCSI_CDROM : strcmp(text_of(v->row, "type"), "removable") == 0 ? SCSI_REMOVABLE : SCSI_DISK,
		.physical_bytes = (uint32_t)int_of(v->row, "physical_block_size"),
		.naa = text_or_null(v->row, "naa_override"),
		.serial = text_or_null(v->row, "serial"),
		.vendor = text_or_null(v->row, "vendor"),
		.product = text_or_null(v->row, "product"),
		.modes = text_or_null(v->row, "mode_pages"),
	};
	if (*text_of(v->row, "sanitize")) {
		volume_wipe_was_cut_off(vol);
		log_warn(&log_control, "a sanitize was cut off: hosts hear that it failed until they repeat it, or end it by EXIT FAILURE MODE",
			 "volume=%s", text_of(v->row, "name"));
	}
	r = scsi_unit_new(&us, &v->unit);
	if (r) {
		volume_close(vol, CLOSE_DEADLINE_MS);
		volume_unref(vol);
		snprintf(why, why_bytes, "no logical unit can be made: %s", strerror(-r));
		return r;
	}
	v->volume = vol;
	load_reservations(v);
	v->watcher.event = volume_news;
	volume_watch(vol, &v->watcher);
	return 0;
}

static void shut(struct rt_volume *v)
{
	if (!v->volume)
		return;
	volume_unwatch(v->volume, &v->watcher);
	scsi_unit_unref(TAKE(v->unit));
	uint64_t now = reactor_clock_ns();
	int r = volume_close(v->volume, !ctl.close_by_ns ? CLOSE_DEADLINE_MS : now < ctl.close_by_ns ? (unsigned)((ctl.close_by_ns - now) / 1000000) : 0);
	ctl.closes_late |= r != 0;
	if (r)
		log_warn(&log_control, "volume closes late", "volume=%s why=\"%s\"", text_of(v->row, "name"), strerror(-r));
	volume_unref(TAKE(v->volume));
}

int rt_volume_open(const json_t *row, bool must_serve, struct rt_volume **ret_volume, char *why, size_t why_bytes)
{
	struct rt_volume *v = calloc(1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v->row = json_deep_copy(row);
	registry_add(&ctl.volumes, &v->node, text_of(row, "id"));
	int r = try_open(v, v->reason, sizeof(v->reason));
	if (must_serve && !r && !rt_volume_is_online(v)) {
		volume_reason(v->volume, v->reason, sizeof(v->reason));
		r = -EIO;
	}
	if (must_serve && r) {
		snprintf(why, why_bytes, "%s", v->reason);
		rt_volume_close(v);
		return r;
	}
	if (ret_volume)
		*ret_volume = v;
	return 0;
}

void rt_volume_stop(struct rt_volume *v)
{
	shut(v);
	registry_remove(&ctl.volumes, &v->node);
	json_decref(v->row);
	free(v);
}

void rt_volume_close(struct rt_volume *v)
{
	alert_resolve("volume.offline", text_of(v->row, "name"));
	alert_resolve("volume.writes_lost", text_of(v->row, "name"));
	alert_resolve("volume.reservations", text_of(v->row, "name"));
	rt_volume_stop(v);
}

/* ---- changes of one that runs ---------------------------------------------------------------------------------- */
static int morph_options(struct volume *vol, const json_t *from, const json_t *to, char *why, size_t why_bytes)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)to, key, v) {
		if (json_equal(v, json_object_get(from, key)))
			continue;
		int r = volume_set_option(vol, key, json_string_value(v));
		if (r) {
			snprintf(why, why_bytes, "option %s cannot be set: %s", key, strerror(-r));
			return r;
		}
	}
	return 0;
}

/* From one row to another; on failure what was done is taken back. */
int rt_volume_change(const json_t *old_row, const json_t *new_row, char *why, size_t why_bytes)
{
	struct rt_volume *v = rt_volume_find(text_of(new_row, "id"));
	const json_t *old_options = json_object_get(old_row, "options"), *new_options = json_object_get(new_row, "options");
	uint64_t old_bytes = (uint64_t)int_of(old_row, "size_bytes"), new_bytes = (uint64_t)int_of(new_row, "size_bytes");
	bool flip = true_of(old_row, "read_only") != true_of(new_row, "read_only");
	char ignored[64];
	int r = 0;
	if (!v || !v->volume) {
		snprintf(why, why_bytes, "the volume is not running: %s", v ? v->reason : "unknown");
		return -ESHUTDOWN;
	}
	if (new_bytes != old_bytes)
		r = volume_resize(v->volume, new_bytes, why, why_bytes);
	if (r)
		return r;
	r = morph_options(v->volume, old_options, new_options, why, why_bytes);
	if (!r && flip && (r = volume_set_read_only(v->volume, true_of(new_row, "read_only"))))
		snprintf(why, why_bytes, "read_only cannot be changed: %s", strerror(-r));
	if (!r && strcmp(text_of(old_row, "name"), text_of(new_row, "name")) != 0) {
		r = volume_rename(v->volume, text_of(new_row, "name"));
		if (!r) {
			alert_resolve("volume.offline", text_of(old_row, "name"));
			alert_resolve("volume.writes_lost", text_of(old_row, "name"));
		}
	}
	if (r) {
		morph_options(v->volume, new_options, old_options, ignored, sizeof(ignored));
		if (flip && volume_set_read_only(v->volume, true_of(old_row, "read_only")))
			log_error(&log_control, "read_only cannot be set back", "volume=%s", text_of(old_row, "name"));
		if (new_bytes != old_bytes && volume_resize(v->volume, old_bytes, ignored, sizeof(ignored)))
			log_error(&log_control, "size cannot be set back", "volume=%s", text_of(old_row, "name"));
		return r;
	}
	json_decref(v->row);
	v->row = json_deep_copy(new_row);
	rt_volume_check(v);
	return 0;
}

bool volume_retry_all(void)
{
	bool left = false;
	struct node *n;
	list_for_each(n, &ctl.volumes.all, all) {
		struct rt_volume *v = container_of(n, struct rt_volume, node);
		if (v->building || rt_volume_is_online(v))
			continue;
		bool unmapped = !v->unit;
		int r = v->volume ? volume_reopen(v->volume) : try_open(v, v->reason, sizeof(v->reason));
		if (r || !rt_volume_is_online(v))
			left = true;
		if (unmapped && v->unit && rt_target_update_by_volume(v->node.id))
			log_warn(&log_control, "a volume is back but a target could not take it", "volume=%s", text_of(v->row, "name"));
		rt_volume_check(v);
	}
	return left;
}

/* ---- reservations that survive a power loss -------------------------------------------------------------------- */
struct field_save {
	const char *uuid, *field, *text;
};
static int field_save_run(void *arg)
{
	const struct field_save *s = arg;
	struct config_error e = { 0 };
	json_t *fields = json_pack("{s:s}", s->field, s->text);
	int r = fields ? config_put(ctl.db, MODEL_VOLUME, s->uuid, fields, NULL, &e) : -ENOMEM;
	struct rt_volume *v = rt_volume_find(s->uuid);
	if (!r && v)
		json_object_set(v->row, s->field, json_object_get(fields, s->field));
	json_decref(fields);
	if (r)
		log_error(&log_control, "what hosts want to be kept cannot be stored", "volume=%s field=%s why=\"%s\"", s->uuid, s->field, e.why);
	return r;
}
/* On a worker: waits for the control thread, so that the host hears GOOD only when the row is on disk. */
static int resv_save(void *arg, const char *uuid, const char *text)
{
	struct field_save s = { uuid, "reservations", text };
	(void)arg;
	return reactor_call(ctl.reactor, field_save_run, &s);
}

/* ---- a sanitize that is cut off has failed ---------------------------------------------------------------------- */
static int wipe_save(void *arg, const char *uuid, bool wiped)
{
	struct field_save s = { uuid, "sanitize", wiped ? "running" : "" };
	(void)arg;
	return reactor_call(ctl.reactor, field_save_run, &s);
}

/* ---- mode pages that a host has saved ----------------------------------------------------------------------------- */
static int modes_save(void *arg, const char *uuid, const char *text)
{
	struct field_save s = { uuid, "mode_pages", text };
	(void)arg;
	return reactor_call(ctl.reactor, field_save_run, &s);
}

int reservations_start(void)
{
	volume_resv_on_save(resv_save, NULL);
	volume_wipe_on_save(wipe_save, NULL);
	scsi_on_save_modes(modes_save, NULL);
	volume_keys_start();
	return 0;
}

void reservations_stop(void)
{
	volume_resv_on_save(NULL, NULL);
	volume_wipe_on_save(NULL, NULL);
	scsi_on_save_modes(NULL, NULL);
	volume_keys_stop();
}
