/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bundle.c - holdfast support-bundle: what somebody who helps wants to see, as one tar file, without secrets.
 *
 * The server never gives secrets out; what is taken out here as well is what people and plugins put where it does not
 * belong, and what a journal may hold.  A tar file (POSIX.1-1988 ustar) is headers of 512 bytes and data in blocks. */
#include "cli/cli_priv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/doctor_priv.h"

#define REMOVED "(removed)"
#define BLOCK 512

/* ---- secrets ------------------------------------------------------------------------------------------------- */
static bool name_is_secret(const char *name)
{
	static const char *const parts[] = { "secret", "password", "passwd", "passphrase", "token", "psk", "dhchap", "private", "credential", "hmac", "totp", "recovery" };
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
		if (strcasestr(name, parts[i]))
			return true;
	return strcasecmp(name, "key") == 0 || strcasecmp(name, "pass") == 0;
}

/* Webhooks have their secrets where they like: in the address behind the server's name, in headers, in the body. */
static void scrub_webhook(json_t *j)
{
	static const char *const whole[] = { "headers", "template" };
	const char *url = json_string_value(json_object_get(j, "url"));
	if (url && strncmp(url, "http", 4) == 0 && strstr(url, "://")) {
		const char *host = strstr(url, "://") + 3, *at = memchr(host, '@', strcspn(host, "/?#"));
		int scheme = (int)(host - url);
		host = at ? at + 1 : host;
		_cleanup_(freep) char *text = text_format("%.*s%.*s%s", scheme, url, (int)strcspn(host, "/?#"), host, host[strcspn(host, "/?#")] ? "/" REMOVED : "");
		json_object_set_new(j, "url", json_string(text));
	}
	for (size_t i = 0; i < ARRAY_COUNT(whole); i++) {
		const json_t *v = json_object_get(j, whole[i]);
		if (v && !json_is_null(v) && !(json_is_string(v) && !*json_string_value(v)) && !(json_is_array(v) && !json_array_size(v)))
			json_object_set_new(j, whole[i], json_string(REMOVED));
	}
}

/* A setting is {"key": its name, "value"}: there "key" is no secret. */
void scrub_json(json_t *j)
{
	const char *name;
	json_t *v;
	size_t i;
	scrub_webhook(j);
	json_array_foreach(j, i, v)
		scrub_json(v);
	bool setting = json_object_get(j, "key") && json_object_get(j, "value");
	json_object_foreach(j, name, v) {
		if (json_is_object(v) || json_is_array(v)) {
			scrub_json(v);
		} else if (json_is_string(v) && name_is_secret(name) && !(setting && strcmp(name, "key") == 0)) {
			json_string_set(v, REMOVED);
		} else if (json_is_string(v)) {
			_cleanup_(freep) char *text = text_format("%s", json_string_value(v));
			scrub_text(text);
			if (strcmp(text, json_string_value(v)) != 0)
				json_string_set(v, text);
		}
	}
	if (setting && name_is_secret(json_string_value(json_object_get(j, "key")) ? json_string_value(json_object_get(j, "key")) : ""))
		json_object_set_new(j, "value", json_string(REMOVED));
}

static void blank(char *s, size_t len)
{
	memset(s, '*', len);
}

/* The word behind the name in an address: https://name:word@server, iscsi://name%word@server. */
static void scrub_addresses(char *s)
{
	for (char *p = s; (p = strstr(p, "://"));) {
		p += 3;
		char *at = memchr(p, '@', strcspn(p, "/ \t\n\"'<>"));
		size_t name = strcspn(p, ":%@");
		if (at && p + name + 1 < at)
			blank(p + name + 1, (size_t)(at - p) - name - 1);
	}
}

