/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_ganesha_run.c - NFS-Ganesha as a child: its files, its start, and how it hears of other exports.
 *
 * nfs/etc/core.conf       what the settings make of it; another text means a new start
 * nfs/etc/exports.conf    the shares; another text means SIGHUP, never a new start
 * nfs/etc/ganesha.conf    core.conf as it was started: without grace when nobody has anything to take back */
#include "broker/nfs_priv.h"

#include "core/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#define CORE "nfs/etc/core.conf"
#define EXPORTS "nfs/etc/exports.conf"
#define REFUSED "nfs/run/refused"
#define STARTED "nfs/etc/ganesha.conf"
#define LOG_FILE "nfs/log/ganesha.log"
#define GRACE_LINE "\tGraceless = false;\n"
#define TEXT_MAX (16u << 20)

static char *read_file(const char *below)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd = open(keeper_path(path, "%s", below), O_RDONLY | O_CLOEXEC);
	return fd < 0 ? NULL : keeper_read_fd(fd, TEXT_MAX, NULL);
}

/* ---- the child ---------------------------------------------------------------------------------------------- */
static unsigned left_behind;             /* entries of clients, deeper than the folders that are always there */
static int count_left(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)path, (void)st, (void)kind;
	left_behind += at->level >= 2;
	return 0;
}

/* Does any client hold something that it would take back after a start?  Only from one thread: nftw() has no argument. */
static bool anything_to_reclaim(void)
{
	static const char *const where[] = { "nfs/recovery/v4recov", "nfs/recovery/v4old" };
	char path[PATH_MAX];
	left_behind = 0;
	for (size_t i = 0; i < ARRAY_COUNT(where); i++)
		if (nftw(keeper_path(path, "%s", where[i]), count_left, 8, FTW_PHYS) < 0 && errno != ENOENT)
			return true;
	unsigned monitored = 0;
	DIR *d = opendir(keeper_path(path, "nfs/statd/sm"));
	for (struct dirent *e; d && (e = readdir(d));)
		monitored += e->d_name[0] != '.';
	if (d)
		closedir(d);
	if (monitored) {
		/* Version 3 clients do not notice by themselves that their locks have gone: NSM tells them. */
		const char *const notify[] = { "sm-notify", "-f", "-P", keeper_path(path, "nfs/statd"), NULL };
		if (keeper_spawn(&(struct keeper_run_opts){ .argv = notify, .timeout_s = 10 }) != 0)
			log_warn(&log_keeper, "clients of NFS version 3 are not told to take back their locks", " ");
	}
	return left_behind || monitored;
}

static void ganesha_prepare(void)
{
	_cleanup_(freep) char *core = read_file(CORE);
	char *at = core ? strstr(core, GRACE_LINE) : NULL;
	if (!at)
		return;
	if (!anything_to_reclaim())
		memcpy(strstr(at, "false"), "true ", 5);
	bool changed;
	if (keeper_write(STARTED, core, strlen(core), 0600, &changed) < 0)
		log_warn(&log_keeper, "cannot write the configuration of NFS-Ganesha", "errno=%d", errno);
}

static int ganesha_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	static const char *const options[] = { "-f", STARTED, "-L", LOG_FILE, "-p", "nfs/run/ganesha.pid" };
	size_t used = 0, n = 0;
	(void)why, (void)why_bytes;
	if (argv_count < ARRAY_COUNT(options) + 2)
		return -E2BIG;
	argv[n++] = "-F";
	for (size_t i = 0; i < ARRAY_COUNT(options); i += 2) {
		char path[PATH_MAX];
		size_t len = strlen(keeper_path(path, "%s", options[i + 1])) + 1;
		if (len > buf_bytes - used)
			return -E2BIG;
		argv[n++] = options[i];
		argv[n++] = memcpy(buf + used, path, len);
		used += len;
	}
	argv[n] = NULL;
	return 0;
}

/* What makes a share on btrfs one that it can serve; false: it is not there. */
static bool btrfs_preload(char path[PATH_MAX])
{
	return process_find_ours("nfs-btrfs.so", R_OK, path) == 0 && !strpbrk(path, ": ");
}

static bool ganesha_ready(void)
{
	struct nfs_spec s;
	char why[256];
	if (nfs_spec_load(&s, why, sizeof(why)) < 0)
		return false;
	bool answers = nfs_port_answers(s.address, s.port);
	nfs_spec_done(&s);
	return answers;
}

/* KRB5_CONFIG stands before that of the view of a domain, which has no part in this. */
static const char *const *ganesha_env(void)
{
	static const char *all[8];
	static char preload[PATH_MAX + 16];
	char path[PATH_MAX];
	size_t n = 0;
	all[n++] = nfs_krb5_env();
	if (btrfs_preload(path)) {
		snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", path);
		all[n++] = preload;
	}
	for (const char *const *bus = nfs_bus_env(); bus && *bus && n < ARRAY_COUNT(all) - 1; bus++)
		all[n++] = *bus;
	all[n] = NULL;
	return all;
}

