/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import.c - copies from other servers: a folder tree into a share, a LUN into a volume.
 *
 * Each is a file DIR/imports/NAME.json (0600; the password is sealed, and gone when the import is done), replaced by rename: what was
 * asked for, how far it is, how it ended.  A run is a task; one that the daemon's end cut off goes on at the next start, and one that
 * failed when somebody says so.  All of the list below belongs to the control thread. */
#include "control/import_priv.h"
#include "control/operate.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define IMPORTS_MAX 256
#define FILE_MAX_BYTES (1 << 20)

static json_t *all;                      /* name -> {"wish","state"} */
static struct import *running[16];

/* ---- the file ------------------------------------------------------------------------------------------------------- */
static int path_of(const char *name, const char *suffix, char path[4096])
{
	return snprintf(path, 4096, "%s/imports/%s.json%s", ctl.state_dir, name, suffix) < 4096 ? 0 : -ENAMETOOLONG;
}

static int file_write(const char *name, const json_t *doc)
{
	char path[4096], temp[4096];
	if (path_of(name, "", path) || path_of(name, ".new", temp))
		return -ENAMETOOLONG;
	*strrchr(path, '/') = '\0';
	(void)mkdir(path, 0700);         /* the first import makes the folder */
	(void)path_of(name, "", path);
	char *text = json_dumps(doc, JSON_INDENT(1));
	int fd = text ? open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1, r = fd < 0 ? -errno : 0;
	size_t len = text ? strlen(text) : 0, at = 0;
	while (!r && at < len) {
		ssize_t n = write(fd, text + at, len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			r = n ? -errno : -EIO;
		else
			at += (size_t)n;
	}
	if (!r && fsync(fd))
		r = -errno;
	if (fd >= 0)
		close(fd);
	if (!r && rename(temp, path))
		r = -errno;
	if (text)
		explicit_bzero(text, len);
	free(text);
	return r;
}

/* On the worker: its own copy of the state; the control thread's follows at the end. */
int import_save(struct import *m)
{
	json_object_set_new(m->wish, "rate_limit", json_integer((json_int_t)atomic_load(&m->rate)));
	json_t *doc = json_pack("{s:O, s:O}", "wish", m->wish, "state", m->state);
	int r = doc ? file_write(m->name, doc) : -ENOMEM;
	json_decref(doc);
	m->saved_ns = reactor_clock_ns();
	return r;
}

/* ---- what the child says ------------------------------------------------------------------------------------------------ */
int import_frame_json(struct import *m, enum remote_frame kind, const uint8_t *data, size_t len)
{
	json_t *j = json_loadb((const char *)data, len, 0, NULL), *log;
	int r = 0;
	if (!json_is_object(j)) {
		json_decref(j);
		return -EPROTO;
	}
	switch (kind) {
	case REMOTE_PROGRESS:
		json_object_set(m->state, "progress", j);
		control_task_progress(m->task, -1, "%lld files, %lld folders, %lld MiB copied, %lld were there", (long long)int_of(j, "files"), (long long)int_of(j, "folders"),
				      (long long)int_of(j, "bytes") >> 20, (long long)int_of(j, "same"));
		control_task_result(m->task, m->state);
		break;
	case REMOTE_LOG:
		log = json_object_get(m->state, "log");
		if (!log) {
			log = json_array();
			json_object_set_new(m->state, "log", log);
		}
		if (json_array_size(log) >= 200)
			json_array_remove(log, 0);
		json_array_append(log, j);
		break;
	case REMOTE_END:
		m->ended_well = true_of(j, "ok");
		snprintf(m->said, sizeof(m->said), "%s", text_of(j, "text"));
		break;
	default:
		r = -EPROTO;
	}
	json_decref(j);
	return r;
}

static int frame(void *arg, struct remote_child *child, enum remote_frame kind, const uint8_t *data, size_t len)
{
	struct import *m = arg;
	return strncasecmp(text_of(m->wish, "source"), "iscsi:", 6) == 0 ? lun_frame(m, child, kind, data, len) : import_frame_json(m, kind, data, len);
}

static bool is_cancelled(void *arg)
{
	const struct import *m = arg;
	return control_task_is_cancelled(m->task);
}

static uint64_t rate(void *arg)
{
	const struct import *m = arg;
	return atomic_load(&m->rate);
}

/* ---- a run, on a worker -------------------------------------------------------------------------------------------------------- */
static json_t *job_of(const struct import *m)
{
	static const char *const copied[] = { "user", "domain", "mutual_user", "initiator", "verify", "owners", "acls" };
	json_t *job = json_pack("{s:s, s:O, s:s, s:I}", "do", "copy", "url", json_object_get(m->wish, "source"), "id", text_of(m->wish, "id"), "rate", (json_int_t)atomic_load(&m->rate));
	for (size_t i = 0; i < ARRAY_COUNT(copied); i++)
		if (json_object_get(m->wish, copied[i]))
			json_object_set(job, copied[i], json_object_get(m->wish, copied[i]));
	return job;
}

static int import_work(struct task *task, void *arg)
{
	struct import *m = arg;
	char why[512] = "";
	struct config_error e = { 0 };
	json_t *job = job_of(m);
	struct import_job f = { .m = m, .job = job, .e = &e };
	struct remote_job j = { .job = job, .dir_fd = -1, .frame = frame, .is_cancelled = is_cancelled, .rate = rate, .arg = m };
	m->task = task;
	int r = control_task_ask(task, import_job_complete, &f);
	if (r && e.code)
		snprintf(why, sizeof(why), "%s", e.why);
	if (!r && *text_of(m->wish, "share"))
		r = import_place_open(&f, &j, why, sizeof(why));
	if (!r) {
		r = remote_run(&j, why, sizeof(why));
		if (*m->said && (!r || r != -ECANCELED))
			snprintf(why, sizeof(why), "%s", m->said);
		int end = lun_end(m, why, sizeof(why));
		if (!r)
			r = end ? end : m->ended_well ? 0 : -EIO;
	}
	if (j.dir_fd >= 0)
		close(j.dir_fd);
	if (j.running_fd > 0)
		close(j.running_fd);
	json_decref(job);
	json_object_set_new(m->state, "state", json_string(!r ? "done" : r == -ECANCELED ? (atomic_load(&m->keep) ? "running" : "stopped") : "failed"));
	json_object_set_new(m->state, "message", json_string(*why ? why : strerror(-r)) ?: json_string("it failed"));
	if (!r)
		import_secrets_forget(m->wish);  /* no longer needed */
	if (import_save(m))
		log_warn(&log_control, "the state of an import cannot be kept", "import=%s", m->name);
	control_task_result(task, m->state);
	control_task_progress(task, r ? -1 : 100, "%s", *why ? why : r ? strerror(-r) : "done");
	return r;
}

static void import_finished(struct task *task, void *arg, int status)
{
	struct import *m = arg;
	(void)task;
	(void)status;
	for (size_t i = 0; i < ARRAY_COUNT(running); i++)
		if (running[i] == m)
			running[i] = NULL;
	if (all && json_object_get(all, m->name))
		json_object_set_new(all, m->name, json_pack("{s:O, s:O}", "wish", m->wish, "state", m->state));
	json_decref(m->wish);
	json_decref(m->state);
	free(m);
}

static struct import *running_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(running); i++)
		if (running[i] && strcmp(running[i]->name, name) == 0)
			return running[i];
	return NULL;
}

