/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb.c - the SMB part: one smbd for all SMB portals, its configuration, its sessions.
 * A change of a share makes the configuration anew and lets smbd read it; smbd is started again only when what
 * it listens on has changed. */
#include "share/smb_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RAWS_MAX 1024
#define NAMES_MAX_BYTES (1u << 20)
#define STATUS_MAX_BYTES (64u << 20)
#define PORTS_MAX 16
#define LOGIN_MS 20
#define STATUS_AGE_S 2                   /* a status younger than this is good enough for the next question */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static char *served;                     /* names applied last, each with a newline before and behind it */
static char *applied;                    /* smb_conf()'s text, applied last */
static char *people;                     /* smb_people()'s text, applied last */
static char *listens;                    /* the lines that need a new smbd, applied last */
static json_t *status;                   /* of smbstatus */
static time_t status_at;
static bool running;
static struct smb_traffic *traffic;      /* NULL: none yet */
static char no_traffic[160];             /* why it does not count; "": it does */
static unsigned ports[PORTS_MAX];        /* of smbd */
static size_t port_count;
static pthread_mutex_t ask_lock = PTHREAD_MUTEX_INITIALIZER; /* one question at a time; taken before lock */

static json_t *ask_status(void);
static void forget_status(void);
static int kick(const char *id, char *why, size_t why_bytes);

static bool has_portal(const struct share_world *w)
{
	for (size_t i = 0; i < w->portal_count; i++)
		if (!w->portals[i].nfs)
			return true;
	return false;
}

/* "LINE reason" of the keeper, in words for whoever wrote the lines. */
static void explain(const char *answer, const struct smb_raws *raws, const struct smb_raw **ret_raw, char *why, size_t why_bytes)
{
	unsigned line = 0;
	int n = 0;
	*ret_raw = NULL;
	if (sscanf(answer, "%u %n", &line, &n) != 1)
		n = 0;
	for (size_t i = 0; i < raws->count; i++)
		if (line >= raws->items[i].first_line && line <= raws->items[i].last_line)
			*ret_raw = &raws->items[i];
	const struct smb_raw *r = *ret_raw;
	if (r && r->share)
		snprintf(why, why_bytes, "line %u of the raw SMB lines of share %s: %s", line - r->first_line + 1, r->share, answer + n);
	else if (r)
		snprintf(why, why_bytes, "line %u of the server's raw SMB lines: %s", line - r->first_line + 1, answer + n);
	else if (line)
		snprintf(why, why_bytes, "line %u of Samba's configuration: %s", line, answer + n);
	else
		snprintf(why, why_bytes, "Samba's configuration: %s", answer + n);
}

static int ask_with_text(const char *op, const struct share_text *t, struct keeper_answer *a)
{
	_cleanup_(closep) int fd = keeper_memfd("smb.conf", t->bytes, t->len_bytes);
	*a = (struct keeper_answer){ .fd = -1 };
	return fd < 0 ? fd : keeper_ask(a, fd, op, NULL);
}

static int check_names(const struct share_world *w, char *why, size_t why_bytes)
{
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *s = &w->shares[i];
		char reason[256];
		if (!s->smb)
			continue;
		if (smb_conf_check(s, reason, sizeof(reason)) < 0) {
			snprintf(why, why_bytes, "share %s: %s", s->name, reason);
			return -EINVAL;
		}
		unsigned line = smb_conf_section(s->smb_raw);
		if (line) {
			snprintf(why, why_bytes, "line %u of the raw SMB lines of share %s: a section has no place here", line, s->name);
			return -EINVAL;
		}
	}
	if (smb_conf_section(w->settings.smb_raw)) {
		snprintf(why, why_bytes, "line %u of the server's raw SMB lines: a section has no place here", smb_conf_section(w->settings.smb_raw));
		return -EINVAL;
	}
	for (size_t i = 0; i < w->share_count; i++)
		for (size_t j = 0; j < i; j++)
			if (w->shares[i].smb && w->shares[j].smb && strcasecmp(w->shares[i].name, w->shares[j].name) == 0) {
				snprintf(why, why_bytes, "SMB names do not tell %s and %s apart", w->shares[j].name, w->shares[i].name);
				return -EEXIST;
			}
	return smb_conf_check_portals(w, why, why_bytes);
}

