/* SPDX-License-Identifier: GPL-3.0-or-later */
/* space_disk.c - the disks of the machine: how they are, asked once an hour; pools from empty ones. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "share/space_state.h"

#define LOOK_S 3600
#define DISKS_MAX 256

/* Known by serial number where there is one: names change with every start. */
struct known_disk {
	char key[96];
	struct space_disk_health health;
	struct space_told told;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct known_disk known[DISKS_MAX];
static size_t known_count;
static int64_t next_look_s;

static void key_of(const struct space_disk *d, char key[96])
{
	snprintf(key, 96, "%s", d->serial[0] ? d->serial : d->path);
}

static struct known_disk *find(const char *key)
{
	for (size_t i = 0; i < known_count; i++)
		if (!strcmp(known[i].key, key))
			return &known[i];
	return NULL;
}

static bool has_health(const struct space_disk *d)
{
	return strcmp(d->kind, "loop") != 0 && strcmp(d->kind, "dm") != 0 && strcmp(d->kind, "md") != 0;
}

static void look_at(const struct space_disk *d)
{
	struct space_disk_health h;
	char why[512], key[96], text[512];
	_cleanup_(freep) char *json = NULL;
	key_of(d, key);
	if (keeper_disk_health(d->path, &json, why, sizeof(why))) {
		space_health_read("", &h);
		snprintf(h.text, sizeof(h.text), "%.255s", why);
	} else {
		space_health_read(json, &h);
	}
	pthread_mutex_lock(&lock);
	struct known_disk *k = find(key);
	if (!k && known_count < DISKS_MAX) {
		k = &known[known_count++];
		*k = (struct known_disk){ 0 };
		snprintf(k->key, sizeof(k->key), "%s", key);
	}
	if (k && !(h.asleep && k->health.health != SPACE_HEALTH_UNKNOWN))
		k->health = h;
	bool bad = k && k->health.health >= SPACE_HEALTH_WORN;
	snprintf(text, sizeof(text), "the disk %s (%s, serial number %s): %s", d->path, d->model[0] ? d->model : "unknown model", d->serial[0] ? d->serial : "unknown", h.text);
	struct space_told told = k ? k->told : (struct space_told){ 0 };
	pthread_mutex_unlock(&lock);
	if (!k || h.asleep)
		return;
	space_tell_once(&told, NULL, "disk.health", key, bad ? text : NULL);
	pthread_mutex_lock(&lock);
	k = find(key);
	if (k)
		k->told = told;
	pthread_mutex_unlock(&lock);
}

void space_disks_look(void)
{
	_cleanup_(freep) struct space_disk *all = NULL;
	size_t count = 0;
	char why[512];
	int64_t now = time(NULL);
	pthread_mutex_lock(&lock);
	bool due = now >= next_look_s || now < next_look_s - 2 * LOOK_S;
	if (due)
		next_look_s = now + LOOK_S;
	pthread_mutex_unlock(&lock);
	if (!due || keeper_disk_list(&all, &count, why, sizeof(why)))
		return;
	for (size_t i = 0; i < count; i++)
		if (has_health(&all[i]))
			look_at(&all[i]);
}

void space_disks_stop(void)
{
	pthread_mutex_lock(&lock);
	known_count = 0;
	next_look_s = 0;
	pthread_mutex_unlock(&lock);
}

static void set_number(json_t *o, const char *member, int64_t v)
{
	json_object_set_new(o, member, v < 0 ? json_null() : json_integer(v));
}

static json_t *disk_json(const struct space_disk *d)
{
	struct space_disk_health h;
	char key[96];
	key_of(d, key);
	space_health_read("", &h);
	snprintf(h.text, sizeof(h.text), "%s", has_health(d) ? "it was not asked yet" : "only disks have health");
	pthread_mutex_lock(&lock);
	const struct known_disk *k = find(key);
	if (k)
		h = k->health;
	pthread_mutex_unlock(&lock);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b, s:b, s:s?, s:s, s:s}", "name", d->name, "path", d->path, "kind", d->kind, "model", d->model, "serial", d->serial, "size_bytes",
			      (json_int_t)d->size_bytes, "rotational", d->rotational, "removable", d->removable, "empty", d->empty, "in_use", d->in_use[0] ? d->in_use : NULL, "health", space_health_name(h.health),
			      "health_text", h.text);
	set_number(o, "temperature_c", h.temperature_c);
	set_number(o, "power_on_hours", h.hours);
	set_number(o, "worn_percent", h.worn_percent);
	set_number(o, "reallocated_sectors", h.reallocated);
	set_number(o, "pending_sectors", h.pending);
	set_number(o, "media_errors", h.media_errors);
	return o;
}

int share_disks(json_t **ret, char *why, size_t why_bytes)
{
	_cleanup_(freep) struct space_disk *all = NULL;
	size_t count;
	int r = keeper_summon(why, why_bytes);
	if (!r)
		r = keeper_disk_list(&all, &count, why, why_bytes);
	if (r)
		return r;
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, disk_json(&all[i]));
	*ret = list;
	return list ? 0 : -ENOMEM;
}

int share_pool_format(const struct share_format *f, char *why, size_t why_bytes)
{
	char uuid[40], label[13];
	size_t n = 0;
	if (strcmp(f->name, f->confirm) != 0) {
		snprintf(why, why_bytes, "type the name of the pool again to confirm: all that is on the disk is overwritten");
		return -EINVAL;
	}
	for (const char *p = f->name; *p && n < sizeof(label) - 1; p++)
		label[n++] = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.' ? *p : '_';
	label[n] = '\0';
	int r = keeper_summon(why, why_bytes);
	return r ? r : keeper_pool_format(f->disks, f->disk_count, f->file_system, label, f->folder, uuid, why, why_bytes);
}

int share_pool_forget(const char *folder, char *why, size_t why_bytes)
{
	int r = keeper_summon(why, why_bytes);
	return r ? r : keeper_mount_forget(folder, why, why_bytes);
}