const char *import_filling(const char *id)
{
	for (size_t i = 0; i < ARRAY_COUNT(running); i++)
		if (running[i] && (strcmp(running[i]->volume_id, id) == 0 || strcmp(running[i]->share_id, id) == 0))
			return running[i]->name;
	return NULL;
}

int import_check_idle(enum model_kind k, const json_t *row, struct config_error *e)
{
	const char *import = import_filling(text_of(row, "id"));
	return import ? config_fail(e, -EBUSY, "", "import %s writes %s %s; wait for its end, or stop it: holdfast import stop %s", import, models[k].name, text_of(row, "name"), import) : 0;
}

static int start(const char *name, struct config_error *e)
{
	json_t *doc = json_object_get(all, name);
	size_t slot = 0;
	char task[CONFIG_ID_BYTES];
	if (running_find(name))
		return config_fail(e, -EBUSY, "", "the import runs already");
	while (slot < ARRAY_COUNT(running) && running[slot])
		slot++;
	struct import *m = slot < ARRAY_COUNT(running) ? calloc(1, sizeof(*m)) : NULL;
	if (!m)
		return config_fail(e, -EAGAIN, "", "too many imports run; wait for one to end");
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->wish = json_deep_copy(json_object_get(doc, "wish"));
	m->state = json_deep_copy(json_object_get(doc, "state"));
	atomic_init(&m->rate, (uint64_t)int_of(m->wish, "rate_limit"));
	json_object_set_new(m->state, "state", json_string("running"));
	json_object_set_new(m->state, "message", json_string(""));
	json_object_set_new(json_object_get(doc, "state"), "state", json_string("running"));
	int r = import_save(m);
	if (r)
		r = config_fail(e, r, "", "the state of the import cannot be kept: %s", strerror(-r));
	const struct task_spec s = { .type = "import", .object = name, .work = import_work, .finished = import_finished, .arg = m, .can_cancel = true };
	running[slot] = m;
	if (!r)
		r = control_task_start(&s, task, e);
	if (r) {
		running[slot] = NULL;
		json_decref(m->wish);
		json_decref(m->state);
		free(m);
		return r;
	}
	json_object_set_new(json_object_get(doc, "state"), "task", json_string(task));
	return 0;
}