static const char *const ganesha_programs[] = { "ganesha.nfsd", NULL };
const struct keeper_kind keeper_kind_ganesha = {
	.name = "ganesha", .programs = ganesha_programs, .argv = ganesha_argv, .log = LOG_FILE, .ready = ganesha_ready,
	.prepare = ganesha_prepare, .env = ganesha_env, .files = 1048576, .in_domain = true,
};

/* ---- what it says ------------------------------------------------------------------------------------------- */
static off_t log_size(void)
{
	char path[PATH_MAX];
	struct stat st;
	return stat(keeper_path(path, LOG_FILE), &st) < 0 ? 0 : st.st_size;
}

static void say_refused(struct nfs_export *x)
{
	char path[PATH_MAX];
	struct statfs fs;
	bool alone = statfs(x->path, &fs) == 0 && (unsigned long)fs.f_type == BTRFS_SUPER_MAGIC && !btrfs_preload(path);
	snprintf(x->failed, sizeof(x->failed), "%s", alone ?
		 "NFS-Ganesha serves folders on btrfs only with nfs-btrfs.so of Holdfast, which is missing: install Holdfast again" :
		 "the NFS server refuses it; its log says why");
}

/* The numbers of refused exports are kept: it is asked only when they change, but who asks us wants to know each time. */
static void remember(const struct nfs_spec *s, const bool *refused)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	for (size_t i = 0; f && i < s->export_count; i++)
		if (refused[i])
			fprintf(f, "%u\n", s->exports[i].id);
	if (f && fclose(f) == 0 && keeper_write(REFUSED, text, len, 0600, NULL) < 0)
		log_warn(&log_keeper, "cannot note which exports are refused", "");
	free(text);
}

static void recall(struct nfs_spec *s)
{
	_cleanup_(freep) char *text = read_file(REFUSED);
	for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		unsigned long id = strtoul(p, NULL, 10);
		for (size_t i = 0; i < s->export_count; i++)
			if (s->exports[i].id == id && !s->exports[i].failed[0])
				say_refused(&s->exports[i]);
	}
}

/* Waits until the log, from an offset on, says that it is done; notes which exports were refused. */
static bool hear(struct nfs_spec *s, off_t from, const char *done, unsigned seconds)
{
	struct timespec end, now;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	for (;;) {
		char path[PATH_MAX];
		_cleanup_(closep) int fd = open(keeper_path(path, LOG_FILE), O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && lseek(fd, from, SEEK_SET) == from) {
			_cleanup_(freep) char *text = keeper_read_fd(fd, TEXT_MAX, NULL);
			const char *finish = text ? strstr(text, done) : NULL;
			/* Some complaints follow the word that ends it, by the same thread at once. */
			if (finish) {
				usleep(100000);
				free(text);
				text = lseek(fd, from, SEEK_SET) == from ? keeper_read_fd(fd, TEXT_MAX, NULL) : NULL;
				_cleanup_(freep) bool *refused = calloc(s->export_count + 1, sizeof(*refused));
				for (char *line = text, *next; line && refused; line = next) {
					next = strchr(line, '\n');
					if (next)
						*next++ = '\0';
					unsigned n = nfs_ganesha_refused_line(line);
					if (n < 1 || n > s->export_count)
						continue;
					refused[n - 1] = true;
					if (!s->exports[n - 1].failed[0])
						say_refused(&s->exports[n - 1]);
				}
				if (refused)
					remember(s, refused);
				return true;
			}
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec > end.tv_sec || keeper_child_pid(&keeper_kind_ganesha) == 0)
			return false;
		usleep(20000);
	}
}

/* ---- exports that become others ----------------------------------------------------------------------------- */
/* The line of the same export in another text; *ret_len without its end.  NULL: it is new. */
static const char *same_export(const char *text, const char *line, size_t *ret_len)
{
	size_t id = strcspn(line, ";") + 1;
	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, line, id) == 0) {
			*ret_len = strcspn(at, "\n");
			return at;
		}
	}
	return NULL;
}

/* NFS-Ganesha 4.3 updates who may and how; an export that is to have another name or to begin version 4 it would leave as
 * it is.  Those are taken away before they are given again: the text without them, or NULL when there are none. */
static char *without_others(const char *old, const char *new)
{
	static const char rights[] = "; SecType = ";
	char *out = malloc(strlen(new) + 1), *end = out;
	bool any = false;
	for (const char *line = new; out && *line;) {
		size_t len = strcspn(line, "\n"), old_len;
		const char *was = *line == 'E' ? same_export(old, line, &old_len) : NULL, *tail = strstr(line, rights);
		size_t same = tail ? (size_t)(tail - line) : len;
		bool other = was && (old_len < same || strncmp(was, line, same) != 0);
		any |= other;
		if (!other) {
			memcpy(end, line, len);
			end += len;
		}
		*end++ = '\n';
		line += len + (line[len] == '\n');
	}
	if (!any) {
		free(out);
		return NULL;
	}
	*end = '\0';
	return out;
}

