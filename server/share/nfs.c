/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs.c - shares over NFS: describes them to the keeper, tells what it answers.  Whichever server runs there, this side
 * is the same. */
#include "share/nfs_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX (4u << 20)
#define LOOK_S 12                        /* counters are looked at this often at least */
#define IO_AGE_S 2                       /* as young as this is good enough for the next question */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static char provider[16] = "none";       /* what serves now */
static char listening[96];
static struct share_capability can;
/* What exports have moved: as it was told last, and summed up since counting began (a new server begins at 0 again). */
static struct io {
	unsigned id;
	bool fresh;
	bool counts_requests;
	int64_t grown_s;                 /* when a look saw that something was moved; 0: never */
	uint64_t now[4], last[4], sum[4]; /* bytes read, requests for it, bytes written, requests for it */
} *ios;
static size_t io_count;
static char no_io[160] = "nobody has asked yet";
static time_t io_at;
static bool io_begun;
static char *described;                  /* the description applied last: who may mount what */

/* The longer answer of the keeper, as text; NULL with why.  Returns owned. */
static char *ask(const char *op, int fd, char *why, size_t why_bytes, int *ret_error)
{
	struct keeper_answer a;
	*ret_error = keeper_ask(&a, fd, op, NULL);
	char *text = *ret_error == 0 && a.fd >= 0 ? keeper_read_fd(a.fd, ANSWER_MAX, NULL) : NULL;
	if (*ret_error == 0 && !text)
		*ret_error = -ENOMEM;
	if (*ret_error < 0)
		snprintf(why, why_bytes, "%s", a.text[0] ? a.text : strerror(-*ret_error));
	keeper_answer_done(&a);
	return text;
}

/* Calls line(arg, KEY, REST) for each line. */
static void each_line(char *text, void (*line)(void *arg, const char *key, const char *rest), void *arg)
{
	for (char *next = text, *at; next && *next;) {
		at = next;
		next = strchr(at, '\n');
		if (next)
			*next++ = '\0';
		char *space = strchr(at, ' ');
		if (space)
			*space++ = '\0';
		line(arg, at, space ? space : "");
	}
}

/* ---- what this machine can --------------------------------------------------------------------------------- */
static void probe_line(void *arg, const char *key, const char *rest)
{
	struct share_capability *c = arg;
	if (strcmp(key, "ganesha") == 0) {
		c->nfs_ganesha = true;
		snprintf(c->nfs_version, sizeof(c->nfs_version), "NFS-Ganesha %.40s", rest);
	} else if (strcmp(key, "kernel") == 0) {
		c->nfs_kernel = true;
		if (!c->nfs_version[0])
			snprintf(c->nfs_version, sizeof(c->nfs_version), "Linux");
	} else if (strcmp(key, "v3") == 0) {
		c->nfs_versions |= SHARE_NFS3;
	} else if (strcmp(key, "krb5") == 0) {
		c->nfs_security |= SHARE_SEC_KRB5 | SHARE_SEC_KRB5I | SHARE_SEC_KRB5P;
	} else if (strncmp(key, "no-", 3) == 0) {
		size_t n = strlen(c->nfs_why_not);
		snprintf(c->nfs_why_not + n, sizeof(c->nfs_why_not) - n, "%s%s", n ? "; " : "", rest);
	}
}

static void probe(struct share_capability *c)
{
	char why[256];
	int r;
	_cleanup_(freep) char *text = ask("nfs-probe", -1, why, sizeof(why), &r);
	if (!text)
		return;
	struct share_capability found = { .nfs_versions = SHARE_NFS40 | SHARE_NFS41 | SHARE_NFS42, .nfs_security = SHARE_SEC_SYS };
	each_line(text, probe_line, &found);
	c->nfs = found.nfs_ganesha || found.nfs_kernel;
	c->nfs_ganesha = found.nfs_ganesha;
	c->nfs_kernel = found.nfs_kernel;
	c->nfs_versions = c->nfs ? found.nfs_versions : 0;
	c->nfs_security = c->nfs ? found.nfs_security : 0;
	memcpy(c->nfs_version, found.nfs_version, sizeof(c->nfs_version));
	memcpy(c->nfs_why_not, found.nfs_why_not, sizeof(c->nfs_why_not));
}