/* Keys as they are written: DHHC-1:00:.., NVMeTLSkey-1:.., our tokens, PEM, Authorization, a set-up code. */
void scrub_text(char *s)
{
	static const struct {
		const char *start, *chars; /* what such a word is made of */
	} words[] = {
		{ "DHHC-1:", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:" },
		{ "NVMeTLSkey-1:", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:" },
		{ "hf_", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-" },
		{ "Bearer ", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~+/= " },
	};
	static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567-";
	scrub_addresses(s);
	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		for (char *p = s; (p = strstr(p, words[i].start));) {
			char *value = p + strlen(words[i].start);
			size_t len = strspn(value, words[i].chars);
			blank(value, len);
			p = value + len;
		}
	for (char *p = s; (p = strstr(p, "PRIVATE KEY-----"));) {
		char *end = strstr(p + 1, "-----END");
		size_t len = end ? (size_t)(end - p - 16) : strlen(p + 16);
		blank(p + 16, len);
		p += 16 + len;
		if (!end)
			break;
		p = strstr(p, "PRIVATE KEY-----") ? strstr(p, "PRIVATE KEY-----") + 16 : p + strlen(p);
	}
	/* Twenty letters of base32 and more in one go: a set-up or recovery code, a TOTP secret. */
	for (char *p = s; *p;) {
		size_t len = strspn(p, base32), letters = 0;
		for (size_t i = 0; i < len; i++)
			letters += p[i] != '-';
		bool word = (p == s || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[len]);
		if (letters >= 20 && word)
			blank(p, len);
		p += len ? len : 1;
	}
}

/* ---- tar ---------------------------------------------------------------------------------------------------------- */
struct tar {
	FILE *f;
	char top[64];
	int error;
};

static void tar_add(struct tar *t, const char *name, const void *data, size_t len)
{
	char head[BLOCK] = { 0 };
	static const char zero[BLOCK];
	unsigned sum = 0;
	snprintf(head, 100, "%s/%s", t->top, name);
	snprintf(head + 100, 8, "%07o", 0600);
	snprintf(head + 108, 8, "%07o", 0);
	snprintf(head + 116, 8, "%07o", 0);
	snprintf(head + 124, 12, "%011llo", (unsigned long long)len);
	snprintf(head + 136, 12, "%011llo", (unsigned long long)time(NULL));
	memset(head + 148, ' ', 8);      /* the sum counts itself as blanks */
	head[156] = '0';
	memcpy(head + 257, "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)head[i];
	snprintf(head + 148, 8, "%06o", sum);
	fwrite(head, 1, BLOCK, t->f);
	fwrite(data, 1, len, t->f);
	fwrite(zero, 1, (BLOCK - len % BLOCK) % BLOCK, t->f);
	if (ferror(t->f))
		t->error = EIO;
}

static void tar_json(struct tar *t, const char *name, json_t *j)
{
	scrub_json(j);
	_cleanup_(freep) char *text = json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(12) | JSON_ENCODE_ANY);
	if (text)
		tar_add(t, name, text, strlen(text));
}

static void tar_text(struct tar *t, const char *name, char *text)
{
	if (!text)
		return;
	scrub_text(text);
	tar_add(t, name, text, strlen(text));
}

/* ---- what goes in --------------------------------------------------------------------------------------------------- */
static const struct {
	const char *name, *path;
} asked[] = {
	{ "status.json", "/api/v1/status" },           { "about.json", "/api/v1/about" },           { "config.json", "/api/v1/config" },
	{ "alerts.json", "/api/v1/alerts" },           { "events.json", "/api/v1/events?limit=2000" }, { "audit.json", "/api/v1/audit?limit=500" },
	{ "tasks.json", "/api/v1/tasks?limit=200" },   { "sessions.json", "/api/v1/sessions" },     { "refused.json", "/api/v1/refused" },
	{ "settings.json", "/api/v1/settings" },       { "plugins.json", "/api/v1/plugins" },       { "pools.json", "/api/v1/pools?limit=1000" },
	{ "volumes.json", "/api/v1/volumes?limit=2000" }, { "portals.json", "/api/v1/portals?limit=1000" }, { "targets.json", "/api/v1/targets?limit=2000" },
	{ "addresses.json", "/api/v1/addresses" },     { "certificates.json", "/api/v1/certificates" }, { "history.json", "/api/v1/history?object=server&points=1440" },
	{ "top.json", "/api/v1/top?n=50" },            { "metrics.txt", "/metrics" },               { "nas.json", "/api/v1/nas" },
	{ "shares.json", "/api/v1/shares?limit=1000" }, { "users.json", "/api/v1/users?limit=2000" }, { "groups.json", "/api/v1/groups?limit=1000" },
	{ "quotas.json", "/api/v1/quotas?limit=2000" },
};
static const struct {
	const char *name;
	const char *argv[12];
} programs[] = {
	{ "journal.txt", { "journalctl", "-u", "holdfastd", "-u", "holdfast-nas", "-n", "5000", "--no-pager", "-o", "short-iso" } },
	{ "mounts.txt", { "findmnt", "-n", NULL } },       { "disks.txt", { "lsblk", "-O", "-J", NULL } },
	{ "sockets.txt", { "ss", "-tlnp", NULL } },        { "links.txt", { "ip", "-s", "address", NULL } },
	{ "packages.txt", { "dpkg-query", "-W", "holdfast*", NULL } }, { "unit.txt", { "systemctl", "status", "--no-pager", "holdfastd", NULL } },
};
static const char *const files[] = { "/etc/os-release", "/proc/version", "/proc/meminfo", "/proc/loadavg", "/proc/mdstat", "/proc/net/dev", "/proc/sys/net/ipv4/tcp_rmem", "/proc/sys/net/ipv4/tcp_wmem" };

static void add_file(struct tar *t, const char *path)
{
	char *text = calloc(1, (1 << 18) + 1), name[100];
	FILE *f = fopen(path, "re");
	snprintf(name, sizeof(name), "machine%s", path);
	if (f && text) {
		text[fread(text, 1, 1 << 18, f)] = '\0';
		tar_text(t, name, text);
	}
	if (f)
		fclose(f);
	free(text);
}

/* What people call their files is nobody's business: who audits shares has it in events. */
static void forget_files(json_t *answer)
{
	json_t *event;
	size_t i;
	json_array_foreach(json_object_get(answer, "items"), i, event)
		if (strcmp(text(event, "type"), "share.access") == 0) {
			json_object_set_new(event, "message", json_string("(access to a file; its name is left out)"));
			json_object_set_new(event, "facts", json_null());
		}
}

static void gather(struct cli *c, struct tar *t)
{
	bool sick, answers = true;
	json_t *findings = doctor_findings(c, &sick);
	tar_json(t, "doctor.json", findings);
	json_decref(findings);
	for (size_t i = 0; i < ARRAY_COUNT(asked) && answers; i++) {
		struct reply r = { 0 };
		answers = client_call(c, "GET", asked[i].path, NULL, NULL, &r) == CLI_DONE;
		forget_files(r.json);
		if (answers && r.status == 200 && r.json)
			tar_json(t, asked[i].name, r.json);
		else if (answers && r.status == 200)
			tar_text(t, asked[i].name, r.body);
		reply_done(&r);
	}
	for (size_t i = 0; i < ARRAY_COUNT(programs); i++) {
		const char *argv[ARRAY_COUNT(programs[i].argv) + 1] = { 0 };
		memcpy(argv, programs[i].argv, sizeof(programs[i].argv));
		_cleanup_(freep) char *text = program_output(argv, 4u << 20, 20);
		tar_text(t, programs[i].name, text);
	}
	for (size_t i = 0; i < ARRAY_COUNT(files); i++)
		add_file(t, files[i]);
}

int run_support_bundle(struct cli *c)
{
	static const char zero[2 * BLOCK];
	_cleanup_(freep) char *path = NULL;
	struct tar t = { 0 };
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];
	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(t.top, sizeof(t.top), "holdfast-support-%s", stamp);
	path = c->arg_count ? text_format("%s", c->arg[0]) : text_format("%s.tar", t.top);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	t.f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!t.f) {
		int error = errno;
		if (fd >= 0)
			close(fd);
		return refused("%s cannot be made: %s.", path, strerror(error));
	}
	gather(c, &t);
	fwrite(zero, 1, sizeof(zero), t.f);
	if (fclose(t.f) || t.error) {
		unlink(path);
		return refused("%s cannot be written: %s.", path, strerror(errno));
	}
	say_done(c, NULL, "%s is written; secrets are taken out, names and addresses are in it: look before you send it", path);
	return CLI_DONE;
}
