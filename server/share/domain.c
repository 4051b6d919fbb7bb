/* SPDX-License-Identifier: GPL-3.0-or-later */
/* domain.c - the Active Directory domain that the machine is a member of, as the keeper has it: joined, left, watched, asked for
 * people.  The keeper's note is the truth, and outlives the daemon; what is kept here is only how it was a moment ago. */
#include "share/share_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define JOIN_S 300                       /* the keeper gives each program less */
#define ASK_S 90
#define LOOK_S 60                        /* between two looks by ourselves */
#define FRESH_S 3                        /* a status younger than this answers the next question */
#define FOUND_MAX_BYTES (1u << 18)

static pthread_mutex_t ask_lock = PTHREAD_MUTEX_INITIALIZER;   /* one question at a time */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;       /* guards what follows; held for moments */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static json_t *status;
static time_t status_at;
static bool stopping, started, told;     /* told: that it is degraded */
static pthread_t thread;

static time_t now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* ---- lines KEY VALUE -------------------------------------------------------------------------------------------- */
static const char *value_of(const char *lines, const char *key, char *buf, size_t bytes)
{
	size_t n = strlen(key);
	buf[0] = '\0';
	for (const char *p = lines; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, key, n) == 0 && p[n] == ' ') {
			snprintf(buf, bytes, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
			break;
		}
	return buf;
}

static void set_text(json_t *o, const char *member, const char *lines, const char *key)
{
	char buf[1024];
	json_t *v = *value_of(lines, key, buf, sizeof(buf)) ? json_string(buf) : NULL;
	json_object_set_new(o, member, v ? v : json_null());
}

static void set_number(json_t *o, const char *member, const char *lines, const char *key)
{
	char buf[32];
	json_object_set_new(o, member, *value_of(lines, key, buf, sizeof(buf)) ? json_integer(strtoll(buf, NULL, 10)) : json_null());
}

static bool is(const char *lines, const char *key, const char *value)
{
	char buf[64];
	return strcmp(value_of(lines, key, buf, sizeof(buf)), value) == 0;
}

static json_t *nobodys(const char *missing)
{
	return json_pack("{s:b, s:s, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:b, s:b, s:s?}", "joined", 0, "state", "none", "realm", "workgroup", "name", "dns", "first_id",
			 "last_id", "dc", "dc_address", "site", "clock_offset_s", "trust", 0, "winbind", 0, "reason", missing && *missing ? missing : NULL);
}

static json_t *read_status(const char *lines)
{
	static const char *const texts[] = { "realm", "workgroup", "name", "dns", "dc", "dc_address", "site" };
	char why[1024] = "", buf[1024];
	if (!is(lines, "joined", "yes"))
		return nobodys(value_of(lines, "missing", buf, sizeof(buf)));
	bool trust = is(lines, "trust", "ok"), reached = is(lines, "reached", "yes"), winbind = is(lines, "winbind", "running");
	json_t *o = json_pack("{s:b, s:s, s:b, s:b}", "joined", 1, "state", trust && reached ? "joined" : "degraded", "trust", trust, "winbind", winbind);
	if (!o)
		return NULL;
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		set_text(o, texts[i], lines, texts[i]);
	set_number(o, "first_id", lines, "first_id");
	set_number(o, "last_id", lines, "last_id");
	set_number(o, "clock_offset_s", lines, "clock");
	if (!reached)
		value_of(lines, "reached_why", why, sizeof(why));
	else if (!trust)
		snprintf(why, sizeof(why), "%s", value_of(lines, "trust_why", buf, sizeof(buf)));
	json_object_set_new(o, "reason", why[0] ? json_string(why) : json_null());
	return o;
}

/* ---- how it is ---------------------------------------------------------------------------------------------------- */
static void tell(const json_t *now)
{
	const char *state = json_string_value(json_object_get(now, "state")), *realm = json_string_value(json_object_get(now, "realm")),
		   *why = json_string_value(json_object_get(now, "reason"));
	bool degraded = state && strcmp(state, "degraded") == 0;
	pthread_mutex_lock(&lock);
	bool changed = degraded != told;
	told = degraded;
	pthread_mutex_unlock(&lock);
	if (!changed)
		return;
	char text[1200];
	snprintf(text, sizeof(text), "the domain %s cannot be asked: %s; who is connected stays so, others of the domain cannot log in now", realm ? realm : "", why ? why : "");
	json_t *data = json_pack("{s:s, s:s, s:s, s:b, s:s}", "type", "nas.domain", "object", "domain", "level", "error", "over", !degraded, "text", text);
	share_tell(SHARE_EVENT_DOMAIN, NULL, text, data);
	json_decref(data);
}