static void part_capability(struct share_capability *c)
{
	if (keeper_present(NULL))
		probe(c);
	pthread_mutex_lock(&lock);
	can = *c;
	pthread_mutex_unlock(&lock);
}

/* ---- check and apply --------------------------------------------------------------------------------------- */
static const struct share_portal *portal_of(const struct share_world *w, size_t *ret_count)
{
	const struct share_portal *first = NULL;
	*ret_count = 0;
	for (size_t i = 0; i < w->portal_count; i++)
		if (w->portals[i].nfs && (*ret_count)++ == 0)
			first = &w->portals[i];
	return first;
}

static int part_check(const struct share_world *w, char *why, size_t why_bytes)
{
	size_t portals;
	portal_of(w, &portals);
	if (portals > 1) {
		snprintf(why, why_bytes, "there is one NFS server, so there can be one NFS portal; 0.0.0.0 serves every address");
		return -EINVAL;
	}
	for (size_t i = 0; i < w->share_count; i++) {
		const struct share_spec *s = &w->shares[i];
		struct nfs_who who;
		for (size_t k = 0; nfs_is_served(s) && k < s->nfs_clients.count; k++)
			if (nfs_who_parse(s->nfs_clients.items[k], &who) < 0) {
				snprintf(why, why_bytes, "share %s: \"%s\" is no NFS client", s->name, s->nfs_clients.items[k]);
				return -EINVAL;
			}
	}
	return 0;
}

static void fail_share(const struct share_spec *s, const char *why)
{
	share_fail(s, "NFS: %s", why);
}

static void apply_line(void *arg, const char *key, const char *rest)
{
	const struct share_world *w = arg;
	if (strcmp(key, "provider") == 0) {
		pthread_mutex_lock(&lock);
		snprintf(provider, sizeof(provider), "%s", rest);
		pthread_mutex_unlock(&lock);
	}
	if (strcmp(key, "failed") != 0)
		return;
	char *reason;
	unsigned long id = strtoul(rest, &reason, 10);
	for (size_t i = 0; i < w->share_count; i++)
		if (w->shares[i].export_id == id)
			fail_share(&w->shares[i], *reason == ' ' ? reason + 1 : reason);
}

static void look_at_io(void);

static int part_apply(const struct share_world *w, char *why, size_t why_bytes)
{
	size_t portals, wanted = 0;
	const struct share_portal *p = portal_of(w, &portals);
	for (size_t i = 0; i < w->share_count; i++) {
		if (!nfs_is_served(&w->shares[i]))
			continue;
		wanted++;
		if (!p)
			fail_share(&w->shares[i], "there is no NFS portal; holdfast portal add nfs 0.0.0.0:2049");
	}
	pthread_mutex_lock(&lock);
	bool serving = strcmp(provider, "none") != 0;
	if (p)
		snprintf(listening, sizeof(listening), "%s:%u", p->address, p->port);
	else
		listening[0] = '\0';
	pthread_mutex_unlock(&lock);
	if (!p && !serving && !wanted && !keeper_present(NULL))
		return 0;
	char identity[65] = "holdfast";
	if (p && p->id)
		snprintf(identity, sizeof(identity), "holdfast-%.40s", p->id);
	struct share_text t = { 0 };
	nfs_describe(&t, w, identity, fail_share);
	_cleanup_(closep) int fd = t.failed ? -ENOMEM : keeper_memfd("nfs", t.bytes, t.len_bytes);
	pthread_mutex_lock(&lock);
	free(described);
	described = t.failed ? NULL : strdup(t.bytes);
	pthread_mutex_unlock(&lock);
	share_text_done(&t);
	if (fd < 0) {
		snprintf(why, why_bytes, "out of memory");
		return fd;
	}
	int r;
	_cleanup_(freep) char *answer = ask("nfs-apply", fd, why, why_bytes, &r);
	if (answer) {
		each_line(answer, apply_line, (void *)w);
		look_at_io();            /* counting begins */
		return 0;
	}
	/* The other protocol goes on: this concerns the shares that want NFS. */
	log_warn(&log_share, "NFS is not served", "reason=\"%s\"", why);
	for (size_t i = 0; i < w->share_count; i++)
		if (nfs_is_served(&w->shares[i]))
			fail_share(&w->shares[i], why);
	return 0;
}

