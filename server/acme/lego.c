/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lego.c - dns-01 through the providers that lego knows.  lego is a whole client that cannot only set a
 * record, so it runs the order: with our account (its files are written for the run and removed after
 * it), with a request that we signed, so the certificate's key never leaves us. */
#include "acme/acme_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tls/tls.h"

#define LEGO_S 900u
#define ENV_MAX 64
#define CHAIN_MAX ((size_t)256 << 10)

static const char *const places[] = { "/usr/bin/lego", "/usr/local/bin/lego", "/opt/lego/lego" };

static const char *find_lego(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

/* ---- the folder of one run -------------------------------------------------------------------------------- */
struct run {
	struct session *s;
	const struct acme_wish *w;
	char dir[1024], email[256], host[300];
};

static int write_file(const char *path, const void *data, size_t len)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	return write(fd, data, len) == (ssize_t)len ? 0 : -EIO;
}

static void remove_tree(const char *path, int depth)
{
	DIR *d = depth < 8 ? opendir(path) : NULL;
	char child[PATH_MAX];

	for (struct dirent *f; d && (f = readdir(d));) {
		struct stat st;
		if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0)
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, f->d_name);
		if (lstat(child, &st) == 0 && S_ISDIR(st.st_mode))
			remove_tree(child, depth + 1);
		else
			unlink(child);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

/* accounts/HOST/EMAIL/account.json and keys/EMAIL.key, as lego lays them out. */
static int write_account(struct run *x)
{
	static const char *const parts[] = { "", "/accounts", "/accounts/%s", "/accounts/%s/%s", "/accounts/%s/%s/keys" };
	_cleanup_(freep) char *pem = NULL, *text = NULL;
	char path[2048], tail[1024];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_COUNT(parts); i++) {
		snprintf(tail, sizeof(tail), parts[i], x->host, x->email);
		snprintf(path, sizeof(path), "%s%s", x->dir, tail);
		r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
	}
	if (r == 0)
		r = tls_key_pem_traditional(x->s->key, &pem);
	if (r == 0) {
		snprintf(path, sizeof(path), "%s/accounts/%s/%s/keys/%s.key", x->dir, x->host, x->email, x->email);
		r = write_file(path, pem, strlen(pem));
		tls_wipe(pem, strlen(pem));
	}
	if (r == 0) {
		json_t *j = json_pack("{s:s, s:{s:{s:s}, s:s}}", "email", x->email, "registration", "body", "status", "valid", "uri", x->s->kid);
		text = j ? json_dumps(j, 0) : NULL;
		json_decref(j);
		snprintf(path, sizeof(path), "%s/accounts/%s/%s/account.json", x->dir, x->host, x->email);
		r = text ? write_file(path, text, strlen(text)) : -ENOMEM;
	}
	return r;
}

static int write_inputs(struct run *x, const struct tls_key *key)
{
	_cleanup_(freep) uint8_t *der = NULL;
	char path[2048];
	size_t len;
	int r = tls_csr(key, x->w->names, x->w->name_count, &der, &len);

	snprintf(path, sizeof(path), "%s/request.csr", x->dir);
	if (r == 0)
		r = write_file(path, der, len);
	snprintf(path, sizeof(path), "%s/ca.pem", x->dir);
	if (r == 0 && x->s->ca->ca_pem && *x->s->ca->ca_pem)
		r = write_file(path, x->s->ca->ca_pem, strlen(x->s->ca->ca_pem));
	return r;
}