/* ---- what is shown ---------------------------------------------------------------------------------------------------------------- */
static json_t *shown(const char *name)
{
	const json_t *doc = json_object_get(all, name), *state = json_object_get(doc, "state");
	json_t *o = json_copy(json_object_get(doc, "wish"));
	const char *task = text_of(state, "task");
	json_object_set_new(o, "password", json_boolean(json_object_get(o, "password")));
	json_object_set_new(o, "mutual_password", json_boolean(json_object_get(o, "mutual_password")));
	json_object_set(o, "state", json_object_get(state, "state"));
	json_object_set_new(o, "message", json_string(text_of(state, "message")));
	json_object_set_new(o, "task", *task ? json_string(task) : json_null());
	json_object_set_new(o, "progress", json_object_get(state, "progress") ? json_incref(json_object_get(state, "progress")) : json_null());
	json_object_set_new(o, "log", json_object_get(state, "log") ? json_incref(json_object_get(state, "log")) : json_array());
	json_t *row = json_pack("{s:s}", "id", task);
	control_task_overlay(row);
	json_t *live = json_object_get(row, "result");
	if (running_find(name) && json_is_object(live) && json_object_get(live, "progress"))
		json_object_set(o, "progress", json_object_get(live, "progress"));
	if (running_find(name) && *text_of(row, "message"))
		json_object_set(o, "message", json_object_get(row, "message"));
	json_decref(row);
	return o;
}

/* ---- what is asked for -------------------------------------------------------------------------------------------------------------- */
static const struct {
	const char *name;
	json_type type;
	bool for_tree, for_lun;
} members[] = {
	{ "name", JSON_STRING, true, true }, { "source", JSON_STRING, true, true }, { "share", JSON_STRING, true, false }, { "path", JSON_STRING, true, false },
	{ "volume", JSON_STRING, false, true }, { "pool", JSON_STRING, false, true }, { "keep_identity", JSON_TRUE, false, true }, { "user", JSON_STRING, true, true },
	{ "password", JSON_STRING, true, true }, { "domain", JSON_STRING, true, false }, { "mutual_user", JSON_STRING, false, true }, { "mutual_password", JSON_STRING, false, true },
	{ "initiator", JSON_STRING, false, true }, { "verify", JSON_TRUE, true, true }, { "owners", JSON_TRUE, true, false }, { "acls", JSON_TRUE, true, false },
	{ "rate_limit", JSON_INTEGER, true, true },
};