/* ---- apply -------------------------------------------------------------------------------------------------- */
static int write_text(const char *below, void (*print)(FILE *f, const struct nfs_spec *s, bool v3), const struct nfs_spec *s, bool v3,
		      bool *ret_changed)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	print(f, s, v3);
	if (fclose(f) != 0)
		return -ENOMEM;
	return keeper_write(below, text, len, 0600, ret_changed);
}

static void print_core(FILE *f, const struct nfs_spec *s, bool v3)
{
	struct nfs_krb5 krb5;
	nfs_krb5_look(&krb5);
	nfs_ganesha_core(f, s, keeper_dir(), v3, &krb5, false);
}

static bool runs_with_v3(void)
{
	_cleanup_(freep) char *core = read_file(CORE);
	return core && strstr(core, "Protocols = 3, 4;\n\tNFS_Port");
}

static bool has_program(const char *program)
{
	char path[PATH_MAX];
	return keeper_program(program, path);
}

bool nfs_ganesha_can(char *why, size_t why_bytes)
{
	if (has_program("ganesha.nfsd"))
		return true;
	snprintf(why, why_bytes, "NFS-Ganesha is not installed (packages nfs-ganesha and nfs-ganesha-vfs)");
	return false;
}

static int reread(struct nfs_spec *s, off_t from, char *why, size_t why_bytes)
{
	int r = keeper_child_signal(&keeper_kind_ganesha, SIGHUP);
	if (r < 0 || hear(s, from, "Reread exports complete", 30))
		return r;
	snprintf(why, why_bytes, "the NFS server does not take its exports");
	return -EIO;
}

int nfs_ganesha_apply(struct nfs_spec *s, char *why, size_t why_bytes)
{
	static const char *const folders[] = { "nfs/etc", "nfs/recovery", "nfs/log", "nfs/run" };
	char no_v3[160] = "";
	bool running = keeper_child_pid(&keeper_kind_ganesha) != 0, core_changed, exports_changed;
	int r = 0;
	for (size_t i = 0; i < ARRAY_COUNT(folders) && r == 0; i++)
		r = keeper_mkdir(folders[i], 0700);
	struct nfs_krb5 krb5;
	nfs_krb5_look(&krb5);
	r = r < 0 ? r : nfs_krb5_write(&krb5);
	bool v3 = running ? runs_with_v3() : nfs_helpers_start(no_v3, sizeof(no_v3));
	for (size_t i = 0; i < s->export_count; i++) {
		struct nfs_export *x = &s->exports[i];
		if (!v3 && (x->versions & NFS_VERSIONS) == NFS_V3 && !x->failed[0])
			snprintf(x->failed, sizeof(x->failed), "%s", no_v3[0] ? no_v3 : "the NFS server was started without version 3, for want of rpcbind");
		if ((x->security & NFS_KRB5_ANY) && krb5.source == NFS_KEYTAB_NONE && !x->failed[0])
			snprintf(x->failed, sizeof(x->failed), "%s", krb5.why);
	}
	r = r < 0 ? r : write_text(CORE, print_core, s, v3, &core_changed);
	_cleanup_(freep) char *old = read_file(EXPORTS), *between = NULL;
	r = r < 0 ? r : write_text(EXPORTS, nfs_ganesha_exports, s, v3, &exports_changed);
	if (r == 0 && running && !core_changed && exports_changed && old) {
		_cleanup_(freep) char *new = read_file(EXPORTS);
		between = new ? without_others(old, new) : NULL;
	}
	if (r < 0) {
		snprintf(why, why_bytes, "cannot write the configuration of the NFS server: %s", strerror(-r));
		return r;
	}
	off_t from = log_size();
	if (running && core_changed) {
		r = keeper_child_stop(&keeper_kind_ganesha);
		if (r < 0) {
			snprintf(why, why_bytes, "the NFS server does not end");
			return r;
		}
		running = false;
	}
	if (!running) {
		nfs_bus_start();
		r = keeper_child_start(&keeper_kind_ganesha, why, why_bytes);
		if (r == 0 && !hear(s, from, "NFS SERVER INITIALIZED", 60)) {
			snprintf(why, why_bytes, "the NFS server does not start; its log is " LOG_FILE " in the keeper's folder");
			r = -EIO;
		}
		return r;
	}
	if (!exports_changed) {
		recall(s);
		return 0;
	}
	if (between) {
		r = keeper_write(EXPORTS, between, strlen(between), 0600, NULL);
		r = r < 0 ? r : reread(s, from, why, why_bytes);
		from = log_size();
		r = r < 0 ? r : write_text(EXPORTS, nfs_ganesha_exports, s, v3, &exports_changed);
	}
	return r < 0 ? r : reread(s, from, why, why_bytes);
}

void nfs_ganesha_stop(void)
{
	if (keeper_child_stop(&keeper_kind_ganesha) < 0)
		log_warn(&log_keeper, "NFS-Ganesha does not end", " ");
	nfs_bus_stop();
}