/* NAME=VALUE lines of the secret; names that would change how programs run are left out. */
static int add_env(struct session *s, char *lines, const char **envp, size_t *n)
{
	char *save = NULL;

	for (char *line = strtok_r(lines, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
		size_t name = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		if (!name || line[name] != '=' || strncmp(line, "LD_", 3) == 0 || strncmp(line, "LEGO_", 5) == 0 || strncmp(line, "EXEC_", 5) == 0 ||
		    strncmp(line, "GODEBUG", 7) == 0 || strncmp(line, "PATH=", 5) == 0 || strncmp(line, "HOME=", 5) == 0)
			return session_fail(s, -EINVAL, "dns_secret holds lines NAME=VALUE for lego's provider; this one is refused: %.*s", (int)min_u64(strcspn(line, "="), 60), line);
		if (*n == ENV_MAX)
			return session_fail(s, -EINVAL, "dns_secret has more than %d lines", ENV_MAX);
		envp[(*n)++] = line;
	}
	return 0;
}

/* certificates/NAME.crt, beside NAME.issuer.crt. */
static int read_chain(const struct run *x, char **ret_chain)
{
	char path[2048];
	snprintf(path, sizeof(path), "%s/certificates", x->dir);
	DIR *d = opendir(path);
	int r = -ENOENT;

	for (struct dirent *f; d && r == -ENOENT && (f = readdir(d));) {
		size_t len = strlen(f->d_name);
		if (len < 5 || strcmp(f->d_name + len - 4, ".crt") != 0 || strstr(f->d_name, ".issuer."))
			continue;
		snprintf(path, sizeof(path), "%s/certificates/%s", x->dir, f->d_name);
		_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		char *text = fd >= 0 ? calloc(1, CHAIN_MAX + 1) : NULL;
		if (text && read(fd, text, CHAIN_MAX) > 0) {
			*ret_chain = text;
			r = 0;
		} else {
			free(text);
			r = -EIO;
		}
	}
	if (d)
		closedir(d);
	return r;
}

static int run_lego(struct run *x, const char *lego)
{
	const struct acme_wish *w = x->w;
	_cleanup_(freep) char *secret = w->dns.secret ? strdup(w->dns.secret) : NULL;
	char csr[1100], ca[1200];
	const char *envp[ENV_MAX + 4] = { "PATH=/usr/local/bin:/usr/bin:/bin" };
	const char *argv[32] = { lego, "--accept-tos", "--server", acme_directory_url(x->s->ca->directory), "--email", x->email, "--path", x->dir, "--csr", csr,
				 "--dns", w->dns.provider };
	size_t n_env = 1, n = 12;
	struct child c = { .path = lego, .argv = argv, .envp = envp, .timeout_s = LEGO_S };

	snprintf(csr, sizeof(csr), "%s/request.csr", x->dir);
	snprintf(ca, sizeof(ca), "LEGO_CA_CERTIFICATES=%s/ca.pem", x->dir);
	if (x->s->ca->ca_pem && *x->s->ca->ca_pem)
		envp[n_env++] = ca;
	int r = secret ? add_env(x->s, secret, envp, &n_env) : 0;
	if (w->dns.resolvers && *w->dns.resolvers) {
		argv[n++] = "--dns.resolvers";
		argv[n++] = w->dns.resolvers;
		argv[n++] = "--dns.disable-cp";
	}
	argv[n++] = "run";
	if (w->preferred_chain && *w->preferred_chain) {
		argv[n++] = "--preferred-chain";
		argv[n++] = w->preferred_chain;
	}
	if (r == 0)
		r = child_run(x->s, &c);
	if (secret)
		tls_wipe(secret, strlen(secret));
	if (r > 0)
		return session_fail(x->s, -EPROTO, "lego ends with status %d: %.700s", r, c.output + (strlen(c.output) > 700 ? strlen(c.output) - 700 : 0));
	if (r < 0 && r != -EINVAL && r != -ECANCELED)
		return session_fail(x->s, r, "lego cannot be run or does not end: %s", strerror(-r));
	return r;
}

static int prepare(struct run *x, const struct tls_key *key)
{
	const struct acme_ca *ca = x->s->ca;
	const char *host = acme_directory_url(ca->directory) + 8;
	static unsigned count;
	char parent[900];

	snprintf(x->email, sizeof(x->email), "%s", ca->email && *ca->email ? ca->email : "holdfast@localhost");
	snprintf(x->host, sizeof(x->host), "%.*s", (int)strcspn(host, "/"), host);
	for (char *p = x->host; *p; p++)
		if (*p == ':')
			*p = '_';
	if (strchr(x->email, '/') || strstr(x->email, ".."))
		return session_fail(x->s, -EINVAL, "the account's e-mail address cannot be used");
	snprintf(parent, sizeof(parent), "%s/lego", x->w->work_dir);
	if (mkdir(parent, 0700) < 0 && errno != EEXIST)
		return session_fail(x->s, -errno, "the folder %s cannot be made: %s", parent, strerror(errno));
	snprintf(x->dir, sizeof(x->dir), "%s/run-%d-%u", parent, (int)getpid(), __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED));
	int r = write_account(x);
	if (r == 0)
		r = write_inputs(x, key);
	return r < 0 ? session_fail(x->s, r, "lego's files cannot be written: %s", strerror(-r)) : 0;
}

int lego_order(struct session *s, const struct acme_wish *w, const struct tls_key *key, char **ret_chain)
{
	struct run x = { .s = s, .w = w };
	const char *lego = find_lego();
	int r;

	if (!lego)
		return session_fail(s, -ENOENT, "lego is not installed; install the package lego, or use another method for DNS");
	if (!w->dns.provider || !*w->dns.provider)
		return session_fail(s, -EINVAL, "dns_options needs provider: the name of lego's DNS provider");
	session_progress(s, 30, "lego proves control of %s through %s", w->names[0], w->dns.provider);
	r = prepare(&x, key);
	if (r == 0)
		r = run_lego(&x, lego);
	if (r == 0) {
		r = read_chain(&x, ret_chain);
		if (r < 0)
			r = session_fail(s, -EPROTO, "lego says that it is done and leaves no certificate");
	}
	remove_tree(x.dir, 0);
	return r;
}