/* Asks the keeper; a reference. */
static json_t *refresh(void)
{
	struct keeper_answer a = { .fd = -1 };
	pthread_mutex_lock(&ask_lock);
	int r = keeper_present(NULL) ? keeper_ask_long(&a, ASK_S, "domain-status", NULL) : -ENOTCONN;
	json_t *o = r == 0 ? read_status(a.text) : nobodys(r == -ENOTCONN ? NULL : a.text);
	keeper_answer_done(&a);
	pthread_mutex_lock(&lock);
	json_decref(status);
	status = json_incref(o);
	status_at = now_s();
	pthread_mutex_unlock(&lock);
	pthread_mutex_unlock(&ask_lock);
	if (r == 0)
		tell(o);
	return o;
}

json_t *share_domain(void)
{
	pthread_mutex_lock(&lock);
	json_t *o = status && now_s() - status_at < FRESH_S ? json_deep_copy(status) : NULL;
	pthread_mutex_unlock(&lock);
	if (o)
		return o;
	json_t *fresh = refresh();
	o = json_deep_copy(fresh);
	json_decref(fresh);
	return o;
}

bool share_domain_short(char *buf, size_t bytes)
{
	struct keeper_answer a = { .fd = -1 };
	buf[0] = '\0';
	if (keeper_present(NULL) && keeper_ask(&a, -1, "domain-note", NULL) == 0 && is(a.text, "joined", "yes"))
		value_of(a.text, "workgroup", buf, bytes);
	keeper_answer_done(&a);
	return buf[0] != '\0';
}

/* ---- joining and leaving ------------------------------------------------------------------------------------------------ */
static int answered(struct keeper_answer *a, int r, char *why, size_t why_bytes)
{
	if (r < 0)
		snprintf(why, why_bytes, "%s", a->text[0] ? a->text : strerror(-r));
	return r;
}

static void forget_status(void)
{
	pthread_mutex_lock(&lock);
	status_at = 0;
	json_decref(status);
	status = NULL;
	pthread_cond_broadcast(&wake);
	pthread_mutex_unlock(&lock);
}

static void found_text(json_t *o, const char *lines)
{
	static const char *const texts[] = { "realm", "workgroup", "dc", "dc_address", "site" };
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
		set_text(o, texts[i], lines, texts[i]);
	set_number(o, "clock_offset_s", lines, "clock");
}

/* The keeper's word for a name, as it wants it. */
static void lower(const char *s, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "%s", s);
	for (char *p = buf; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
}

/* What both ask with: the keeper's word for the name, the first number, and a keeper to ask. */
static int prepare_join(const struct share_join *j, char name[64], char first[16], char *why, size_t why_bytes)
{
	lower(j->name, name, 64);
	snprintf(first, 16, "%u", j->first_id);
	return keeper_summon(why, why_bytes);
}

int share_domain_look(const struct share_join *j, json_t **ret_found, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	char name[64], first[16];
	int r = prepare_join(j, name, first, why, why_bytes);
	if (r < 0)
		return r;
	r = answered(&a, keeper_ask_long(&a, ASK_S, "domain-look", j->realm, name, j->dns ? j->dns : "", first, NULL), why, why_bytes);
	if (r == 0) {
		*ret_found = json_object();
		found_text(*ret_found, a.text);
	}
	keeper_answer_done(&a);
	return r;
}

static void look_at_patience(void *arg)
{
	const struct share_patience *p = arg;
	struct keeper_answer a = { .fd = -1 };
	if (!p->is_over(p->arg))
		return;
	if (keeper_ask(&a, -1, "domain-call-off", NULL) < 0)
		log_warn(&log_share, "joining or leaving a domain is not called off", "reason=\"%s\"", a.text);
	keeper_answer_done(&a);
}

int share_domain_join(const struct share_join *j, const struct share_patience *p, json_t **ret_found, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	char name[64], first[16];
	int r = prepare_join(j, name, first, why, why_bytes);
	if (r < 0)
		return r;
	r = answered(&a, keeper_ask_watched(&a, JOIN_S, -1, look_at_patience, (void *)(uintptr_t)p, "domain-join", j->realm, name, j->dns ? j->dns : "", first, j->ou ? j->ou : "", j->admin, j->password, NULL), why, why_bytes);
	if (r == 0) {
		*ret_found = json_object();
		found_text(*ret_found, a.text);
		set_text(*ret_found, "name", a.text, "name");
		json_object_set_new(*ret_found, "registered", json_boolean(is(a.text, "registered", "yes")));
		set_text(*ret_found, "reason", a.text, "why");
	}
	keeper_answer_done(&a);
	forget_status();
	return r;
}

