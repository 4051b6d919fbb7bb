/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_client.c - holdfast-remote as an NFS client, through libnfs: the self-test of a share, and reading a tree. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <nfsc/libnfs.h>

#include "core/hex.h"
#include "remote/worker_priv.h"

#define MEASURE_BYTES (8u << 20)

/* As root when we may: files of all owners are to be read; or as who the job names. */
static struct nfs_context *mount_it(const json_t *job, const struct remote_url *u, char *why, size_t why_bytes)
{
	struct nfs_context *nfs = nfs_init_context();
	char url[12800], path[12300], ports[64] = "";
	if (!nfs) {
		snprintf(why, why_bytes, "out of memory");
		return NULL;
	}
	percent_encode(u->path, "/", path, sizeof(path));
	if (u->port)
		snprintf(ports, sizeof(ports), "&nfsport=%u", u->port);
	if (u->mount_port)
		snprintf(ports + strlen(ports), sizeof(ports) - strlen(ports), "&mountport=%u", u->mount_port);
	snprintf(url, sizeof(url), strchr(u->host, ':') ? "nfs://[%s]/%s?version=%u&auto-traverse-mounts=1%s" : "nfs://%s/%s?version=%u&auto-traverse-mounts=1%s", u->host, path,
		 u->version == 4 ? 4 : 3, ports);
	struct nfs_url *parsed = nfs_parse_url_dir(nfs, url);
	if (!parsed) {
		snprintf(why, why_bytes, "%s", nfs_get_error(nfs));
		nfs_destroy_context(nfs);
		return NULL;
	}
	if (json_is_integer(json_object_get(job, "uid"))) {
		nfs_set_uid(nfs, (int)json_integer_value(json_object_get(job, "uid")));
		nfs_set_gid(nfs, (int)json_integer_value(json_object_get(job, "gid")));
	} else if (strcmp(job_text(job, "do"), "copy") == 0) {
		nfs_set_uid(nfs, 0);     /* whoever this process is: the files of all owners are to be read */
		nfs_set_gid(nfs, 0);
	}
	nfs_set_timeout(nfs, 30000);
	nfs_set_autoreconnect(nfs, 3);
	/* Our own reading of the path: libnfs leaves percent signs as they are. */
	char plain[4100];
	snprintf(plain, sizeof(plain), "/%s", u->path);
	int r = nfs_mount(nfs, u->host, plain);
	nfs_destroy_url(parsed);
	if (r) {
		snprintf(why, why_bytes, "%s", nfs_get_error(nfs) && *nfs_get_error(nfs) ? nfs_get_error(nfs) : strerror(-r));
		nfs_destroy_context(nfs);
		return NULL;
	}
	return nfs;
}

/* ---- the self-test ------------------------------------------------------------------------------------------------------ */
static bool test_file(struct nfs_context *nfs, const char *name, uint8_t *buf, size_t chunk, size_t total, uint64_t *ret_write_us, uint64_t *ret_read_us)
{
	struct nfsfh *f;
	uint64_t at = now_us();
	/* nfs_creat() of libnfs 4.0 says over version 4 that it failed when it has not. */
	if (nfs_open2(nfs, name, O_CREAT | O_RDWR, 0600, &f))
		return false;
	bool good = true;
	for (size_t done = 0; good && done < total; done += chunk) {
		memset(buf, (int)('a' + done / chunk % 26), chunk);
		good = nfs_pwrite(nfs, f, done, chunk, buf) == (int)chunk;
	}
	good = good && nfs_fsync(nfs, f) == 0;
	good = nfs_close(nfs, f) == 0 && good;
	*ret_write_us = now_us() - at;
	at = now_us();
	if (!good || nfs_open(nfs, name, O_RDONLY, &f))
		return false;
	for (size_t done = 0; good && done < total; done += chunk) {
		good = nfs_pread(nfs, f, done, chunk, buf) == (int)chunk;
		for (size_t i = 0; good && i < chunk; i++)
			good = buf[i] == 'a' + done / chunk % 26;
	}
	nfs_close(nfs, f);
	*ret_read_us = now_us() - at;
	return good;
}

static void test_lock(struct nfs_context *nfs, const char *name, unsigned version)
{
	struct nfsfh *f;
	step_begin("lock");
	if (version != 4) {
		step_skipped("libnfs has locks only over version 4");
		return;
	}
	if (nfs_open(nfs, name, O_RDWR, &f)) {
		step_failed(NULL, "%s", nfs_get_error(nfs));
		return;
	}
	if (nfs_lockf(nfs, f, NFS4_F_TLOCK, 1) || nfs_lockf(nfs, f, NFS4_F_ULOCK, 1))
		step_failed("a server that has just started gives locks only after its grace period: try again in a minute", "%s", nfs_get_error(nfs));
	else
		step_ok("taken and given back");
	nfs_close(nfs, f);
}

