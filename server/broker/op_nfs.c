/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_nfs.c - what the daemon may ask of the keeper about NFS: what this machine can, serve this, who is there. */
#include "broker/nfs_priv.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define SPEC "nfs/etc/description"
#define SPEC_MAX (8u << 20)
#define BTRFS_MAGIC 0x9123683E

int nfs_spec_load(struct nfs_spec *ret, char *why, size_t why_bytes)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd = open(keeper_path(path, SPEC), O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *text = fd < 0 ? NULL : keeper_read_fd(fd, SPEC_MAX, NULL);
	if (!text) {
		snprintf(why, why_bytes, "nothing is served over NFS");
		return -ENOENT;
	}
	return nfs_spec_parse(text, ret, why, why_bytes);
}

static int answer(struct keeper_request *rq, const char *text, size_t len)
{
	int fd = keeper_memfd("nfs", text, len);
	if (fd < 0)
		return keeper_refuse(rq, fd, "out of memory");
	rq->answer_fd = fd;
	return 0;
}

/* A folder that shares may live in; and whether one number stands for all its files. */
static void check_folder(struct nfs_export *x)
{
	struct statfs fs;
	_cleanup_(closep) int fd = keeper_open_folder(x->path, x->failed, sizeof(x->failed));
	if (fd < 0) {
		if (!x->failed[0])
			snprintf(x->failed, sizeof(x->failed), "its folder cannot be used: %s", strerror(-fd));
		return;
	}
	/* Subvolumes of btrfs count their files each from the beginning: told by one number, they would look like links. */
	x->own_fsid = fstatfs(fd, &fs) == 0 && fs.f_type != BTRFS_MAGIC;
}

static enum nfs_provider choose(const struct nfs_spec *s, char *why, size_t why_bytes)
{
	char other[192] = "";
	if (s->provider != NFS_KERNEL && nfs_ganesha_can(why, why_bytes))
		return NFS_GANESHA;
	if (s->provider != NFS_GANESHA && nfs_kernel_can(other, sizeof(other)))
		return NFS_KERNEL;
	if (s->provider == NFS_KERNEL)
		snprintf(why, why_bytes, "%s", other);
	return NFS_AUTO;
}

/* nfs-apply DESCRIPTION: makes it so.  Answers "provider NAME" and "failed ID WHY" for each export that is not served. */
static int run_apply(struct keeper_request *rq)
{
	struct nfs_spec s;
	bool changed;
	size_t len;
	_cleanup_(freep) char *text = keeper_read_fd(rq->fd, SPEC_MAX, &len);
	if (!text)
		return keeper_refuse(rq, -E2BIG, "the description is too long");
	_cleanup_(freep) char *copy = strdup(text);
	int r = copy ? nfs_spec_parse(copy, &s, rq->text, sizeof(rq->text)) : -ENOMEM;
	if (r < 0)
		return r;
	enum nfs_provider p = s.address[0] ? choose(&s, rq->text, sizeof(rq->text)) : NFS_AUTO;
	r = s.address[0] && p == NFS_AUTO ? -EOPNOTSUPP : keeper_mkdir("nfs/etc", 0700);
	r = r < 0 ? r : keeper_write(SPEC, text, len, 0600, &changed);
	if (r == 0 && p != NFS_GANESHA)
		nfs_ganesha_stop();
	if (r == 0 && p != NFS_KERNEL)
		nfs_kernel_stop();
	/* Both providers use the same ones; a server that runs has registered with them. */
	if (r == 0 && p == NFS_AUTO)
		nfs_helpers_stop();
	for (size_t i = 0; r == 0 && i < s.export_count; i++)
		check_folder(&s.exports[i]);
	if (r == 0 && p != NFS_AUTO)
		r = p == NFS_GANESHA ? nfs_ganesha_apply(&s, rq->text, sizeof(rq->text)) : nfs_kernel_apply(&s, rq->text, sizeof(rq->text));
	_cleanup_(freep) char *out = NULL;
	size_t out_len = 0;
	FILE *f = r < 0 ? NULL : open_memstream(&out, &out_len);
	if (f) {
		fprintf(f, "provider %s\n", p == NFS_GANESHA ? "ganesha" : p == NFS_KERNEL ? "kernel" : "none");
		for (size_t i = 0; i < s.export_count; i++)
			if (s.exports[i].failed[0])
				fprintf(f, "failed %u %s\n", s.exports[i].id, s.exports[i].failed);
		r = fclose(f) == 0 ? answer(rq, out, out_len) : -ENOMEM;
	}
	nfs_spec_done(&s);
	return r;
}