static bool name_is_good(const char *s)
{
	size_t n = strlen(s);
	return n > 0 && n < 64 && isalnum((unsigned char)*s) && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static int wish_check(const json_t *body, struct config_error *e)
{
	struct remote_url u;
	const char *key;
	json_t *v;
	char why[256];
	if (!name_is_good(text_of(body, "name")))
		return config_fail(e, -EINVAL, "name", "name must be letters, digits, '.', '_' and '-', at most 63, and begin with one of the first two");
	if (remote_url_parse(text_of(body, "source"), &u, why, sizeof(why)))
		return config_fail(e, -EINVAL, "source", "%s", why);
	json_object_foreach((json_t *)body, key, v) {
		size_t i = 0;
		while (i < ARRAY_COUNT(members) && strcmp(members[i].name, key) != 0)
			i++;
		if (i == ARRAY_COUNT(members))
			return config_fail(e, -EINVAL, key, "an import has no member \"%.40s\"", key);
		if (members[i].type == JSON_TRUE ? !json_is_boolean(v) : json_typeof(v) != members[i].type)
			return config_fail(e, -EINVAL, key, "%s must be %s", key, members[i].type == JSON_STRING ? "a text" : members[i].type == JSON_INTEGER ? "a whole number" : "true or false");
		if (u.scheme == REMOTE_ISCSI ? !members[i].for_lun : !members[i].for_tree)
			return config_fail(e, -EINVAL, key, "%s does not go together with such a source", key);
		if (json_is_string(v) && strlen(json_string_value(v)) > 4096)
			return config_fail(e, -EINVAL, key, "%s is too long", key);
	}
	if (int_of(body, "rate_limit") < 0)
		return config_fail(e, -EINVAL, "rate_limit", "rate_limit is a number of bytes per second, 0 for none");
	if (u.scheme == REMOTE_ISCSI ? !name_is_good(text_of(body, "volume")) : !*text_of(body, "share"))
		return config_fail(e, -EINVAL, u.scheme == REMOTE_ISCSI ? "volume" : "share", "say into which %s", u.scheme == REMOTE_ISCSI ? "volume" : "share");
	if (strstr(text_of(body, "path"), ".."))
		return config_fail(e, -EINVAL, "path", "path is a folder below that of the share");
	return 0;
}

struct import_call {
	const char *name;
	const json_t *body;
	json_t **ret;
	struct config_error *e;
	bool dry_run;
};

static void plan_step(json_t *steps, const char *action, const char *object, const char *fmt, ...) _printf_(4, 5);
static void plan_step(json_t *steps, const char *action, const char *object, const char *fmt, ...)
{
	char text[9000];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(steps, json_pack("{s:s, s:s, s:s}", "action", action, "object", object, "text", text));
}

/* What is copied is written over what the volume holds; hosts would not know, nor another import. */
static int check_unused(const char *volume, struct config_error *e)
{
	json_t *row, *luns = NULL;
	struct config_error none;
	if (config_get(ctl.db, MODEL_VOLUME, volume, &row, &none))
		return 0;                /* it is made */
	int r = import_check_idle(MODEL_VOLUME, row, e);
	if (!r)
		r = rows_where(MODEL_LUN, "volume", text_of(row, "id"), &luns, e);
	if (!r && json_array_size(luns))
		r = config_fail(e, -EINVAL, "volume", "volume %.63s is attached to a target, and what is copied is written over it: detach it first, or name a new one", volume);
	json_decref(luns);
	json_decref(row);
	return r;
}

/* What a run would do, as far as that can be said without asking the other server. */
static json_t *plan_of(const json_t *body)
{
	const char *source = text_of(body, "source"), *volume = text_of(body, "volume"), *share = text_of(body, "share"), *path = text_of(body, "path");
	json_t *steps = json_array(), *row;
	struct config_error e;
	long long limit = int_of(body, "rate_limit");
	if (*volume && config_get(ctl.db, MODEL_VOLUME, volume, &row, &e) == 0) {
		plan_step(steps, "copy", volume, "overwrite volume %s (%lld bytes) with %s", volume, (long long)int_of(row, "size_bytes"), source);
		json_decref(row);
	} else if (*volume) {
		plan_step(steps, "create", volume, "make volume %s%s%s, as large as the LUN%s", volume, *text_of(body, "pool") ? " in pool " : "", text_of(body, "pool"),
			  true_of(body, "keep_identity") ? ", with its NAA name, serial number, vendor and product" : "");
		plan_step(steps, "copy", volume, "copy %s into it", source);
	} else {
		plan_step(steps, "copy", share, "copy %s into share %s%s%s; what is newer here stays", source, share, *path ? ", folder " : "", path);
	}
	if (!json_is_false(json_object_get(body, "verify")))
		plan_step(steps, "verify", *volume ? volume : share, "%s", *volume ? "read the LUN once more and compare" : "read back each file and compare its checksum");
	if (limit > 0)
		plan_step(steps, "limit", *volume ? volume : share, "copy at most %lld bytes per second", limit);
	return json_pack("{s:o, s:i, s:i}", "steps", steps, "sessions_touched", 0, "sessions_closed", 0);
}

static int create_run(void *arg)
{
	const struct import_call *c = arg;
	static const char *const defaults[] = { "verify", "owners", "acls" };
	const char *name = text_of(c->body, "name");
	char id[CONFIG_ID_BYTES];
	json_t *row;
	int r = wish_check(c->body, c->e);
	if (!r && json_object_get(all, name))
		r = config_fail(c->e, -EEXIST, "name", "there is an import \"%.63s\"", name);
	if (!r && json_object_size(all) >= IMPORTS_MAX)
		r = config_fail(c->e, -ENOSPC, "", "there are %d imports; delete those that are done", IMPORTS_MAX);
	if (!r && *text_of(c->body, "share")) {
		r = config_get(ctl.db, MODEL_SHARE, text_of(c->body, "share"), &row, c->e);
		if (r)
			return config_fail(c->e, -EINVAL, "share", "there is no share \"%.63s\"", text_of(c->body, "share"));
		json_decref(row);
	}
	if (!r && *text_of(c->body, "pool") && config_get(ctl.db, MODEL_POOL, text_of(c->body, "pool"), &row, c->e))
		r = config_fail(c->e, -EINVAL, "pool", "there is no pool \"%.63s\"", text_of(c->body, "pool"));
	else if (!r && *text_of(c->body, "pool"))
		json_decref(row);
	if (!r && *text_of(c->body, "volume"))
		r = check_unused(text_of(c->body, "volume"), c->e);
	if (!r && c->dry_run)
		*c->ret = json_pack("{s:n, s:o}", "object", "plan", plan_of(c->body));
	if (r || c->dry_run)
		return r;
	json_t *wish = json_deep_copy(c->body);
	config_new_id(ctl.db, id);
	json_object_set_new(wish, "id", json_string(id));
	bool lun = strncasecmp(text_of(wish, "source"), "iscsi:", 6) == 0;
	for (size_t i = 0; i < (lun ? 1 : ARRAY_COUNT(defaults)); i++)
		if (!json_object_get(wish, defaults[i]))
			json_object_set_new(wish, defaults[i], json_true());
	if (!json_object_get(wish, "rate_limit"))
		json_object_set_new(wish, "rate_limit", json_integer(0));
	r = import_secrets_seal(wish, c->e);
	if (r) {
		json_decref(wish);
		return r;
	}
	json_object_set_new(all, name, json_pack("{s:o, s:{s:s}}", "wish", wish, "state", "state", "stopped"));
	r = start(name, c->e);
	if (r)
		json_object_del(all, name);
	else
		*c->ret = shown(name);
	return r;
}

static int find(const struct import_call *c)
{
	return json_object_get(all, c->name) ? 0 : config_fail(c->e, -ENOENT, "", "there is no import \"%.63s\"", c->name);
}

static int get_run(void *arg)
{
	const struct import_call *c = arg;
	int r = find(c);
	if (!r)
		*c->ret = shown(c->name);
	return r;
}

static int start_run(void *arg)
{
	const struct import_call *c = arg;
	int r = find(c);
	if (!r)
		r = start(c->name, c->e);
	if (!r)
		*c->ret = shown(c->name);
	return r;
}

/* The rate counts at once; what runs has its passwords already. */
static int set_run(void *arg)
{
	const struct import_call *c = arg;
	int r = find(c);
	struct import *m = r ? NULL : running_find(c->name);
	const json_t *doc = json_object_get(all, c->name);
	json_t *v, *wish = r ? NULL : json_deep_copy(json_object_get(doc, "wish"));
	const char *key;
	json_object_foreach((json_t *)c->body, key, v) {
		bool number = strcmp(key, "rate_limit") == 0, secret = strcmp(key, "password") == 0 || (strcmp(key, "mutual_password") == 0 && *text_of(wish, "volume"));
		if (r)
			break;
		if (!number && !secret)
			r = config_fail(c->e, -EINVAL, key, "of an import only rate_limit and its passwords change, not %.40s", key);
		else if (number ? !json_is_integer(v) || json_integer_value(v) < 0 : !json_is_string(v))
			r = config_fail(c->e, -EINVAL, key, number ? "%s is a number of bytes per second, 0 for none" : "%s must be a text", key);
		else if (secret && m)
			r = config_fail(c->e, -EBUSY, key, "the import runs with the %s that it has; stop it first", key);
		else
			json_object_set(wish, key, v);
	}
	if (!r)
		r = import_secrets_seal(wish, c->e);
	if (!r) {
		json_t *changed = json_pack("{s:O, s:O}", "wish", wish, "state", json_object_get(doc, "state"));
		if (m)           /* its own thread writes the file, with the rate that it has then */
			atomic_store(&m->rate, (uint64_t)int_of(wish, "rate_limit"));
		else
			r = file_write(c->name, changed);
		if (r)
			config_fail(c->e, r, "", "the import's file cannot be written: %s", strerror(-r));
		else
			json_object_set(all, c->name, changed);
		json_decref(changed);
	}
	json_decref(wish);
	if (!r)
		*c->ret = shown(c->name);
	return r;
}

static int delete_run(void *arg)
{
	const struct import_call *c = arg;
	char path[4096];
	int r = find(c);
	if (!r && running_find(c->name))
		r = config_fail(c->e, -EBUSY, "", "the import runs; stop it first: holdfast import stop %.63s", c->name);
	if (!r && !path_of(c->name, "", path) && unlink(path) && errno != ENOENT)
		r = config_fail(c->e, -errno, "", "%s: %s", path, strerror(errno));
	if (!r)
		json_object_del(all, c->name);
	return r;
}

static int list_run(void *arg)
{
	json_t *list = arg, *doc;
	const char *name;
	json_object_foreach(all, name, doc)
		json_array_append_new(list, shown(name));
	return 0;
}

int control_import_create(const json_t *body, bool dry_run, json_t **ret_import, struct config_error *e)
{
	struct import_call c = { NULL, body, ret_import, e, dry_run };
	return reactor_call(ctl.reactor, create_run, &c);
}
int control_import_get(const char *name, json_t **ret_import, struct config_error *e)
{
	struct import_call c = { name, NULL, ret_import, e, false };
	return reactor_call(ctl.reactor, get_run, &c);
}
int control_import_start(const char *name, json_t **ret_import, struct config_error *e)
{
	struct import_call c = { name, NULL, ret_import, e, false };
	return reactor_call(ctl.reactor, start_run, &c);
}
int control_import_set(const char *name, const json_t *patch, json_t **ret_import, struct config_error *e)
{
	struct import_call c = { name, patch, ret_import, e, false };
	return reactor_call(ctl.reactor, set_run, &c);
}
int control_import_delete(const char *name, struct config_error *e)
{
	struct import_call c = { name, NULL, NULL, e, false };
	return reactor_call(ctl.reactor, delete_run, &c);
}
json_t *control_import_list(void)
{
	json_t *list = json_array();
	if (!reactor_call(ctl.reactor, list_run, list))
		return list;
	json_decref(list);
	return NULL;
}

/* ---- start and stop of the room ---------------------------------------------------------------------------------------------------- */
static void load(const char *file, size_t name_len)
{
	char name[64], path[4096];
	json_error_t je;
	snprintf(name, sizeof(name), "%.*s", (int)name_len, file);
	if (!name_is_good(name) || path_of(name, "", path))
		return;
	json_t *doc = json_load_file(path, 0, &je);
	json_t *wish = json_object_get(doc, "wish");
	struct config_error e;
	bool clear = json_is_string(json_object_get(wish, "password")) || json_is_string(json_object_get(wish, "mutual_password"));
	/* A version before this one did not seal. */
	if (clear && (import_secrets_seal(wish, &e) || file_write(name, doc)))
		log_warn(&log_control, "the password of an import stays as it is in its file", "import=%s", name);
	if (json_is_object(wish) && json_is_object(json_object_get(doc, "state")))
		json_object_set(all, name, doc);
	else
		log_warn(&log_control, "the file of an import cannot be read, continuing without it", "file=%s", path);
	json_decref(doc);
}

void imports_start(void)
{
	char dir[4096];
	json_t *doc;
	const char *name;
	struct config_error e;
	all = json_object();
	if (snprintf(dir, sizeof(dir), "%s/imports", ctl.state_dir) >= (int)sizeof(dir))
		return;
	DIR *d = opendir(dir);
	for (struct dirent *f; d && (f = readdir(d)) != NULL;) {
		size_t n = strlen(f->d_name);
		if (n > 5 && n < 69 && strcmp(f->d_name + n - 5, ".json") == 0)
			load(f->d_name, n - 5);
	}
	if (d)
		closedir(d);
	json_object_foreach(all, name, doc)
		if (strcmp(text_of(json_object_get(doc, "state"), "state"), "running") == 0 && start(name, &e))
			log_warn(&log_control, "an import does not go on", "import=%s why=\"%s\"", name, e.why);
}

void imports_leave(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(running); i++)
		if (running[i])
			atomic_store(&running[i]->keep, true);
}

void imports_stop(void)
{
	json_decref(TAKE(all));
}
