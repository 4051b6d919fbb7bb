/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_client.c - holdfast-remote as an SMB client, through libsmbclient: the self-test of a share, and reading a tree.
 * The library finds neither a configuration nor Kerberos tickets of this machine: its environment is empty. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <libsmbclient.h>

#include "core/hex.h"
#include "remote/worker_priv.h"

#define URL_BYTES 16384
#define MEASURE_BYTES (8u << 20)

static char base[URL_BYTES];             /* smb://SERVER:PORT/SHARE/FOLDER */
static const char *user, *password, *domain;

static void login(SMBCCTX *c, const char *server, const char *share, char *wg, int wg_len, char *un, int un_len, char *pw, int pw_len)
{
	(void)c;
	(void)server;
	(void)share;
	snprintf(wg, (size_t)wg_len, "%s", domain ? domain : "");
	snprintf(un, (size_t)un_len, "%s", user ? user : "");
	snprintf(pw, (size_t)pw_len, "%s", password ? password : "");
}

static void add(char url[URL_BYTES], const char *path)
{
	size_t n = strlen(url);
	percent_encode(path, "/", url + n, URL_BYTES - n);
}

static void start(const json_t *job, const struct remote_url *u)
{
	SMBCCTX *c = smbc_new_context();
	if (!c)
		out_end(false, "out of memory");
	user = job_text(job, "user");
	password = job_text(job, "password");
	domain = job_text(job, "domain");
	smbc_setDebug(c, 0);
	smbc_setTimeout(c, 30000);
	smbc_setFunctionAuthDataWithContext(c, login);
	smbc_setOptionUseKerberos(c, 0);
	smbc_setOptionNoAutoAnonymousLogin(c, user != NULL);
	smbc_setOptionProtocols(c, "SMB2_10", "SMB3_11");
	if (u->port)
		smbc_setPort(c, u->port);
	if (!smbc_init_context(c))
		out_end(false, "libsmbclient does not start: %s", strerror(errno));
	smbc_set_context(c);
	snprintf(base, sizeof(base), strchr(u->host, ':') ? "smb://[%s]/" : "smb://%s/", u->host);
	add(base, u->share);
	if (*u->path) {
		strncat(base, "/", sizeof(base) - strlen(base) - 1);
		add(base, u->path);
	}
	for (size_t n = strlen(base); n && base[n - 1] == '/'; n--)
		base[n - 1] = '\0';
}

static const char *full(const char *path, char out[URL_BYTES])
{
	snprintf(out, URL_BYTES, "%s/", base);
	add(out, path);
	return out;
}

/* ---- the self-test ---------------------------------------------------------------------------------------------------- */
static bool move(bool out, int fd, uint8_t *buf, size_t chunk, size_t total)
{
	for (size_t done = 0; done < total; done += chunk) {
		uint8_t want = (uint8_t)('a' + done / chunk % 26);
		if (out)
			memset(buf, want, chunk);
		for (size_t at = 0; at < chunk;) {
			ssize_t n = out ? smbc_write(fd, buf + at, chunk - at) : smbc_read(fd, buf + at, chunk - at);
			if (n <= 0)
				return false;
			at += (size_t)n;
		}
		for (size_t i = 0; !out && i < chunk; i++)
			if (buf[i] != want) {
				errno = EBADMSG;
				return false;
			}
	}
	return true;
}

static void test_write(const json_t *job)
{
	char name[64], one[URL_BYTES], two[URL_BYTES];
	size_t chunk = 65536;
	struct stat st;
	uint8_t *buf = malloc(chunk);
	uint64_t w, r;
	snprintf(name, sizeof(name), "holdfast-test-%llx.tmp", (unsigned long long)now_us());
	full(name, one);
	strncat(name, "2", sizeof(name) - strlen(name) - 1);
	full(name, two);
	step_begin("write and read back");
	if (!job_true(job, "write")) {
		step_skipped("%s", job_text(job, "why_no_write") ? job_text(job, "why_no_write") : "the share is read-only");
		free(buf);
		return;
	}
	uint64_t at = now_us();
	int fd = buf ? smbc_open(one, O_CREAT | O_EXCL | O_RDWR, 0600) : -1;
	bool good = fd >= 0 && move(true, fd, buf, chunk, MEASURE_BYTES);
	int e = errno;
	w = now_us() - at;
	at = now_us();
	if (good) {
		good = smbc_lseek(fd, 0, SEEK_SET) == 0 && move(false, fd, buf, chunk, MEASURE_BYTES);
		e = errno;
	}
	r = now_us() - at;
	if (fd >= 0)
		smbc_close(fd);
	free(buf);
	if (!good) {
		step_failed("may the user write? See allow and read_only (holdfast share show), and the folder's owner and mode", "%s", strerror(e));
		(void)smbc_unlink(one);
		return;
	}
	step_ok("%u KiB, the same", MEASURE_BYTES >> 10);
	step_begin("lock");
	step_skipped("libsmbclient has no locks");
	step_begin("rename");
	if (smbc_rename(one, two)) {
		step_failed(NULL, "%s", strerror(errno));
		(void)smbc_unlink(one);
	} else {
		step_ok("done");
	}
	step_begin("delete");
	if (smbc_unlink(two))
		step_failed(NULL, "%s", strerror(errno));
	else if (smbc_stat(two, &st) == 0)
		step_failed(NULL, "it is still there");
	else
		step_ok("done");
	step_begin("measure");
	step_ok("%llu MB/s written, %llu MB/s read", (unsigned long long)(MEASURE_BYTES / (w ? w : 1)), (unsigned long long)(MEASURE_BYTES / (r ? r : 1)));
}