static void ganesha_version(char *buf, size_t buf_bytes)
{
	char out[512] = "";
	const char *const argv[] = { "ganesha.nfsd", "-v", NULL };
	snprintf(buf, buf_bytes, "unknown");
	if (keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .out = out, .out_bytes = sizeof(out), .timeout_s = 10 }) < 0)
		return;
	const char *at = strstr(out, "= V");
	if (at)
		snprintf(buf, buf_bytes, "%.*s", (int)strspn(at + 3, "0123456789."), at + 3);
}

/* nfs-probe: lines "ganesha VERSION", "kernel RELEASE", "no-ganesha WHY", "no-kernel WHY", "v3", "no-v3 WHY", "krb5", "no-krb5 WHY". */
static int run_probe(struct keeper_request *rq)
{
	char why[256], path[PATH_MAX], version[32];
	_cleanup_(freep) char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	if (!f)
		return keeper_refuse(rq, -ENOMEM, "out of memory");
	if (nfs_ganesha_can(why, sizeof(why))) {
		ganesha_version(version, sizeof(version));
		fprintf(f, "ganesha %s\n", version);
	} else {
		fprintf(f, "no-ganesha %s\n", why);
	}
	if (nfs_kernel_can(why, sizeof(why)))
		fputs("kernel yes\n", f);
	else
		fprintf(f, "no-kernel %s\n", why);
	fputs(nfs_rpcbind_runs() || keeper_program("rpcbind", path) ? "v3 yes\n" : "no-v3 NFS version 3 needs rpcbind (package rpcbind)\n", f);
	struct nfs_krb5 krb5;
	nfs_krb5_look(&krb5);
	fprintf(f, krb5.source == NFS_KEYTAB_NONE ? "no-krb5 %s\n" : "krb5 %s\n", krb5.source == NFS_KEYTAB_NONE ? krb5.why : krb5.realm);
	return fclose(f) == 0 ? answer(rq, out, len) : keeper_refuse(rq, -ENOMEM, "out of memory");
}

/* nfs-clients: lines "conn ADDRESS PORT RECEIVED SENT" and "client NUMBER ADDRESS VERSION NAME". */
static int run_clients(struct keeper_request *rq)
{
	struct nfs_spec s;
	int r = nfs_spec_load(&s, rq->text, sizeof(rq->text));
	unsigned port = r == 0 && s.address[0] ? s.port : 0;
	if (r == 0)
		nfs_spec_done(&s);
	_cleanup_(freep) char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	if (!f)
		return keeper_refuse(rq, -ENOMEM, "out of memory");
	/* A kernel without tcp_diag lists no connections; its NFS server still knows its clients of version 4. */
	r = port ? keeper_connections(f, port) : 0;
	if (r < 0)
		log_debug(&log_keeper, "cannot list connections, continuing without", "errno=%d", -r);
	if (port)
		nfs_kernel_clients(f);
	return fclose(f) != 0 ? keeper_refuse(rq, -ENOMEM, "out of memory") : answer(rq, out, len);
}

/* nfs-io: lines of nfs_ganesha_io() or nfs_kernel_io(). */
static int run_io(struct keeper_request *rq)
{
	struct nfs_spec s;
	int r = nfs_spec_load(&s, rq->text, sizeof(rq->text));
	if (r < 0)
		return r;
	_cleanup_(freep) char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);
	if (f && keeper_child_pid(&keeper_kind_ganesha))
		nfs_ganesha_io(f);
	else if (f)
		nfs_kernel_io(f, &s);
	nfs_spec_done(&s);
	return !f || fclose(f) != 0 ? keeper_refuse(rq, -ENOMEM, "out of memory") : answer(rq, out, len);
}

/* nfs-expire NUMBER: the kernel forgets a version 4 client and all that it holds. */
static int run_expire(struct keeper_request *rq)
{
	int r = nfs_kernel_expire((unsigned)keeper_number(rq->args[0]));
	return r < 0 ? keeper_refuse(rq, r, "the kernel has no such client of NFS version 4") : 0;
}

const struct keeper_op keeper_ops_nfs[] = {
	{ .name = "nfs-probe", .args = "", .run = run_probe },
	{ .name = "nfs-apply", .args = "f", .changes = true, .run = run_apply },
	{ .name = "nfs-clients", .args = "", .run = run_clients },
	{ .name = "nfs-io", .args = "", .run = run_io },
	{ .name = "nfs-expire", .args = "u", .changes = true, .run = run_expire },
	{ .name = NULL },
};
