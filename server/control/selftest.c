/* SPDX-License-Identifier: GPL-3.0-or-later */
/* selftest.c - a target or share, tried by a real client of it, step by step.
 * What is to be tried is put together on the control thread; the client is a child of its own (remote/), watched by a task. */
#include "control/control_priv.h"
#include "control/operate.h"
#include "remote/remote.h"

#include <ifaddrs.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "core/addr.h"
#include "core/hex.h"

struct trial {
	struct task *task;
	json_t *jobs;                    /* array, each with "protocol"; owned */
	json_t *result;                  /* {"ok","steps"}; worker only */
	const char *protocol;
	bool ok;
};

static void trial_free(struct trial *t)
{
	json_decref(t->jobs);
	json_decref(t->result);
	free(t);
}

/* ---- on the worker ------------------------------------------------------------------------------------------------- */
static bool is_cancelled(void *arg)
{
	const struct trial *t = arg;
	return control_task_is_cancelled(t->task);
}

static int frame(void *arg, struct remote_child *child, enum remote_frame kind, const uint8_t *data, size_t len)
{
	struct trial *t = arg;
	json_t *j = json_loadb((const char *)data, len, 0, NULL), *steps = json_object_get(t->result, "steps");
	(void)child;
	if (kind == REMOTE_STEP && json_is_object(j)) {
		json_t *last = json_array_get(steps, json_array_size(steps) - 1);
		json_object_set_new(j, "protocol", json_string(t->protocol));
		if (last && strcmp(text_of(last, "result"), "running") == 0 && strcmp(text_of(last, "step"), text_of(j, "step")) == 0)
			json_array_set(steps, json_array_size(steps) - 1, j);
		else if (json_array_size(steps) < 200)
			json_array_append(steps, j);
		t->ok &= strcmp(text_of(j, "result"), "failed") != 0;
		control_task_result(t->task, t->result);
		control_task_progress(t->task, -1, "%s: %s %s", t->protocol, text_of(j, "step"), text_of(j, "text"));
	} else if (kind == REMOTE_END && json_is_object(j) && !true_of(j, "ok")) {
		t->ok = false;
		control_task_progress(t->task, -1, "%s: %s", t->protocol, text_of(j, "text"));
		if (json_array_size(steps) == 0) {
			json_array_append_new(steps, json_pack("{s:s, s:s, s:s, s:O, s:n, s:i}", "protocol", t->protocol, "step", "start", "result", "failed", "text", json_object_get(j, "text"), "fix", "ms", 0));
			control_task_result(t->task, t->result);
		}
	}
	json_decref(j);
	return 0;
}

static int trial_work(struct task *task, void *arg)
{
	struct trial *t = arg;
	json_t *job;
	size_t i;
	char why[512];
	t->task = task;
	t->ok = true;
	t->result = json_pack("{s:b, s:[]}", "ok", 0, "steps");
	json_array_foreach(t->jobs, i, job) {
		t->protocol = text_of(job, "protocol");
		const struct remote_job r = { .job = job, .dir_fd = -1, .frame = frame, .is_cancelled = is_cancelled, .arg = t };
		int e = remote_run(&r, why, sizeof(why));
		if (e == -ECANCELED)
			return e;
		if (e) {
			control_task_progress(task, -1, "%s: %s", t->protocol, why);
			return e;
		}
	}
	json_object_set_new(t->result, "ok", json_boolean(t->ok));
	control_task_result(task, t->result);
	if (t->ok)
		control_task_progress(task, 100, "all steps passed");
	return t->ok ? 0 : -EIO;
}

static void trial_finished(struct task *task, void *arg, int status)
{
	(void)task;
	(void)status;
	trial_free(arg);
}