static void test_write(struct nfs_context *nfs, unsigned version, const json_t *job)
{
	char name[64], other[72];
	/* libnfs 4.0 cannot write 4 KiB or more at once over version 4. */
	size_t chunk = version == 4 ? 2048 : 65536, total = version == 4 ? 64u << 10 : MEASURE_BYTES;
	uint64_t w = 0, r = 0;
	uint8_t *buf = malloc(chunk);
	snprintf(name, sizeof(name), "/.holdfast-test-%llx", (unsigned long long)now_us());
	snprintf(other, sizeof(other), "%s-2", name);
	step_begin("write and read back");
	if (!job_true(job, "write")) {
		step_skipped("%s", job_text(job, "why_no_write") ? job_text(job, "why_no_write") : "the share is read-only");
		free(buf);
		return;
	}
	if (!buf || !test_file(nfs, name, buf, chunk, total, &w, &r)) {
		step_failed("may this machine's address write, and who asks? See nfs_clients, nfs_squash and the folder's owner and mode: holdfast share show", "%s", nfs_get_error(nfs));
		(void)nfs_unlink(nfs, name);
		free(buf);
		return;
	}
	step_ok("%zu KiB, the same", total >> 10);
	test_lock(nfs, name, version);
	step_begin("rename");
	if (nfs_rename(nfs, name, other)) {
		step_failed(NULL, "%s", nfs_get_error(nfs));
		(void)nfs_unlink(nfs, name);
	} else {
		step_ok("done");
	}
	step_begin("delete");
	struct nfs_stat_64 st;
	if (nfs_unlink(nfs, other))
		step_failed(NULL, "%s", nfs_get_error(nfs));
	else if (nfs_lstat64(nfs, other, &st) == 0)
		step_failed(NULL, "it is still there");
	else
		step_ok("done");
	step_begin("measure");
	if (version == 4)
		step_skipped("libnfs writes too little at once over version 4 for a figure");
	else
		step_ok("%llu MB/s written and on the disk, %llu MB/s read", (unsigned long long)(total / (w ? w : 1)), (unsigned long long)(total / (r ? r : 1)));
	free(buf);
}

void nfs_test_run(const json_t *job, const struct remote_url *u)
{
	char why[512] = "";
	if (!test_resolve(u->host))
		return;
	step_begin("mount");
	struct nfs_context *nfs = mount_it(job, u, why, sizeof(why));
	if (!nfs) {
		step_failed("is this machine's address among nfs_clients, and does the portal listen? holdfast share show, holdfast portal list", "%s", why);
		return;
	}
	step_ok("/%s over NFS %u", u->path, u->version == 4 ? 4 : 3);
	step_begin("list");
	struct nfsdir *dir;
	unsigned n = 0;
	if (nfs_opendir(nfs, "/", &dir)) {
		step_failed("see the folder's owner and mode, and try as one of its users", "%s", nfs_get_error(nfs));
	} else {
		while (nfs_readdir(nfs, dir))
			n++;
		nfs_closedir(nfs, dir);
		step_ok("%u entries", n);
	}
	test_write(nfs, u->version, job);
}

/* ---- a tree ---------------------------------------------------------------------------------------------------------------- */
static const char *full(const char *path, char out[8192])
{
	snprintf(out, 8192, "/%s", path);
	return out;
}

static int open_dir(void *arg, const char *path, void **ret_dir)
{
	char p[8192];
	struct nfsdir *d;
	int r = nfs_opendir(arg, full(path, p), &d);
	if (!r)
		*ret_dir = d;
	return r;
}

static int read_dir(void *arg, void *dir, char *name, size_t name_bytes, struct stat *st)
{
	struct nfsdirent *e;
	do {
		e = nfs_readdir(arg, dir);
		if (!e)
			return 0;
	} while (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0);
	/* A name that does not fit is none for us: an empty one is left out and told. */
	snprintf(name, name_bytes, "%s", strlen(e->name) < name_bytes ? e->name : "");
	memset(st, 0, sizeof(*st));
	static const mode_t types[] = { 0, S_IFREG, S_IFDIR, S_IFBLK, S_IFCHR, S_IFLNK, S_IFSOCK, S_IFIFO };
	st->st_mode = (e->mode & 07777) | ((e->mode & S_IFMT) ? (e->mode & S_IFMT) : e->type < ARRAY_COUNT(types) ? types[e->type] : 0);
	st->st_size = e->size > INT64_MAX ? INT64_MAX : (off_t)e->size;
	st->st_uid = e->uid;
	st->st_gid = e->gid;
	st->st_dev = e->dev;
	st->st_ino = e->inode;
	st->st_nlink = e->nlink;
	st->st_mtim = (struct timespec){ e->mtime.tv_sec, e->mtime_nsec < 1000000000 ? (long)e->mtime_nsec : 0 };
	st->st_atim = (struct timespec){ e->atime.tv_sec, e->atime_nsec < 1000000000 ? (long)e->atime_nsec : 0 };
	return 1;
}

static void close_dir(void *arg, void *dir)
{
	nfs_closedir(arg, dir);
}

static int open_file(void *arg, const char *path, void **ret_file)
{
	char p[8192];
	struct nfsfh *f;
	int r = nfs_open(arg, full(path, p), O_RDONLY | O_NOFOLLOW, &f);
	if (!r)
		*ret_file = f;
	return r;
}

static long read_file(void *arg, void *file, uint64_t offset, void *buf, size_t bytes)
{
	return nfs_pread(arg, file, offset, bytes, buf);
}

static void close_file(void *arg, void *file)
{
	nfs_close(arg, file);
}

static int read_link(void *arg, const char *path, char *buf, size_t bytes)
{
	char p[8192];
	buf[bytes - 1] = '\0';
	return nfs_readlink(arg, full(path, p), buf, (int)bytes - 1);
}

void nfs_tree_run(const json_t *job, const struct remote_url *u)
{
	char why[512] = "";
	struct nfs_context *nfs = mount_it(job, u, why, sizeof(why));
	if (!nfs)
		out_end(false, "nfs://%s/%s cannot be mounted: %s", u->host, u->path, why);
	const struct tree_source s = { .arg = nfs, .has_owners = true, .has_inodes = true, .open_dir = open_dir, .read_dir = read_dir, .close_dir = close_dir, .open = open_file, .read = read_file,
				       .close = close_file, .read_link = read_link };
	relay_serve(&s);
}
