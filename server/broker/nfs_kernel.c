/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_kernel.c - the NFS server of the Linux kernel: a table of exports of our own for rpc.mountd, threads by rpc.nfsd.
 *
 * /etc/exports and /var/lib/nfs stay as they are.  Each share is bound to nfs/root/NAME, and nfs/root is the root of all versions
 * (nfs.conf(5), rootdir: rpc.mountd sees a file of ours there), so clients mount /NAME as they do with NFS-Ganesha.  The kernel keeps the threads and what its clients
 * hold, whatever happens to the keeper. exports(5), rpc.mountd(8), nfsd(7). */
#include "broker/nfs_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#define ETAB "nfs/mountd/etab"
#define OURS "nfs/run/kernel"            /* there while the kernel's threads are ours */
#define MOUNTD_CONF "nfs/mountd/nfs.conf"
#define PROC "/proc/fs/nfsd/"

/* ---- the table ---------------------------------------------------------------------------------------------- */
/* As exports(5) reads it: whatever might be misread as its octal number. */
static void escaped(FILE *f, const char *s)
{
	for (; *s; s++)
		if ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("/._-+:@", *s))
			fputc(*s, f);
		else
			fprintf(f, "\\%03o", (unsigned char)*s);
}

void nfs_kernel_exports(FILE *f, const struct nfs_spec *s)
{
	static const char *const flavours[] = { "sys", "krb5", "krb5i", "krb5p" };
	fputs("/\t*(ro,sync,no_subtree_check,insecure,fsid=0)\n", f);
	for (size_t i = 0; i < s->export_count; i++) {
		const struct nfs_export *x = &s->exports[i];
		for (size_t k = 0; k < x->client_count && !x->failed[0]; k++) {
			const struct nfs_client *c = &x->clients[k];
			fputc('/', f);
			escaped(f, x->name);
			fprintf(f, "\t%s(%s,%s,no_subtree_check,insecure,fsid=%u,anonuid=%u,anongid=%u,sec=", c->who,
				c->access == NFS_WRITE ? "rw" : "ro", x->sync ? "sync" : "async", x->id, x->anon_uid, x->anon_gid);
			for (unsigned b = 0, n = 0; b < ARRAY_COUNT(flavours); b++)
				if (x->security & (1u << b))
					fprintf(f, "%s%s", n++ ? ":" : "", flavours[b]);
			enum nfs_squash squash = c->root ? NFS_SQUASH_NONE : x->squash;
			fprintf(f, ",%s,%s)\n", squash == NFS_SQUASH_NONE ? "no_root_squash" : "root_squash",
				squash == NFS_SQUASH_ALL ? "all_squash" : "no_all_squash");
		}
	}
}

static int put(const char *path, const char *text)
{
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return TEMP_FAILURE_RETRY(write(fd, text, strlen(text))) < 0 ? -errno : 0;
}

/* The kernel asks rpc.mountd again about everything; also what an rpc.mountd before told of a view of mounts that went with it. */
static void forget_answers(void)
{
	static const char *const caches[] = { "auth.unix.ip", "auth.unix.gid", "nfsd.fh", "nfsd.export" };
	char now[32], path[64];
	/* One second ahead, as what was learnt in this second is otherwise kept. */
	snprintf(now, sizeof(now), "%lld\n", (long long)time(NULL) + 1);
	for (size_t i = 0; i < ARRAY_COUNT(caches); i++) {
		snprintf(path, sizeof(path), "/proc/net/rpc/%s/flush", caches[i]);
		if (put(path, now) < 0)
			log_warn(&log_keeper, "the kernel's NFS server may take a while to learn of a change", "cache=%s", caches[i]);
	}
}

/* ---- children ----------------------------------------------------------------------------------------------- */
static int fill(const char **argv, size_t argv_count, const char *const *args, size_t count, char *buf, size_t buf_bytes)
{
	if (argv_count < count + 1)
		return -E2BIG;
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(args[i]) + 1;
		if (len > buf_bytes - used)
			return -E2BIG;
		argv[i] = memcpy(buf + used, args[i], len);
		used += len;
	}
	argv[count] = NULL;
	return 0;
}