void smb_test_run(const json_t *job, const struct remote_url *u)
{
	if (!test_resolve(u->host))
		return;
	start(job, u);
	step_begin("log in");
	int d = smbc_opendir(base);
	if (d < 0) {
		int e = errno;
		step_failed(e == ECONNREFUSED || e == ETIMEDOUT || e == EHOSTUNREACH ? "see whether the portal listens: holdfast portal list; and whether a firewall is in between" :
			    e == ENOENT || e == ENODEV ? "is the share enabled, and served over SMB? holdfast share show" :
			    "try as a user who has a password; see allow and deny of the share and whether the user is enabled: holdfast share show, holdfast user show",
			    "%s as %s: %s", base, user ? user : "a guest", strerror(e));
		return;
	}
	step_ok("%s as %s", base, user ? user : "a guest");
	step_begin("list");
	unsigned n = 0;
	struct smbc_dirent *entry;
	while ((entry = smbc_readdir((unsigned)d)) != NULL)
		n++;
	smbc_closedir(d);
	step_ok("%u entries", n > 2 ? n - 2 : 0);
	test_write(job);
}

/* ---- a tree -------------------------------------------------------------------------------------------------------------- */
static int open_dir(void *arg, const char *path, void **ret_dir)
{
	char url[URL_BYTES];
	(void)arg;
	int d = smbc_opendir(full(path, url));
	if (d < 0)
		return -errno;
	*ret_dir = (void *)(intptr_t)(d + 1);
	return 0;
}

static int handle_of(void *p)
{
	return (int)(intptr_t)p - 1;
}

#define FILE_ATTRIBUTE_READONLY 1
#define FILE_ATTRIBUTE_DIRECTORY 16
static int read_dir(void *arg, void *dir, char *name, size_t name_bytes, struct stat *st)
{
	const struct libsmb_file_info *e;
	(void)arg;
	do {
		errno = 0;
		e = smbc_readdirplus((unsigned)handle_of(dir));
		if (!e)
			return 0;
	} while (e->name && (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0));
	snprintf(name, name_bytes, "%s", e->name && strlen(e->name) < name_bytes ? e->name : "");
	memset(st, 0, sizeof(*st));
	bool is_dir = e->attrs & FILE_ATTRIBUTE_DIRECTORY, read_only = e->attrs & FILE_ATTRIBUTE_READONLY;
	st->st_mode = is_dir ? S_IFDIR | 0755 : S_IFREG | (read_only ? 0444 : 0644);
	st->st_size = e->size > INT64_MAX ? INT64_MAX : (off_t)e->size;
	st->st_mtim = e->mtime_ts;
	st->st_atim = e->atime_ts;
	return 1;
}

static void close_dir(void *arg, void *dir)
{
	(void)arg;
	smbc_closedir(handle_of(dir));
}

static int open_file(void *arg, const char *path, void **ret_file)
{
	char url[URL_BYTES];
	(void)arg;
	int f = smbc_open(full(path, url), O_RDONLY, 0);
	if (f < 0)
		return -errno;
	*ret_file = (void *)(intptr_t)(f + 1);
	return 0;
}