/* The keeper knows whether the machine is a member of a domain, and it stands in no row. */
static struct share_world with_domain(const struct share_world *w)
{
	char name[32];
	struct share_world all = *w;
	all.settings.in_domain = share_domain_short(name, sizeof(name));
	return all;
}

static int smb_check(const struct share_world *given, char *why, size_t why_bytes)
{
	const struct share_world all = with_domain(given), *w = &all;
	int r = check_names(w, why, why_bytes);
	if (r < 0)
		return r;
	struct smb_raw items[RAWS_MAX];
	struct smb_raws raws = { .items = items, .room = RAWS_MAX };
	const struct smb_raw *raw;
	struct share_text t = { 0 };
	struct keeper_answer a = { .fd = -1 };
	r = smb_conf(w, NULL, &t, &raws);
	bool any = has_portal(w);
	for (size_t i = 0; i < w->share_count; i++)
		any |= w->shares[i].smb;
	if (r == 0 && any)
		r = ask_with_text("smb-check", &t, &a);
	if (r < 0)
		explain(a.text[0] ? a.text : strerror(-r), &raws, &raw, why, why_bytes);
	keeper_answer_done(&a);
	share_text_done(&t);
	return r == -EACCES ? -EINVAL : r; /* a line that nobody may write is no matter of who asks */
}

/* Shares that were served and are no more, and those where somebody may less: their clients are told to go, and may come again. */
static void close_gone(const char *before, const char *now, const char *conf)
{
	for (const char *p = before; p && *p; p = strchr(p + 1, '\n')) {
		char name[128], framed[132];
		struct keeper_answer a;
		if (sscanf(p, "\n%127[^\n]", name) != 1)
			continue;
		snprintf(framed, sizeof(framed), "\n%s\n", name);
		enum smb_loss loss = !now || !strstr(now, framed) ? SMB_LOSS_ALL : smb_access_loss(applied, conf, name);
		if (loss == SMB_LOSS_NONE)
			continue;
		if (keeper_ask(&a, -1, loss == SMB_LOSS_ALL ? "smb-close-share" : "smb-close-denied", name, NULL) < 0)
			log_warn(&log_share, "cannot close a share for those who use it", "share=\"%s\" reason=\"%s\"", name, a.text);
		keeper_answer_done(&a);
	}
}

struct lost_people {
	json_t *sessions;                /* NULL: not asked yet */
};
static void end_sessions(void *arg, const char *user)
{
	struct lost_people *l = arg;
	json_t *s;
	size_t i;
	char why[256] = "";
	if (!l->sessions) {
		forget_status();
		json_t *now = ask_status();
		l->sessions = json_array();
		smb_status_sessions(now, l->sessions);
		json_decref(now);
	}
	json_array_foreach(l->sessions, i, s) {
		const char *name = json_string_value(json_object_get(s, "user")), *id = json_string_value(json_object_get(s, "id"));
		if (name && id && strcmp(name, user) == 0 && kick(id, why, sizeof(why)) < 0 && why[0])
			log_warn(&log_share, "a session goes on with what its user could before", "user=%s reason=\"%s\"", user, why);
	}
}