int share_domain_leave(const char *admin, const char *password, bool force, const struct share_patience *p, bool *ret_removed, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	int r = answered(&a, keeper_ask_watched(&a, JOIN_S, -1, look_at_patience, (void *)(uintptr_t)p, "domain-leave", admin ? admin : "", password ? password : "", force ? "force" : "", NULL), why, why_bytes);
	if (r == 0)
		*ret_removed = is(a.text, "account", "removed");
	keeper_answer_done(&a);
	forget_status();
	return r;
}

/* ---- people ------------------------------------------------------------------------------------------------------------------- */
int share_domain_sid(const char *name, struct share_identity *ret, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	char kind[16] = "";
	int r = keeper_present(NULL) ? keeper_ask_long(&a, ASK_S, "domain-sid", name, NULL) : -ENOTCONN;
	answered(&a, r, why, why_bytes);
	if (r == -ENOTCONN)
		snprintf(why, why_bytes, "this machine is a member of no domain: holdfast nas join");
	if (r == 0 && sscanf(a.text, "%127[^\n]\n%15[^\n]\n%255[^\n]", ret->sid, kind, ret->name) != 3) {
		snprintf(why, why_bytes, "the domain's answer is not understood");
		r = -EPROTO;
	}
	ret->group = strcmp(kind, "group") == 0;
	keeper_answer_done(&a);
	return r;
}

/* Up to the next tab; an empty one is one, too. */
static void take_field(const char **p, char *buf, size_t bytes)
{
	size_t n = strcspn(*p, "\t\n");
	snprintf(buf, bytes, "%.*s", (int)n, *p);
	*p += n + ((*p)[n] == '\t');
}

int share_domain_find(const char *text, json_t **ret_array, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	char workgroup[32];
	if (!share_domain_short(workgroup, sizeof(workgroup))) {
		snprintf(why, why_bytes, "this machine is a member of no domain");
		return -ENOENT;
	}
	int r = answered(&a, keeper_ask_long(&a, ASK_S, "domain-find", text, NULL), why, why_bytes);
	_cleanup_(freep) char *lines = r == 0 ? keeper_read_fd(a.fd, FOUND_MAX_BYTES, NULL) : NULL;
	keeper_answer_done(&a);
	if (r < 0)
		return r;
	*ret_array = json_array();
	for (const char *p = lines; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		char kind[16], name[256], full[256], whole[300];
		const char *rest = p;
		take_field(&rest, kind, sizeof(kind));
		take_field(&rest, name, sizeof(name));
		take_field(&rest, full, sizeof(full));
		snprintf(whole, sizeof(whole), "%s\\%s", workgroup, name);
		json_t *o = json_pack("{s:s, s:s, s:s}", "kind", kind, "name", whole, "full_name", full);
		if (o) /* NULL: bytes that are no text */
			json_array_append_new(*ret_array, o);
	}
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */
/* Looks from time to time, on a thread of its own: a domain that does not answer takes long to say so. */
static void *watch(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	while (!stopping) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += LOOK_S;
		pthread_cond_timedwait(&wake, &lock, &until);
		if (stopping)
			break;
		pthread_mutex_unlock(&lock);
		json_decref(refresh());
		pthread_mutex_lock(&lock);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

static int domain_start(void)
{
	stopping = told = false;
	int r = -pthread_create(&thread, NULL, watch, NULL);
	started = r == 0;
	return r;
}

static void domain_stop(void)
{
	if (!started)
		return;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_broadcast(&wake);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
	started = false;
	json_decref(status);
	status = NULL;
}

/* Before smbd, which asks it.  A domain that cannot be asked is no reason to serve nobody. */
static int domain_apply(const struct share_world *w, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	char name[32];
	(void)w, (void)why, (void)why_bytes;
	if (!share_domain_short(name, sizeof(name)))
		return 0;
	if (keeper_ask(&a, -1, "child-start", "winbindd", NULL) < 0)
		log_warn(&log_share, "winbindd does not start, continuing without the domain", "domain=%s reason=\"%s\"", name, a.text);
	keeper_answer_done(&a);
	return 0;
}

static void domain_capability(struct share_capability *c)
{
	struct keeper_answer a = { .fd = -1 };
	char missing[256];
	int r = keeper_present(NULL) ? keeper_ask(&a, -1, "domain-note", NULL) : -ENOTCONN;
	c->winbind = r == 0 && !*value_of(a.text, "missing", missing, sizeof(missing));
	keeper_answer_done(&a);
}

const struct share_part share_part_domain = { .name = "domain", .start = domain_start, .stop = domain_stop, .apply = domain_apply, .capability = domain_capability };