static int trial_start(const char *type, const char *object, json_t *jobs, json_t **ret_task, struct config_error *e)
{
	struct trial *t = calloc(1, sizeof(*t));
	char id[CONFIG_ID_BYTES];
	if (!t) {
		json_decref(jobs);
		return config_fail(e, -ENOMEM, "", "out of memory");
	}
	t->jobs = jobs;
	const struct task_spec s = { .type = type, .object = object, .work = trial_work, .finished = trial_finished, .arg = t, .can_cancel = true };
	int r = control_task_start(&s, id, e);
	if (r) {
		trial_free(t);
		return r;
	}
	r = config_get(ctl.db, MODEL_TASK, id, ret_task, e);
	if (!r)
		control_task_overlay(*ret_task);
	return r;
}

/* ---- what is to be tried -------------------------------------------------------------------------------------------- */
static void add_secret(json_t *job, const char *member, enum model_kind k, const char *id, const char *field)
{
	char buf[300] = "";
	size_t len = 0;
	struct config_error e;
	if (config_secret(ctl.db, k, id, field, (uint8_t *)buf, sizeof(buf) - 1, &len, &e) == 0)
		json_object_set_new(job, member, json_stringn(buf, len));
	explicit_bzero(buf, sizeof(buf));
}

/* The address to dial a portal by, from this machine. */
static void portal_host(const json_t *portal, char out[ADDR_TEXT], bool url)
{
	const char *a = text_of(portal, "address");
	if (strcmp(a, "0.0.0.0") == 0)
		a = "127.0.0.1";
	if (strcmp(a, "::") == 0)
		a = "::1";
	snprintf(out, ADDR_TEXT, url && strchr(a, ':') ? "[%s]" : "%s", a);
}

/* A portal of the protocol that listens; groups: tags that will do, or none: all.  Returns owned, NULL: none. */
static json_t *portal_find(const char *protocol, const json_t *groups)
{
	const struct config_query q = { .where_field = "protocol", .where_value = protocol, .where_field2 = "enabled", .where_value2 = "true" };
	json_t *list, *p, *found = NULL, *g;
	struct config_error e;
	size_t i, k;
	if (config_list(ctl.db, MODEL_PORTAL, &q, &list, &e))
		return NULL;
	json_array_foreach(list, i, p) {
		bool fits = json_array_size(groups) == 0;
		json_array_foreach((json_t *)groups, k, g)
			fits |= strtol(json_string_value(g) ? json_string_value(g) : "0", NULL, 10) == int_of(p, "group_tag");
		if (fits && !found)
			found = json_incref(p);
	}
	json_decref(list);
	return found;
}

struct target_call {
	const char *id;
	const json_t *body;
	json_t **ret;
	struct config_error *e;
};

static bool is_plain_iqn(const char *s)
{
	return *s && !strpbrk(s, "*?");
}

/* Who we say that we are: the host that is asked for, else the first that is allowed, else nobody in particular. */
static int fill_host(const struct target_call *c, const json_t *target, json_t *job, json_t **ret_mask)
{
	const char *want = json_string_value(json_object_get(c->body, "host"));
	json_t *accesses = NULL, *a, *host = NULL, *iqn;
	size_t i, k;
	int r = rows_where(MODEL_ACCESS, "target", text_of(target, "name"), &accesses, c->e);
	if (r)
		return r;
	json_array_foreach(accesses, i, a) {
		json_t *row, *list = json_array();
		if (host || access_hosts(a, list, c->e)) {
			json_decref(list);
			continue;
		}
		json_array_foreach(list, k, row) {
			json_t *h = json_object_get(row, "host");
			if (!host && (!want || strcmp(text_of(h, "name"), want) == 0 || strcmp(text_of(h, "id"), want) == 0)) {
				host = json_incref(h);
				json_array_extend(*ret_mask, json_object_get(row, "luns"));
			}
		}
		json_decref(list);
	}
	json_decref(accesses);
	*c->e = (struct config_error){ 0 };
	if (want && !host)
		return config_fail(c->e, -EINVAL, "host", "host %.60s may not use the target: holdfast target allow", want);
	if (!host) {
		if (true_of(target, "chap_secret")) {
			json_object_set(job, "user", json_object_get(target, "chap_user"));
			add_secret(job, "password", MODEL_TARGET, text_of(target, "id"), "chap_secret");
		}
		return 0;
	}
	json_array_foreach(json_object_get(host, "iqns"), k, iqn)
		if (is_plain_iqn(json_string_value(iqn)) && !json_object_get(job, "initiator"))
			json_object_set(job, "initiator", iqn);
	const char *id = text_of(host, "id");
	if (true_of(host, "chap_secret")) {
		json_object_set(job, "user", json_object_get(host, "chap_user"));
		add_secret(job, "password", MODEL_HOST, id, "chap_secret");
		if (true_of(host, "mutual_secret")) {
			json_object_set(job, "mutual_user", json_object_get(host, "mutual_user"));
			add_secret(job, "mutual_password", MODEL_HOST, id, "mutual_secret");
		}
	} else if (true_of(target, "chap_secret")) {
		json_object_set(job, "user", json_object_get(target, "chap_user"));
		add_secret(job, "password", MODEL_TARGET, text_of(target, "id"), "chap_secret");
	}
	json_decref(host);
	return 0;
}