static long read_file(void *arg, void *file, uint64_t offset, void *buf, size_t bytes)
{
	static int at_file = -1;
	static uint64_t at;
	(void)arg;
	if (at_file != handle_of(file) || at != offset)
		if (smbc_lseek(handle_of(file), (off_t)offset, SEEK_SET) < 0)
			return -errno;
	ssize_t n = smbc_read(handle_of(file), buf, bytes);
	if (n < 0)
		return -errno;
	at_file = handle_of(file);
	at = offset + (uint64_t)n;
	return n;
}

static void close_file(void *arg, void *file)
{
	(void)arg;
	smbc_close(handle_of(file));
}

/* "DOM\alice:0/0/0x001f01ff" of libsmbclient's text: type (0 allows, 1 denies), flags, mask. */
static void ace(const char *text, size_t len, struct tree_acl *a)
{
	char one[300];
	unsigned type = 0, flags = 0, mask = 0;
	snprintf(one, sizeof(one), "%.*s", (int)(len < sizeof(one) - 1 ? len : sizeof(one) - 1), text);
	*a = (struct tree_acl){ .type = UINT8_MAX };
	char *colon = strrchr(one, ':');
	if (!colon || sscanf(colon + 1, "%u/%u/0x%x", &type, &flags, &mask) != 3)
		return;
	*colon = '\0';
	const char *plain = strrchr(one, '\\') ? strrchr(one, '\\') + 1 : one;
	snprintf(a->who, sizeof(a->who), "%s", strcasecmp(plain, "Everyone") == 0 ? "" : one);
	a->type = (uint8_t)type;
	a->flags = (uint8_t)flags;
	a->mask = mask;
	a->deny = type == 1;
	/* MS-DTYP 2.4.4.1: OBJECT_INHERIT, CONTAINER_INHERIT; INHERIT_ONLY: only for what is made below. */
	a->here = !(flags & 8);
	a->below = flags & 3;
	/* MS-DTYP 2.4.3: FILE_READ_DATA, FILE_WRITE_DATA, FILE_EXECUTE; GENERIC_* and all. */
	a->rights = (mask & (0x1 | 0x80000000u | 0x10000000u) ? 4 : 0) | (mask & (0x2 | 0x40000000u | 0x10000000u) ? 2 : 0) | (mask & (0x20 | 0x20000000u | 0x10000000u) ? 1 : 0);
}

static char acl_text[65536];
static int acl_ask(const char *path, const char *attribute)
{
	char url[URL_BYTES];
	/* It returns 0 for a text that is there, too, and ends that with a NUL. */
	memset(acl_text, 0, sizeof(acl_text));
	return smbc_getxattr(full(path, url), attribute, acl_text, sizeof(acl_text) - 1) < 0 ? -errno : 0;
}

static int acl_read(void *arg, const char *path, bool with_sids, struct tree_acls *ret)
{
	size_t n = 0;
	(void)arg;
	*ret = (struct tree_acls){ 0 };
	int r = acl_ask(path, "system.nt_sec_desc.*+");
	for (const char *p = acl_text; !r && *p;) {
		size_t len = strcspn(p, ",\n\t");
		if (strncmp(p, "OWNER:", 6) == 0)
			snprintf(ret->owner, sizeof(ret->owner), "%.*s", (int)(len - 6 < 127 ? len - 6 : 127), p + 6);
		else if (strncmp(p, "GROUP:", 6) == 0)
			snprintf(ret->group, sizeof(ret->group), "%.*s", (int)(len - 6 < 127 ? len - 6 : 127), p + 6);
		else if (strncmp(p, "ACL:", 4) == 0 && ret->count < TREE_ACLS_MAX)
			ace(p + 4, len - 4, &ret->entry[ret->count++]);
		p += len + (p[len] != '\0');
	}
	if (r || !with_sids)
		return r;
	/* The same list once more, with numbers for names. */
	r = acl_ask(path, "system.nt_sec_desc.*");
	for (const char *p = acl_text; !r && *p;) {
		size_t len = strcspn(p, ",\n\t"), sid = strncmp(p, "ACL:", 4) == 0 ? strcspn(p + 4, ":,") : 0;
		if (sid && n < ret->count)
			snprintf(ret->entry[n++].sid, sizeof(ret->entry[0].sid), "%.*s", (int)(sid < 127 ? sid : 127), p + 4);
		p += len + (p[len] != '\0');
	}
	return r;
}

void smb_tree_run(const json_t *job, const struct remote_url *u)
{
	start(job, u);
	const struct tree_source s = { .open_dir = open_dir, .read_dir = read_dir, .close_dir = close_dir, .open = open_file, .read = read_file, .close = close_file, .acl = acl_read };
	relay_serve(&s);
}