/* What only a new smbd takes up: where it listens. */
static char *listen_lines(const struct share_text *t)
{
	struct share_text l = { 0 };
	for (const char *p = t->bytes; p && *p;) {
		size_t n = strcspn(p, "\n");
		if (strncmp(p, "\tsmb ports", 10) == 0 || strncmp(p, "\tinterfaces", 11) == 0 || strncmp(p, "\tbind inter", 11) == 0)
			share_text_add(&l, "%.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
		if (*p == '[')
			break; /* the first share */
	}
	return l.failed ? NULL : l.bytes;
}

static int start(const char *now_listens, bool reload, char *why, size_t why_bytes)
{
	struct keeper_answer a = { .fd = -1 };
	int r = 0;
	if (reload && running && listens && now_listens && strcmp(listens, now_listens) != 0) {
		r = keeper_ask(&a, -1, "child-stop", "smbd", NULL);
		keeper_answer_done(&a);
		reload = false;
	}
	if (r == 0) {
		r = keeper_ask(&a, -1, "child-start", "smbd", NULL);
		if (r < 0)
			snprintf(why, why_bytes, "smbd does not start: %s", a.text);
		keeper_answer_done(&a);
	}
	if (r == 0 && reload) {
		r = keeper_ask(&a, -1, "smb-reload", NULL);
		if (r < 0)
			snprintf(why, why_bytes, "smbd does not read its configuration: %s", a.text);
		keeper_answer_done(&a);
	}
	return r;
}

static int stop_smbd(char *why, size_t why_bytes)
{
	struct keeper_answer a;
	int r = keeper_ask(&a, -1, "child-stop", "smbd", NULL);
	if (r < 0)
		snprintf(why, why_bytes, "smbd does not stop: %s", a.text);
	keeper_answer_done(&a);
	return r;
}

/* Applies the text; a share whose raw lines are refused is left out, and the rest is tried again. */
static int put(const struct share_world *w, struct share_text *t, bool *ret_changed, char *why, size_t why_bytes)
{
	struct smb_raw *items = calloc(RAWS_MAX, sizeof(*items));
	int r = items ? -EAGAIN : -ENOMEM;
	for (size_t tries = 0; r == -EAGAIN && tries <= w->share_count; tries++) {
		struct smb_raws raws = { .items = items, .room = RAWS_MAX };
		const struct smb_raw *raw;
		struct keeper_answer a = { .fd = -1 };
		share_text_done(t);
		r = smb_conf(w, share_has_failed, t, &raws);
		if (r == 0)
			r = ask_with_text("smb-apply", t, &a);
		if (r < 0) {
			explain(a.text[0] ? a.text : strerror(-r), &raws, &raw, why, why_bytes);
			for (size_t i = 0; i < w->share_count && raw && raw->share; i++)
				if (w->shares[i].name == raw->share) {
					share_fail(&w->shares[i], "%s", why);
					r = -EAGAIN;
				}
		}
		*ret_changed = strcmp(a.text, "changed") == 0;
		keeper_answer_done(&a);
	}
	free(items);
	return r;
}

static char *names_of(const struct share_world *w)
{
	struct share_text t = { 0 };
	char why[256];
	for (size_t i = 0; i < w->share_count; i++)
		if (w->shares[i].enabled && w->shares[i].smb && !share_has_failed(&w->shares[i]) && smb_conf_check(&w->shares[i], why, sizeof(why)) == 0)
			share_text_add(&t, "%s%s\n", t.len_bytes ? "" : "\n", w->shares[i].name);
	return t.failed ? NULL : t.bytes;
}

static size_t ports_of(const struct share_world *w)
{
	size_t n = 0;            /* under lock */
	for (size_t i = 0; i < w->portal_count && n < PORTS_MAX; i++) {
		bool have = w->portals[i].nfs;
		for (size_t k = 0; k < n; k++)
			have |= ports[k] == w->portals[i].port;
		if (!have)
			ports[n++] = w->portals[i].port;
	}
	return n;
}

static int smb_apply(const struct share_world *given, char *why, size_t why_bytes)
{
	const struct share_world all = with_domain(given), *w = &all;
	struct share_text t = { 0 };
	bool changed = false, portal = has_portal(w);
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *s = &w->shares[i];
		char reason[256];
		if (s->enabled && s->smb && smb_conf_check(s, reason, sizeof(reason)) < 0)
			share_fail(s, "%s", reason);
		if (s->enabled && s->smb && smb_conf_section(s->smb_raw))
			share_fail(s, "a section has no place in raw SMB lines");
	}
	int r = portal ? put(w, &t, &changed, why, why_bytes) : stop_smbd(why, why_bytes);
	_cleanup_(freep) char *now_listens = portal ? listen_lines(&t) : NULL;
	_cleanup_(freep) char *names = portal && r == 0 ? names_of(w) : NULL;
	if (r == 0 && portal)
		r = start(now_listens, changed, why, why_bytes);
	if (r == 0) {
		close_gone(served, names, t.bytes);
		char *folk = smb_people(w, time(NULL));
		struct lost_people l = { NULL };
		if (portal)
			smb_people_lost(people, folk, end_sessions, &l);
		json_decref(l.sessions);
		pthread_mutex_lock(&lock);
		free(served);
		free(applied);
		free(people);
		free(listens);
		served = TAKE(names);
		people = folk;
		applied = TAKE(t.bytes);
		t = (struct share_text){ 0 };
		listens = TAKE(now_listens);
		running = portal;
		port_count = ports_of(w);
		pthread_mutex_unlock(&lock);
	}
	for (size_t i = 0; i < w->share_count && !portal; i++)
		if (w->shares[i].enabled && w->shares[i].smb)
			share_fail(&w->shares[i], "no SMB portal; holdfast portal add smb 0.0.0.0:445");
	share_text_done(&t);
	if (r == 0 && portal && !traffic)
		json_decref(ask_status()); /* counting begins */
	return r;
}