/* The LUN to try, and whether writing harms nobody: sessions of any target with the volume count. */
static int fill_lun(const struct target_call *c, const json_t *target, const json_t *mask, json_t *job)
{
	json_t *luns = NULL, *l, *best = NULL, *others = NULL, *m;
	const json_t *want = json_object_get(c->body, "lun");
	size_t i, k;
	unsigned sessions = 0;
	int r = rows_where(MODEL_LUN, "target", text_of(target, "name"), &luns, c->e);
	if (r)
		return r;
	json_array_foreach(luns, i, l) {
		bool seen = json_array_size(mask) == 0;
		json_array_foreach((json_t *)mask, k, m)
			seen |= json_is_string(m) ? strtol(json_string_value(m), NULL, 10) == int_of(l, "lun") : json_integer_value(m) == int_of(l, "lun");
		if (json_is_integer(want) ? json_equal(want, json_object_get(l, "lun")) : seen && (!best || int_of(l, "lun") < int_of(best, "lun")))
			best = l;
	}
	if (!best && json_is_integer(want)) {
		json_decref(luns);
		return config_fail(c->e, -EINVAL, "lun", "the target has no such LUN");
	}
	json_object_set_new(job, "lun", json_integer(best ? int_of(best, "lun") : 0));
	json_object_set_new(job, "has_lun", json_boolean(best != NULL));
	bool read_only = best && true_of(best, "read_only");
	if (best && rows_where(MODEL_LUN, "volume", text_of(best, "volume"), &others, c->e) == 0) {
		json_array_foreach(others, i, l) {
			json_t *t;
			if (row_get(MODEL_TARGET, text_of(l, "target"), &t, c->e) == 0 || config_get(ctl.db, MODEL_TARGET, text_of(l, "target"), &t, c->e) == 0) {
				sessions += target_session_count(text_of(t, "qualified_name"));
				json_decref(t);
			}
		}
		json_decref(others);
	}
	*c->e = (struct config_error){ 0 };
	json_decref(luns);
	bool asked = !json_is_false(json_object_get(c->body, "write"));
	json_object_set_new(job, "write", json_boolean(asked && !read_only && !sessions));
	if (asked)
		json_object_set_new(job, "why_no_write", json_string(read_only ? "the LUN is read-only" : "hosts are logged in: nothing is written while they use the volume"));
	return 0;
}