/* ---- what is --------------------------------------------------------------------------------------------------- */
static void part_status(json_t *servers)
{
	struct keeper_answer a;
	char now[16], at[96], version[64];
	pthread_mutex_lock(&lock);
	snprintf(now, sizeof(now), "%s", provider);
	snprintf(at, sizeof(at), "%s", listening);
	snprintf(version, sizeof(version), "%s", strcmp(provider, "kernel") == 0 ? "Linux" : can.nfs_version);
	pthread_mutex_unlock(&lock);
	const char *child = strcmp(now, "kernel") == 0 ? "rpc.mountd" : "ganesha";
	char state[24] = "stopped", reason[256] = "";
	int pid = 0;
	long long since = 0;
	unsigned restarts = 0;
	char *save = NULL;
	if (keeper_ask(&a, -1, "child-list", NULL) == 0)
		for (char *line = strtok_r(a.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			char name[64];
			if (sscanf(line, "%63s", name) == 1 && strcmp(name, child) == 0)
				sscanf(line, "%*s %23s %d %lld %u %255[^\n]", state, &pid, &since, &restarts, reason);
		}
	keeper_answer_done(&a);
	json_t *one = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "name", "nfs", "provider", now, "version", version, "state", state,
				"pid", (json_int_t)pid, "since", (json_int_t)since, "restarts", (json_int_t)restarts, "reason", reason,
				"address", at);
	json_array_append_new(servers, one);
}

static bool is_serving(void)
{
	pthread_mutex_lock(&lock);
	bool serving = strcmp(provider, "none") != 0;
	pthread_mutex_unlock(&lock);
	return serving;
}

/* ---- counters ---------------------------------------------------------------------------------------------------- */
static struct io *io_of(unsigned id, bool make)
{
	for (size_t i = 0; i < io_count; i++)
		if (ios[i].id == id)
			return &ios[i];
	struct io *more = make ? reallocarray(ios, io_count + 1, sizeof(*ios)) : NULL;
	if (!more)
		return NULL;
	ios = more;
	ios[io_count] = (struct io){ .id = id };
	return &ios[io_count++];
}

static void io_line(void *arg, const char *key, const char *rest)
{
	char word[4][24];
	unsigned id;
	(void)arg;
	if (strcmp(key, "no-io") == 0)
		snprintf(no_io, sizeof(no_io), "%.150s", rest);
	if (strcmp(key, "io") != 0 || sscanf(rest, "%u %23s %23s %23s %23s", &id, word[0], word[1], word[2], word[3]) != 5)
		return;
	struct io *x = io_of(id, true);
	if (!x)
		return;
	if (!x->fresh)
		memset(x->now, 0, sizeof(x->now));
	x->fresh = true;
	x->counts_requests = word[1][0] != '-' && word[3][0] != '-';
	for (size_t i = 0; i < ARRAY_COUNT(word); i++)
		x->now[i] += strtoull(word[i], NULL, 10);
}

