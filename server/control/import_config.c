/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import_config.c - configuration of other software becomes ours, as one batch: all of it or none.
 * The reading is remote/'s and needs nothing of this room; what is known here are the names that are taken, the pools that are
 * there, and how large a device is. */
#include "control/import_priv.h"
#include "broker/keeper.h"
#include "control/operate.h"
#include "remote/remote.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

struct known_call {
	json_t *pools, *names;
};

static int known_run(void *arg)
{
	static const enum model_kind kinds[] = { MODEL_POOL, MODEL_VOLUME, MODEL_TARGET, MODEL_HOST, MODEL_SHARE, MODEL_USER, MODEL_GROUP };
	struct known_call *k = arg;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		json_t *rows, *row, *of = json_object();
		struct config_error e;
		size_t n;
		if (config_list(ctl.db, kinds[i], NULL, &rows, &e)) {
			json_decref(of);
			return e.code;
		}
		json_array_foreach(rows, n, row) {
			json_object_set_new(of, text_of(row, "name"), json_true());
			if (kinds[i] == MODEL_POOL)
				json_array_append_new(k->pools, json_pack("{s:O, s:O}", "name", json_object_get(row, "name"), "path", json_object_get(row, "path")));
		}
		json_decref(rows);
		json_object_set_new(k->names, models[kinds[i]].name, of);
	}
	return 0;
}

/* A device tells its size; so does an image file. */
static long long size_of_path(const char *path)
{
	struct stat st;
	uint64_t bytes = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	int r = fstat(fd, &st) ? -errno : S_ISBLK(st.st_mode) ? (ioctl(fd, BLKGETSIZE64, &bytes) ? -errno : 0) : S_ISREG(st.st_mode) ? 0 : -ENOTBLK;
	close(fd);
	return r ? r : S_ISBLK(st.st_mode) ? (long long)bytes : (long long)st.st_size;
}

/* False: the volume cannot be made, and neither what hangs on it. */
static bool fill_size(json_t *report, json_t *body, json_int_t line)
{
	const char *path = text_of(json_object_get(body, "options"), "path");
	long long block = int_of(body, "block_size") == 4096 ? 4096 : 512, size = *path ? size_of_path(path) : 0;
	if (*path && size < 0)
		import_lost(report, line, "%.300s: %s; volume %.63s begins offline, or is left out without a size", path, strerror((int)-size), text_of(body, "name"));
	if (!json_object_get(body, "size_bytes") && size >= block)
		json_object_set_new(body, "size_bytes", json_integer(size / block * block));
	return json_object_get(body, "size_bytes") != NULL && size >= 0;
}