/* ---- what smbd says about itself ------------------------------------------------------------------------------------ */
static bool folder_of(const char *share, char *ret, size_t ret_bytes)
{
	char id[96];
	return share_id_by_name(share, id, sizeof(id)) == 0 && share_folder_by_id(id, ret, ret_bytes) == 0;
}

/* What the kernel says of connections, as text; NULL: nothing can be known.  Returns owned. */
static char *ask_traffic(void)
{
	struct keeper_answer a;
	char text[PORTS_MAX][16];
	const char *args[PORTS_MAX];
	pthread_mutex_lock(&lock);
	size_t count = port_count;
	for (size_t i = 0; i < count; i++) {
		snprintf(text[i], sizeof(text[i]), "%u", ports[i]);
		args[i] = text[i];
	}
	pthread_mutex_unlock(&lock);
	int r = keeper_ask_list(&a, -1, "smb-traffic", args, count);
	char *lines = r == 0 ? keeper_read_fd(a.fd, STATUS_MAX_BYTES, NULL) : NULL;
	pthread_mutex_lock(&lock);
	snprintf(no_traffic, sizeof(no_traffic), "%.150s", lines ? "" : a.text[0] ? a.text : "the keeper does not answer");
	pthread_mutex_unlock(&lock);
	keeper_answer_done(&a);
	return lines;
}

static json_t *ask_smbstatus(void)
{
	struct keeper_answer a;
	size_t len = 0;
	int r = keeper_ask(&a, -1, "smb-status", NULL);
	_cleanup_(freep) char *text = r == 0 ? keeper_read_fd(a.fd, STATUS_MAX_BYTES, &len) : NULL;
	keeper_answer_done(&a);
	return text ? json_loadb(text, len, 0, NULL) : NULL;
}

/* The status, at most a moment old; a reference, or NULL: smbd does not run.  Counts what was moved until now.  When nobody
 * is connected, no program is run for it. */