static int mountd_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	struct nfs_spec s;
	int r = nfs_spec_load(&s, why, why_bytes);
	if (r < 0)
		return r;
	char path[PATH_MAX], port[16], conf[PATH_MAX + 32];
	bool changed;
	snprintf(port, sizeof(port), "%u", s.mountd_port);
	int len = snprintf(conf, sizeof(conf), "[exports]\nrootdir=%s\n", keeper_path(path, "nfs/root"));
	r = keeper_write(MOUNTD_CONF, conf, (size_t)len, 0600, &changed);
	if (r < 0) {
		nfs_spec_done(&s);
		return r;
	}
	const char *const args[] = { "-F", "-s", keeper_path(path, "nfs/mountd"), "-p", port };
	r = fill(argv, argv_count, args, s.mountd_port ? 5 : 3, buf, buf_bytes);
	nfs_spec_done(&s);
	return r;
}
static const char *const mountd_programs[] = { "rpc.mountd", NULL };
const struct keeper_kind keeper_kind_mountd = { .name = "rpc.mountd", .programs = mountd_programs, .argv = mountd_argv,
						.instead = MOUNTD_CONF, .instead_of = "/etc/nfs.conf", .prepare = forget_answers };

static int nfsdcld_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	char pipe[PATH_MAX], kept[PATH_MAX];
	(void)why, (void)why_bytes;
	const char *const args[] = { "-F", "-p", keeper_path(pipe, "nfs/pipefs"), "-s", keeper_path(kept, "nfs/kernel") };
	return fill(argv, argv_count, args, ARRAY_COUNT(args), buf, buf_bytes);
}
static const char *const nfsdcld_programs[] = { "nfsdcld", NULL };
const struct keeper_kind keeper_kind_nfsdcld = { .name = "nfsdcld", .programs = nfsdcld_programs, .argv = nfsdcld_argv };

/* ---- the kernel --------------------------------------------------------------------------------------------- */
static int run(const char *const *argv)
{
	char out[512] = "";
	int r = keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .out = out, .out_bytes = sizeof(out), .timeout_s = 30 });
	if (r != 0)
		log_warn(&log_keeper, "a program of NFS fails", "program=%s result=%d output=\"%s\"", argv[0], r, out);
	return r < 0 ? r : r > 0 ? -EIO : 0;
}

static unsigned threads(void)
{
	char text[32] = "";
	_cleanup_(closep) int fd = open(PROC "threads", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || TEMP_FAILURE_RETRY(read(fd, text, sizeof(text) - 1)) <= 0)
		return 0;
	return (unsigned)strtoul(text, NULL, 10);
}