/* Verbatim lines that would be refused: the rest of the file is worth having without them. */
static void keep_lines(json_t *report, json_t *body, json_int_t at)
{
	_cleanup_(freep) char *raw = strdup(text_of(body, "smb_raw")), *kept = raw ? calloc(1, strlen(raw) + 2) : NULL;
	char *save = NULL;
	size_t n = 0, room = raw ? strlen(raw) + 2 : 0;
	for (char *line = kept ? strtok_r(raw, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		const char *why = keeper_smb_line(line);
		if (why)
			import_lost(report, at, "share %.63s: \"%.150s\" is left out: %s", text_of(body, "name"), line + strspn(line, " \t"), why);
		else
			n += (size_t)snprintf(kept + n, room - n, "%s\n", line);
	}
	if (kept && *kept)
		json_object_set_new(body, "smb_raw", json_string(kept));
	else
		json_object_del(body, "smb_raw");
}

/* The share that serves this folder over the same protocol already; "": none. */
static void same_folder(const json_t *body, char name[128])
{
	json_t *rows, *row;
	struct config_error e;
	size_t i;
	*name = '\0';
	if (config_list(ctl.db, MODEL_SHARE, NULL, &rows, &e))
		return;
	json_array_foreach(rows, i, row) {
		const char *path = *text_of(body, "path") ? text_of(body, "path") : text_of(body, "name");
		if (strcmp(text_of(row, "pool"), text_of(body, "pool")) == 0 && strcmp(*text_of(row, "path") ? text_of(row, "path") : text_of(row, "name"), path) == 0 &&
		    ((true_of(row, "smb") && true_of(body, "smb")) || (true_of(row, "nfs") && true_of(body, "nfs"))))
			snprintf(name, 128, "%s", text_of(row, "name"));
	}
	json_decref(rows);
}

/* Of a pool that is there, or that is made with the rest. */
static void pool_path(const json_t *objects, const char *name, char path[4096])
{
	struct config_error e;
	json_t *o, *row;
	size_t i;
	*path = '\0';
	json_array_foreach(objects, i, o)
		if (strcmp(text_of(o, "kind"), "pool") == 0 && strcmp(text_of(json_object_get(o, "body"), "name"), name) == 0)
			snprintf(path, 4096, "%s", text_of(json_object_get(o, "body"), "path"));
	if (*path || config_get(ctl.db, MODEL_POOL, name, &row, &e))
		return;
	snprintf(path, 4096, "%s", text_of(row, "path"));
	json_decref(row);
}

/* On the control thread. */
static int shares_run(void *arg)
{
	json_t *report = arg, *objects = json_object_get(report, "objects"), *o;
	char there[128], pool[4096];
	for (size_t i = 0; (o = json_array_get(objects, i)) != NULL;) {
		json_t *body = json_object_get(o, "body");
		json_int_t line = int_of(o, "line");
		bool share = strcmp(text_of(o, "kind"), "share") == 0, setting = strcmp(text_of(o, "kind"), "setting") == 0;
		struct config_error e = { 0 };
		int r = 0;
		*there = '\0';
		if (share)
			same_folder(body, there);
		/* Nothing stands on these, so the rest of the file can be had without one that our rules refuse. */
		if (share && !*there) {
			pool_path(objects, text_of(body, "pool"), pool);
			r = share_folder_check(pool, text_of(body, "path"), &e);
		} else if (setting) {
			r = setting_check(text_of(body, "key"), text_of(body, "value"), &e);
		}
		if (r) {
			import_lost(report, line, "%s %.63s is left out: %.300s", text_of(o, "kind"), text_of(body, setting ? "key" : "name"), e.why);
			json_array_remove(objects, i);
			continue;
		}
		if (*there) {
			import_lost(report, line, "the folder of %.63s is served already, as share %.63s: it is left out", text_of(body, "name"), there);
			json_array_remove(objects, i);
			continue;
		}
		if (json_object_get(body, "smb_raw"))
			keep_lines(report, body, line);
		i++;
	}
	return 0;
}

/* Takes out what cannot be made, and what stands on it. */
static void drop(json_t *report)
{
	json_t *objects = json_object_get(report, "objects"), *gone = json_object(), *o;
	for (size_t i = 0; i < json_array_size(objects);) {
		o = json_array_get(objects, i);
		json_t *body = json_object_get(o, "body");
		const char *kind = text_of(o, "kind");
		bool out = (strcmp(kind, "volume") == 0 && !fill_size(report, body, int_of(o, "line"))) ||
			   (strcmp(kind, "lun") == 0 && json_object_get(gone, text_of(body, "volume")));
		if (out && strcmp(kind, "volume") == 0)
			json_object_set_new(gone, text_of(body, "name"), json_true());
		if (out)
			json_array_remove(objects, i);
		else
			i++;
	}
	json_decref(gone);
}

/* What nobody but us needs to see. */
static json_t *without_secrets(const json_t *objects)
{
	static const char *const secret[] = { "chap_secret", "mutual_secret" };
	json_t *copy = json_deep_copy(objects), *o;
	size_t i;
	json_array_foreach(copy, i, o)
		for (size_t k = 0; k < ARRAY_COUNT(secret); k++)
			if (json_object_get(json_object_get(o, "body"), secret[k]))
				json_object_set_new(json_object_get(o, "body"), secret[k], json_true());
	return copy;
}

struct make_call {
	json_t *objects;
	const struct config_actor *who;
	bool dry_run;
	json_t *plan;
	struct config_error *e;
};

/* Settings and portals that are there already are changed or left. */
static bool is_there(const struct model *m, const json_t *body, struct control_change *c)
{
	json_t *rows, *row;
	struct config_error e;
	size_t i;
	bool there = false;
	if (m->kind == MODEL_SETTING) {
		c->verb = CONTROL_UPDATE;
		c->id = text_of(body, "key");
		return false;
	}
	if (m->kind != MODEL_PORTAL || config_list(ctl.db, MODEL_PORTAL, NULL, &rows, &e))
		return false;
	json_array_foreach(rows, i, row)
		there |= json_equal(json_object_get(row, "address"), json_object_get(body, "address")) && json_equal(json_object_get(row, "port"), json_object_get(body, "port"));
	json_decref(rows);
	return there;
}

static int make_run(void *arg)
{
	struct make_call *m = arg;
	size_t count = json_array_size(m->objects), n = 0, i;
	struct control_change *change = calloc(count + 1, sizeof(*change));
	struct control_result *results = calloc(count + 1, sizeof(*results));
	json_t *o, *values = json_array();
	size_t *from = calloc(count + 1, sizeof(*from));
	int r = 0;
	if (!change || !results || !from || !values)
		r = config_fail(m->e, -ENOMEM, "", "out of memory");
	json_array_foreach(m->objects, i, o) {
		const struct model *model = r ? NULL : model_by_name(text_of(o, "kind"));
		struct control_change c = { .verb = CONTROL_CREATE, .kind = model ? model->kind : 0, .body = json_object_get(o, "body"), .actor = *m->who, .dry_run = m->dry_run };
		if (!model || is_there(model, c.body, &c))
			continue;
		if (model->kind == MODEL_SETTING) {
			json_t *value = json_pack("{s:O}", "value", json_object_get(c.body, "value"));
			json_array_append_new(values, value);
			c.body = value;
		}
		from[n] = i;
		change[n++] = c;
	}
	struct batch b = { .change = change, .count = n, .result = results, .adopt = true };
	if (!r && n) {
		r = batch_run(&b, m->who, m->dry_run);
		if (r) {
			const struct config_error *e = &results[b.failed_at].error;
			const json_t *bad = json_array_get(m->objects, from[b.failed_at]);
			config_fail(m->e, r, e->field, "line %lld, %s %s: %s", (long long)int_of(bad, "line"), text_of(bad, "kind"), text_of(json_object_get(bad, "body"), "name"), e->why);
		} else if (results[0].plan) {
			m->plan = json_incref(results[0].plan);
		}
		for (i = 0; i < n; i++)
			control_result_done(&results[i]);
		batch_done(&b);
	}
	json_decref(values);
	free(from);
	free(results);
	free(change);
	return r;
}

int control_import_config(const json_t *body, bool dry_run, const struct config_actor *who, json_t **ret_result, struct config_error *e)
{
	struct known_call k = { json_array(), json_object() };
	const json_t *text = json_object_get(body, "text");
	json_t *report = NULL;
	char why[256];
	int r = json_is_string(text) ? 0 : config_fail(e, -EINVAL, "text", "text is the file's content");
	if (!r)
		r = reactor_call(ctl.reactor, known_run, &k);
	if (!r) {
		const struct remote_config c = { .format = text_or_null(body, "format"), .text = json_string_value(text), .len_bytes = json_string_length(text), .pools = k.pools, .names = k.names };
		if (remote_config_read(&c, &report, why, sizeof(why)))
			r = config_fail(e, -EINVAL, "text", "%s", why);
	}
	json_decref(k.pools);
	json_decref(k.names);
	if (r)
		return r;
	drop(report);
	import_fit(report);
	r = reactor_call(ctl.reactor, shares_run, report);
	if (r) {
		json_decref(report);
		return r;
	}
	struct make_call m = { .objects = json_object_get(report, "objects"), .who = who, .dry_run = dry_run, .e = e };
	r = reactor_call(ctl.reactor, make_run, &m);
	if (!r)
		*ret_result = json_pack("{s:O, s:O, s:o, s:o?}", "format", json_object_get(report, "format"), "findings", json_object_get(report, "findings"), "objects",
					without_secrets(json_object_get(report, "objects")), "plan", m.plan ? m.plan : json_null());
	json_decref(report);
	return r;
}