static json_t *ask_status(void)
{
	struct timespec now;
	pthread_mutex_lock(&ask_lock);
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	bool fresh = status && now.tv_sec - status_at < STATUS_AGE_S, runs = running;
	json_t *s = fresh ? json_incref(status) : NULL;
	pthread_mutex_unlock(&lock);
	if (!fresh && runs) {
		_cleanup_(freep) char *lines = ask_traffic();
		s = lines && !lines[0] ? json_object() : ask_smbstatus();
		pthread_mutex_lock(&lock);
		if (!traffic)
			traffic = smb_traffic_new();
		smb_status_users(s, share_user_seen, time(NULL));
		if (traffic && lines)
			smb_traffic_count(traffic, lines, s, folder_of, now.tv_sec);
		json_decref(status);
		status = json_incref(s);
		status_at = smb_status_incomplete(s) ? 0 : now.tv_sec;
		pthread_mutex_unlock(&lock);
	}
	pthread_mutex_unlock(&ask_lock);
	return s;
}

/* Under the lock, as the last one to let go of it takes it apart: libjansson orders no memory for that. */
static void status_done(json_t *s)
{
	pthread_mutex_lock(&lock);
	json_decref(s);
	pthread_mutex_unlock(&lock);
}

static void forget_status(void)
{
	pthread_mutex_lock(&lock);
	status_at = 0;
	pthread_mutex_unlock(&lock);
}

static void smb_sessions(json_t *array)
{
	json_t *s = ask_status();
	smb_status_sessions(s, array);
	status_done(s);
}

static void smb_open_files(const char *share_name, const char *folder, json_t *array)
{
	json_t *s = ask_status();
	smb_status_open_files(s, share_name, folder, array);
	status_done(s);
}

static void smb_state(const char *share_id, const char *share_name, struct share_state *ret)
{
	char folder[1024];
	if (share_folder_by_id(share_id, folder, sizeof(folder)) < 0)
		return;
	json_t *s = ask_status();
	smb_status_count(s, share_name, folder, &ret->sessions, &ret->open_files);
	status_done(s);
	if (!share_is_served(share_id, false))
		return;
	struct smb_moved m = { 0 };
	pthread_mutex_lock(&lock);
	if (traffic)
		smb_traffic_of(traffic, share_name, &m);
	ret->smb = (struct share_moved){ .counts = running && !no_traffic[0], .divided = m.divided, .read_bytes = m.read_bytes, .written_bytes = m.written_bytes };
	if (!ret->smb.counts)
		snprintf(ret->smb.why_not, sizeof(ret->smb.why_not), "%s", running ? no_traffic : "the SMB server does not run");
	pthread_mutex_unlock(&lock);
}

/* The connection that carries it ends; a client that may come back does. */
static int kick(const char *id, char *why, size_t why_bytes)
{
	unsigned pid;
	char text[16];
	struct keeper_answer a;
	if (sscanf(id, "smb-%u-", &pid) != 1)
		return -ENOENT;
	snprintf(text, sizeof(text), "%u", pid);
	int r = keeper_ask(&a, -1, "smb-kick", text, NULL);
	if (r < 0)
		snprintf(why, why_bytes, "%s", a.text);
	keeper_answer_done(&a);
	forget_status();
	return r;
}

/* Samba closes no single file from outside; its connection is closed, and what else it had open comes back with it. */
static int smb_file_close(const char *share_name, const char *file_id, char *why, size_t why_bytes)
{
	(void)share_name;
	return kick(file_id, why, why_bytes);
}