static int target_test(void *arg)
{
	const struct target_call *c = arg;
	json_t *target = NULL, *portal = NULL, *job = NULL, *mask = json_array();
	char host[80], url[512];
	int r = config_get(ctl.db, MODEL_TARGET, c->id, &target, c->e);
	bool nvme = !r && strcmp(text_of(target, "protocol"), "nvme") == 0;
	if (!r) {
		portal = portal_find(nvme ? "nvme-tcp" : "iscsi", nvme ? NULL : json_object_get(target, "portal_groups"));
		if (!portal)
			r = config_fail(c->e, -EINVAL, "", "no portal that offers the target listens; add one: holdfast portal add %s 0.0.0.0:%d", nvme ? "nvme-tcp" : "iscsi", nvme ? 4420 : 3260);
	}
	if (!r) {
		job = json_pack("{s:s, s:s}", "do", "test", "protocol", nvme ? "nvme-tcp" : "iscsi");
		portal_host(portal, host, !nvme);
	}
	if (!r && nvme) {
		snprintf(url, sizeof(url), "%lld", (long long)int_of(portal, "port"));
		json_object_set_new(job, "url", json_string("nvme://"));
		json_object_set_new(job, "host", json_string(host));
		json_object_set_new(job, "port", json_string(url));
	} else if (!r) {
		r = fill_host(c, target, job, &mask);
		if (!r)
			r = fill_lun(c, target, mask, job);
		snprintf(url, sizeof(url), "iscsi://%s:%lld/%s/%lld", host, (long long)int_of(portal, "port"), text_of(target, "qualified_name"), (long long)int_of(job, "lun"));
		json_object_set_new(job, "url", json_string(url));
	}
	if (!r)
		r = trial_start("target.test", text_of(target, "name"), json_pack("[O]", job), c->ret, c->e);
	json_decref(job);
	json_decref(mask);
	json_decref(portal);
	json_decref(target);
	return r;
}

int control_target_test(const char *id, const json_t *body, json_t **ret_task, struct config_error *e)
{
	struct target_call c = { id, body, ret_task, e };
	return reactor_call(ctl.reactor, target_test, &c);
}

/* ---- shares ----------------------------------------------------------------------------------------------------------- */
/* An address of this machine that the share's clients have among them, so that the test is one of them. */
static void address_among(const json_t *share, char out[ADDR_TEXT])
{
	const json_t *among = json_object_get(share, "nfs_clients"), *entry;
	struct ifaddrs *all = NULL;
	size_t i;
	if (json_array_size(among) == 0)
		among = json_object_get(share, "allow");
	if (getifaddrs(&all) < 0)
		return;
	bool found = false;
	json_array_foreach((json_t *)(uintptr_t)among, i, entry) {
		struct cidr net;
		char text[80];
		const char *from = json_string_value(entry);
		size_t n = strcspn(from, ":");
		/* "192.0.2.0/24:rw:root"; a network of IPv6 has colons of its own, and letters only in its flags. */
		snprintf(text, sizeof(text), "%.*s", (int)(n < sizeof(text) ? n : sizeof(text) - 1), from);
		if (cidr_parse(text, &net) < 0)
			continue;
		for (const struct ifaddrs *a = all; a && !found; a = a->ifa_next) {
			struct in6_addr in6;
			bool v6;
			if (!a->ifa_addr || a->ifa_addr->sa_family != AF_INET)
				continue;
			in6 = addr_of(a->ifa_addr);
			found = cidr_has(&net, &in6);
			if (found)
				(void)addr_host(a->ifa_addr, out, &v6);
		}
	}
	freeifaddrs(all);
}

/* 3 where the share has it: libnfs is at its best there. */
static int nfs_version_of(const json_t *share)
{
	const json_t *versions = json_object_get(share, "nfs_versions"), *v;
	size_t i;
	json_array_foreach((json_t *)(uintptr_t)versions, i, v)
		if (strcmp(json_string_value(v), "3") == 0)
			return 3;
	return json_array_size(versions) == 0 ? 3 : 4;
}

/* libnfs says one group, a client of Linux says all of a user's: so it is that of the folder, for who is a member. */
static gid_t group_among(const json_t *share, const char *user, gid_t own)
{
	const char *name = text_of(share, "group");
	gid_t list[1024], want;
	int n = (int)ARRAY_COUNT(list);
	struct group g, *known = NULL;
	char buf[16384];
	if (*name >= '0' && *name <= '9')
		want = (gid_t)strtoul(name, NULL, 10);
	else if (*name && getgrnam_r(name, &g, buf, sizeof(buf), &known) == 0 && known)
		want = g.gr_gid;
	else
		return own;
	if (getgrouplist(user, own, list, &n) < 0)
		return own;
	for (int i = 0; i < n; i++)
		if (list[i] == want)
			return want;
	return own;
}