/* Which start of the machine this is: the threads of the one before are not these. */
static bool boot_id(char *buf, size_t bytes)
{
	_cleanup_(closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, buf, bytes - 1));
	buf[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool are_ours(void)
{
	char path[PATH_MAX], now[64], then[64] = "";
	_cleanup_(closep) int fd = open(keeper_path(path, OURS), O_RDONLY | O_CLOEXEC);
	if (fd < 0 || TEMP_FAILURE_RETRY(read(fd, then, sizeof(then) - 1)) < 0)
		return false;
	return boot_id(now, sizeof(now)) && strcmp(now, then) == 0;
}

static bool kernel_knows_nfsd(void)
{
	char line[128];
	bool found = false;
	FILE *f = fopen("/proc/filesystems", "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, "\tnfsd\n") != NULL;
	if (f)
		fclose(f);
	return found;
}

bool nfs_kernel_can(char *why, size_t why_bytes)
{
	static const char *const programs[] = { "rpc.nfsd", "rpc.mountd" };
	char path[PATH_MAX];
	for (size_t i = 0; i < ARRAY_COUNT(programs); i++)
		if (!keeper_program(programs[i], path)) {
			snprintf(why, why_bytes, "%s is not installed (package nfs-kernel-server or nfs-utils)", programs[i]);
			return false;
		}
	if (!kernel_knows_nfsd()) {
		const char *const argv[] = { "modprobe", "-q", "nfsd", NULL };
		if (!keeper_program("modprobe", path) || keeper_spawn(&(struct keeper_run_opts){ .argv = argv, .timeout_s = 30 }) != 0 ||
		    !kernel_knows_nfsd()) {
			snprintf(why, why_bytes, "this kernel has no NFS server (module nfsd)");
			return false;
		}
	}
	if (threads() > 0 && !are_ours()) {
		snprintf(why, why_bytes, "the kernel's NFS server already serves the exports of this machine (/etc/exports); "
			 "stop it, or let NFS-Ganesha serve on another address");
		return false;
	}
	return true;
}

/* ---- folders ------------------------------------------------------------------------------------------------ */
static bool is_mounted(const char *path)
{
	struct statx sx;
	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &sx) == 0 && (sx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
	       (sx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static int bind_share(struct nfs_export *x)
{
	char path[PATH_MAX], from[64];
	struct stat want, have;
	_cleanup_(closep) int fd = keeper_open_folder(x->path, x->failed, sizeof(x->failed));
	if (fd < 0)
		return fd;
	char below[128];
	snprintf(below, sizeof(below), "nfs/root/%s", x->name);
	int r = keeper_mkdir(below, 0700);
	if (r < 0 || fstat(fd, &want) < 0 || stat(keeper_path(path, "%s", below), &have) < 0)
		return r < 0 ? r : -errno;
	if (want.st_dev == have.st_dev && want.st_ino == have.st_ino)
		return 0;
	if (is_mounted(path) && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return -errno;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return mount(from, path, NULL, MS_BIND, NULL) < 0 ? -errno : 0;
}

/* The root is a mount of its own, so that rpc.mountd, whose view of mounts is its own, sees what is bound there later. */
static int share_root(void)
{
	char path[PATH_MAX];
	if (is_mounted(keeper_path(path, "nfs/root")))
		return 0;
	if (mount(path, path, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return mount(NULL, path, NULL, MS_SHARED, NULL) < 0 ? -errno : 0;
}

/* What is bound and no longer served. */
static void unbind_others(const struct nfs_spec *s)
{
	char path[PATH_MAX];
	DIR *d = opendir(keeper_path(path, "nfs/root"));
	for (struct dirent *e; d && (e = readdir(d));) {
		bool served = e->d_name[0] == '.' && (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2]));
		for (size_t i = 0; s && i < s->export_count && !served; i++)
			served = !s->exports[i].failed[0] && strcmp(s->exports[i].name, e->d_name) == 0;
		if (served)
			continue;
		keeper_path(path, "nfs/root/%s", e->d_name);
		if (is_mounted(path) && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			log_warn(&log_keeper, "cannot unbind the folder of a share", "path=\"%s\" errno=%d", path, errno);
		if (rmdir(path) < 0)
			log_warn(&log_keeper, "cannot remove the place of a share", "path=\"%s\" errno=%d", path, errno);
	}
	if (d)
		closedir(d);
}

/* ---- apply --------------------------------------------------------------------------------------------------- */
static int write_table(const struct nfs_spec *s, bool *ret_changed)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	nfs_kernel_exports(f, s);
	return fclose(f) != 0 ? -ENOMEM : keeper_write(ETAB, text, len, 0600, ret_changed);
}

static int start(const struct nfs_spec *s, char *why, size_t why_bytes)
{
	char path[PATH_MAX], port[16], grace[16], lease[16], count[16];
	bool changed;
	if (access(PROC "threads", F_OK) < 0 && mount("nfsd", "/proc/fs/nfsd", "nfsd", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
		snprintf(why, why_bytes, "cannot mount /proc/fs/nfsd: %s", strerror(errno));
		return -EIO;
	}
	if (!is_mounted(keeper_path(path, "nfs/pipefs")) && mount("rpc_pipefs", path, "rpc_pipefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		log_warn(&log_keeper, "no rpc_pipefs, continuing without a memory of clients", "errno=%d", errno);
	else if (keeper_program("nfsdcld", path) && keeper_child_start(&keeper_kind_nfsdcld, why, why_bytes) < 0)
		log_warn(&log_keeper, "nfsdcld does not start, continuing without a memory of clients", " ");
	int r = keeper_child_start(&keeper_kind_mountd, why, why_bytes);
	if (r < 0)
		return r;
	if (s->lockd_port) {
		snprintf(port, sizeof(port), "%u", s->lockd_port);
		if (put("/proc/sys/fs/nfs/nlm_tcpport", port) < 0 || put("/proc/sys/fs/nfs/nlm_udpport", port) < 0)
			log_warn(&log_keeper, "the port of NFS locks cannot be set, continuing with any", " ");
	}
	snprintf(port, sizeof(port), "%u", s->port);
	snprintf(grace, sizeof(grace), "%u", s->grace_s);
	snprintf(lease, sizeof(lease), "%u", s->lease_s);
	snprintf(count, sizeof(count), "%u", s->threads ? s->threads : 8);
	bool any = strcmp(s->address, "0.0.0.0") == 0 || strcmp(s->address, "::") == 0;
	const char *const argv[] = { "rpc.nfsd", "-U", "-p", port, "-G", grace, "-L", lease, count, any ? NULL : "-H", s->address, NULL };
	char boot[64];
	boot_id(boot, sizeof(boot));
	r = keeper_write(OURS, boot, strlen(boot), 0600, &changed);
	r = r < 0 ? r : run(argv);
	if (r < 0 || threads() == 0) {
		snprintf(why, why_bytes, "the kernel's NFS server does not start; the keeper's log says why");
		return -EIO;
	}
	return 0;
}

int nfs_kernel_apply(struct nfs_spec *s, char *why, size_t why_bytes)
{
	static const char *const folders[] = { "nfs/root", "nfs/mountd", "nfs/pipefs", "nfs/kernel", "nfs/run" };
	char no_v3[160] = "";
	bool running = threads() > 0 && are_ours(), changed;
	int r = 0;
	/* Clients walk through the root as whoever they are. */
	for (size_t i = 0; i < ARRAY_COUNT(folders) && r == 0; i++)
		r = keeper_mkdir(folders[i], i == 0 ? 0755 : 0700);
	r = r < 0 ? r : share_root();
	r = r < 0 ? r : keeper_write("nfs/mountd/rmtab", "", 0, 0600, &changed);
	if (!running && !nfs_helpers_start(no_v3, sizeof(no_v3)))
		log_warn(&log_keeper, "continuing without NFS version 3", "reason=\"%s\"", no_v3);
	for (size_t i = 0; i < s->export_count && r == 0; i++) {
		struct nfs_export *x = &s->exports[i];
		if (!x->failed[0] && (!(x->versions & NFS_V3) || !(x->versions & NFS_V4)))
			snprintf(x->failed, sizeof(x->failed), "the kernel's NFS server has the same versions for all shares; "
				 "only NFS-Ganesha can serve one share over some of them (setting nfs_provider)");
		for (size_t k = 0; k < x->client_count && !x->failed[0]; k++)
			if (x->clients[k].access == NFS_NONE)
				snprintf(x->failed, sizeof(x->failed), "the kernel's NFS server cannot refuse single addresses (%s)", x->clients[k].who);
		int bound = x->failed[0] ? 0 : bind_share(x);
		if (bound < 0 && !x->failed[0])
			snprintf(x->failed, sizeof(x->failed), "its folder cannot be bound: %s", strerror(-bound));
	}
	r = r < 0 ? r : write_table(s, &changed);
	if (r < 0) {
		snprintf(why, why_bytes, "cannot write the exports: %s", strerror(-r));
		return r;
	}
	if (running && changed)
		forget_answers();
	unbind_others(s);
	r = running ? 0 : start(s, why, why_bytes);
	if (r < 0)
		nfs_kernel_stop();
	return r;
}

void nfs_kernel_stop(void)
{
	char path[PATH_MAX];
	const char *const argv[] = { "rpc.nfsd", "0", NULL };
	if (!are_ours())
		return;
	if (run(argv) < 0)
		return; /* still serving: what it needs stays */
	if (keeper_child_stop(&keeper_kind_mountd) < 0 || keeper_child_stop(&keeper_kind_nfsdcld) < 0)
		log_warn(&log_keeper, "a helper of the kernel's NFS server does not end", " ");
	forget_answers();
	unbind_others(NULL);
	for (size_t i = 0; i < 2; i++)
		if (is_mounted(keeper_path(path, i ? "nfs/root" : "nfs/pipefs")))
			umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	unlink(keeper_path(path, OURS));
}

/* ---- who is there ---------------------------------------------------------------------------------------------- */
void nfs_kernel_clients(FILE *f)
{
	DIR *d = are_ours() ? opendir(PROC "clients") : NULL;
	for (struct dirent *e; d && (e = readdir(d));) {
		char path[128], line[512], address[64] = "-", name[256] = "-", minor[8] = "?";
		if (e->d_name[0] == '.' || snprintf(path, sizeof(path), PROC "clients/%.20s/info", e->d_name) < 0)
			continue;
		FILE *info = fopen(path, "re");
		while (info && fgets(line, sizeof(line), info)) {
			if (sscanf(line, "address: \"%63[^\"]", address) == 1 || sscanf(line, "name: \"%255[^\"]", name) == 1)
				continue;
			sscanf(line, "minor version: %7[0-9]", minor);
		}
		if (info)
			fclose(info);
		fprintf(f, "client %.20s %s 4.%s %s\n", e->d_name, address, minor, name);
	}
	if (d)
		closedir(d);
}

int nfs_kernel_expire(unsigned number)
{
	char path[64];
	if (!are_ours())
		return -ENOENT;
	snprintf(path, sizeof(path), PROC "clients/%u/ctl", number);
	return put(path, "expire\n");
}
