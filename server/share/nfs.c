/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs.c - shares over NFS: describes them to the keeper, tells what it answers.  Whichever server runs there, this side
 * is the same. */
#include "share/nfs_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (4u << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static char provider[16] = "none";       /* what serves now */
static char listening[96];
static struct share_capability can;

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
	share_text_done(&t);
	if (fd < 0) {
		snprintf(why, why_bytes, "out of memory");
		return fd;
	}
	int r;
	_cleanup_(freep) char *answer = ask("nfs-apply", fd, why, why_bytes, &r);
	if (answer) {
		each_line(answer, apply_line, (void *)w);
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

static void part_sessions(json_t *array)
{
	char why[256];
	int r;
	if (!is_serving())
		return;
	_cleanup_(freep) char *text = ask("nfs-clients", -1, why, sizeof(why), &r);
	if (text)
		nfs_sessions_append(array, text);
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
	.name = "nfs", .check = part_check, .apply = part_apply, .sessions = part_sessions, .session_close = part_session_close,
	.status = part_status, .capability = part_capability,
};