static void sum_up(void)
{
	int64_t now_s = time(NULL);
	for (size_t k = 0; k < io_count; k++) {
		struct io *x = &ios[k];
		if (x->fresh && io_begun && memcmp(x->now, x->last, sizeof(x->now)) != 0)
			x->grown_s = now_s;
		for (size_t i = 0; i < ARRAY_COUNT(x->now) && x->fresh; i++) {
			if (io_begun)
				x->sum[i] += x->now[i] >= x->last[i] ? x->now[i] - x->last[i] : x->now[i];
			x->last[i] = x->now[i];
		}
		x->fresh = false;
	}
	io_begun = true;
}

/* Asks the server, unless it just answered. */
static void look_at_io(void)
{
	struct timespec now;
	char why[160];
	int r;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	bool due = strcmp(provider, "none") != 0 && (!io_begun || now.tv_sec - io_at >= IO_AGE_S);
	io_at = due ? now.tv_sec : io_at; /* others go on with what there is */
	pthread_mutex_unlock(&lock);
	if (!due)
		return;
	_cleanup_(freep) char *text = ask("nfs-io", -1, why, sizeof(why), &r);
	pthread_mutex_lock(&lock);
	snprintf(no_io, sizeof(no_io), "%s", text ? "" : why);
	if (text) {
		each_line(text, io_line, NULL);
		sum_up();
	}
	pthread_mutex_unlock(&lock);
}

static void part_state(const char *share_id, const char *share_name, struct share_state *ret)
{
	(void)share_name;
	if (!share_is_served(share_id, true))
		return;
	look_at_io();
	pthread_mutex_lock(&lock);
	bool serving = strcmp(provider, "none") != 0;
	const struct io *x = io_of(share_export_by_id(share_id), false);
	struct share_moved *m = &ret->nfs;
	*m = (struct share_moved){ .counts = serving && !no_io[0], .counts_requests = !x || x->counts_requests };
	if (!m->counts)
		snprintf(m->why_not, sizeof(m->why_not), "%s", serving ? no_io : "the NFS server does not run");
	if (x) {
		m->read_bytes = x->sum[0];
		m->reads = x->sum[1];
		m->written_bytes = x->sum[2];
		m->writes = x->sum[3];
	}
	pthread_mutex_unlock(&lock);
}

static void part_stop(void)
{
	pthread_mutex_lock(&lock);
	free(ios);
	free(described);
	described = NULL;
	ios = NULL;
	io_count = 0;
	io_begun = false;
	pthread_mutex_unlock(&lock);
}

/* Was anything moved on this export since then?  The look before may have been a while before. */
static bool was_used(unsigned id, int64_t since_s)
{
	const struct io *x = io_of(id, false);
	return x && x->grown_s && x->grown_s + LOOK_S >= since_s;
}

static void part_sessions(json_t *array)
{
	char why[256];
	int r;
	if (!is_serving())
		return;
	look_at_io();
	_cleanup_(freep) char *text = ask("nfs-clients", -1, why, sizeof(why), &r);
	if (!text)
		return;
	pthread_mutex_lock(&lock);
	nfs_sessions_append(array, text, described ? described : "", was_used);
	pthread_mutex_unlock(&lock);
}

static int part_session_close(const char *id, char *why, size_t why_bytes)
{
	unsigned number;
	struct keeper_answer a;
	if (strncmp(id, "nfs-", 4) != 0)
		return -ENOENT;
	char text[16];
	if (sscanf(id, "nfs-kernel-%u", &number) != 1) {
		snprintf(why, why_bytes, "a client of NFS comes back by itself as long as it may: take it out of the share's nfs_clients, "
			 "or put its address into deny; that counts at once");
		return -EOPNOTSUPP;
	}
	snprintf(text, sizeof(text), "%u", number);
	int r = keeper_ask(&a, -1, "nfs-expire", text, NULL);
	if (r < 0)
		snprintf(why, why_bytes, "%s", a.text);
	keeper_answer_done(&a);
	return r;
}

const struct share_part share_part_nfs = {
	.name = "nfs", .stop = part_stop, .check = part_check, .state = part_state, .apply = part_apply, .sessions = part_sessions, .session_close = part_session_close,
	.status = part_status, .capability = part_capability,
};