static void smb_status(json_t *servers)
{
	struct keeper_answer a;
	int r = keeper_ask(&a, -1, "child-list", NULL);
	for (const char *p = r == 0 ? a.text : NULL; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		char name[32], state[32], reason[256];
		int pid, n = 0;
		long long since;
		unsigned restarts;
		if (sscanf(p, "%31s %31s %d %lld %u%n", name, state, &pid, &since, &restarts, &n) < 5 || (strcmp(name, "smbd") != 0 && strcmp(name, "winbindd") != 0))
			continue;
		if (strcmp(name, "winbindd") == 0 && strcmp(state, "stopped") == 0)
			continue; /* a matter of members of a domain */
		/* A space in a format would take the line's end along. */
		const char *rest = p + n + (p[n] == ' ');
		snprintf(reason, sizeof(reason), "%.*s", (int)strcspn(rest, "\n"), rest);
		json_array_append_new(servers, json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:i, s:s}", "name", name, "provider", "samba", "version",
			share_capabilities()->smb_version, "state", state, "pid", pid, "since", (json_int_t)since, "restarts", (int)restarts, "reason", reason));
	}
	keeper_answer_done(&a);
}

static void smb_capability(struct share_capability *c)
{
	struct keeper_answer a;
	int r = keeper_ask(&a, -1, "smb-version", NULL);
	c->smb = r == 0;
	c->smb_why_not[0] = '\0';
	if (r < 0) {
		snprintf(c->smb_why_not, sizeof(c->smb_why_not), "%.190s", a.text);
	} else {
		snprintf(c->smb_version, sizeof(c->smb_version), "%.*s", (int)strcspn(a.text, "\n"), a.text);
		c->smb_fruit = strstr(a.text, "\nfruit") != NULL;
		c->smb_recycle = strstr(a.text, "\nrecycle") != NULL;
		c->smb_acl_xattr = strstr(a.text, "\nacl_xattr") != NULL;
		c->smb_shadow_copy = strstr(a.text, "\nshadow_copy2") != NULL;
		c->smb_full_audit = strstr(a.text, "\nfull_audit") != NULL;
	}
	keeper_answer_done(&a);
}

/* Somebody logged in: what they use must be known before they have gone again.  However many log in, looking takes a
 * tenth of one processor at most. */
static bool look_wanted;                 /* the room's thread only, as the next */
static uint64_t look_at_ms;              /* not before */
static uint64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void smb_settled(void)
{
	uint64_t began = clock_ms();
	if (!look_wanted || began < look_at_ms)
		return;                  /* it comes here once per second at least */
	usleep(LOGIN_MS * 1000);         /* first it logs in, then it opens the share */
	forget_status();
	json_t *s = ask_status();
	look_wanted = smb_status_incomplete(s);
	status_done(s);
	look_at_ms = clock_ms() + 10 * (clock_ms() - began);
}

static void smb_line(const char *child, const char *text)
{
	static struct log_limit limit = LOG_LIMIT_INIT;
	enum share_event kind;
	char share[128], what[192], id[96] = "";
	json_t *data;
	if (strcmp(child, "smbd") != 0)
		return;
	look_wanted |= smb_log_is_login(text);
	if (!smb_log_line(text, &kind, share, sizeof(share), what, sizeof(what), &data)) {
		if (log_is_on(&log_share, LOG_LEVEL_DEBUG) && log_limit_ok(&limit, &log_share))
			log_debug(&log_share, "smbd", "line=\"%.400s\"", text);
		return;
	}
	if (!share[0] || share_id_by_name(share, id, sizeof(id)) < 0)
		id[0] = '\0';
	share_tell(kind, id[0] ? id : NULL, what, data);
	json_decref(data);
}

static void smb_stop(void)
{
	pthread_mutex_lock(&lock);
	free(served);
	free(applied);
	free(people);
	free(listens);
	json_decref(status);
	free(traffic);
	served = applied = people = listens = NULL;
	status = NULL;
	traffic = NULL;
	running = false;
	pthread_mutex_unlock(&lock);
}

const struct share_part share_part_smb = {
	.name = "smb", .stop = smb_stop, .check = smb_check, .apply = smb_apply, .state = smb_state, .sessions = smb_sessions, .session_close = kick,
	.open_files = smb_open_files, .file_close = smb_file_close, .status = smb_status, .capability = smb_capability, .line = smb_line, .settled = smb_settled,
};