/* SMB: the user's password; NFS: its numbers. */
static int add_person(const struct target_call *c, const json_t *share, bool nfs, json_t *job)
{
	const char *name = json_string_value(json_object_get(c->body, "user"));
	json_t *user = NULL;
	struct passwd p, *known = NULL;
	char buf[4096];
	if (!name)
		return 0;
	if (config_get(ctl.db, MODEL_USER, name, &user, c->e))
		return config_fail(c->e, -EINVAL, "user", "there is no user \"%.60s\"", name);
	if (!nfs) {
		json_object_set(job, "user", json_object_get(user, "name"));
		add_secret(job, "password", MODEL_USER, text_of(user, "id"), "password");
	} else if (getpwnam_r(text_of(user, "name"), &p, buf, sizeof(buf), &known) == 0 && known) {
		json_object_set_new(job, "uid", json_integer(known->pw_uid));
		json_object_set_new(job, "gid", json_integer(group_among(share, p.pw_name, known->pw_gid)));
	}
	json_decref(user);
	return 0;
}

static int add_share_job(const struct target_call *c, const json_t *share, bool nfs, json_t *jobs)
{
	json_t *portal = portal_find(nfs ? "nfs" : "smb", NULL);
	char host[ADDR_TEXT], escaped[12300], url[12500];
	if (!portal)
		return config_fail(c->e, -EINVAL, "", "no portal of %s listens; add one: holdfast portal add %s 0.0.0.0:%d", nfs ? "NFS" : "SMB", nfs ? "nfs" : "smb", nfs ? 2049 : 445);
	portal_host(portal, host, true);
	if (nfs && strcmp(text_of(portal, "address"), "0.0.0.0") == 0)
		address_among(share, host);
	percent_encode(text_of(share, "name"), "/", escaped, sizeof(escaped));
	int n = snprintf(url, sizeof(url), nfs ? "nfs://%s:%lld/%s" : "smb://%s:%lld/%s", host, (long long)int_of(portal, "port"), escaped);
	if (nfs)
		snprintf(url + n, sizeof(url) - (size_t)n, "?version=%d", nfs_version_of(share));
	json_decref(portal);
	bool asked = !json_is_false(json_object_get(c->body, "write")), read_only = true_of(share, "read_only");
	json_t *job = json_pack("{s:s, s:s, s:s, s:b, s:s}", "do", "test", "protocol", nfs ? "nfs" : "smb", "url", url, "write", asked && !read_only, "why_no_write",
				read_only ? "the share is read-only" : "not asked for");
	int r = add_person(c, share, nfs, job);
	if (r)
		json_decref(job);
	else
		json_array_append_new(jobs, job);
	return r;
}

static int share_test(void *arg)
{
	const struct target_call *c = arg;
	json_t *share = NULL, *jobs = json_array();
	int r = config_get(ctl.db, MODEL_SHARE, c->id, &share, c->e);
	if (!r && !true_of(share, "smb") && !true_of(share, "nfs"))
		r = config_fail(c->e, -EINVAL, "", "the share is served over neither SMB nor NFS");
	if (!r)
		live_fill(MODEL_SHARE, share);
	if (!r && true_of(share, "smb"))
		r = add_share_job(c, share, false, jobs);
	if (!r && true_of(share, "nfs"))
		r = add_share_job(c, share, true, jobs);
	if (!r)
		r = trial_start("share.test", text_of(share, "name"), json_incref(jobs), c->ret, c->e);
	json_decref(jobs);
	json_decref(share);
	return r;
}

int control_share_test(const char *id, const json_t *body, json_t **ret_task, struct config_error *e)
{
	struct target_call c = { id, body, ret_task, e };
	return reactor_call(ctl.reactor, share_test, &c);
}
