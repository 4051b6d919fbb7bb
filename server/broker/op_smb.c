/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_smb.c - operations on Samba: its configuration, reading it again, shares and sessions to close, what it says about
 * itself; and smbd as the keeper keeps it.
 *
 * smb.conf is the daemon's text, checked line by line (keeper_smb_text.c) and by testparm, between a head and a tail of the
 * keeper's own.  The tail is a second [global], and the last word on a parameter counts. */
#include "broker/domain_priv.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define TEXT_MAX_BYTES (4u << 20)

static const char *const smbd_programs[] = { "smbd", NULL };
static const char *const smb_folders[] = { "smb/etc", "smb/private", "smb/lock", "smb/state", "smb/cache", "smb/run", "smb/log", "smb/ncalrpc" };

int keeper_smb_folders(void)
{
	int r = keeper_mkdir("smb", 0755);
	for (size_t i = 0; i < ARRAY_COUNT(smb_folders) && r == 0; i++)
		r = keeper_mkdir(smb_folders[i], strcmp(smb_folders[i], "smb/ncalrpc") == 0 || strcmp(smb_folders[i], "smb/lock") == 0 ? 0755 : 0700);
	return r;
}

/* Every share has streams_xattr; on Debian 12 it is in a package that samba only recommends, and smbd would refuse all clients without a word
 * to us.  Where Samba's folder is not known, the module is taken to be there. */
static const char *const bases[] = { "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib" };
static bool modules_missing(char *why, size_t why_bytes)
{
	char path[PATH_MAX];
	bool folder = false;
	for (size_t b = 0; b < ARRAY_COUNT(bases); b++) {
		snprintf(path, sizeof(path), "%s/samba/vfs/streams_xattr.so", bases[b]);
		if (access(path, F_OK) == 0)
			return false;
		snprintf(path, sizeof(path), "%s/samba", bases[b]);
		folder |= access(path, F_OK) == 0;
	}
	if (folder)
		snprintf(why, why_bytes, "Samba's module streams_xattr is not installed (package samba-vfs-modules)");
	return folder;
}

/* ---- smbd ----------------------------------------------------------------------------------------------------------- */
/* In the foreground, in a session of its own, on absolute paths: with a relative one sessions cannot read the file again. */
static int smbd_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	char path[PATH_MAX];
	int r = keeper_smb_folders();
	if (r < 0 || argv_count < 7) {
		snprintf(why, why_bytes, "cannot make Samba's folders: %s", strerror(-r));
		return r < 0 ? r : -E2BIG;
	}
	if (modules_missing(why, why_bytes))
		return -ENOENT;
	snprintf(buf, buf_bytes, "%s", keeper_path(path, "smb/etc/smb.conf"));
	size_t n = strlen(buf) + 1;
	if (access(buf, R_OK) < 0) {
		snprintf(why, why_bytes, "there is no configuration yet");
		return -ENOENT;
	}
	snprintf(buf + n, buf_bytes - n, "%s", keeper_path(path, "smb/log"));
	argv[0] = "-F";
	argv[1] = "--no-process-group";
	argv[2] = "-s";
	argv[3] = buf;
	argv[4] = "-l";
	argv[5] = buf + n;
	return 0;
}

/* A program of Samba's with our configuration; words are the arguments behind it. */
static int samba(const char *program, const char *const *words, const char *input, char *out, size_t out_bytes, int out_fd)
{
	char conf[PATH_MAX];
	const char *argv[16] = { program, "-s", keeper_path(conf, "smb/etc/smb.conf") };
	size_t n = 3;
	for (; *words && n < ARRAY_COUNT(argv) - 1; words++)
		argv[n++] = *words;
	const struct keeper_run_opts o = { .argv = argv, .input = input, .input_bytes = input ? strlen(input) : 0, .out = out, .out_bytes = out_bytes,
					   .out_fd = out_fd, .stdout_only = out_fd > 0, .timeout_s = 60 };
	return keeper_spawn(&o);
}
#define SAMBA(program, input, out, out_bytes, ...) samba(program, (const char *const[]){ __VA_ARGS__, NULL }, input, out, out_bytes, 0)

/* It answers its own messages: by then its sockets are open. */
static bool smbd_ready(void)
{
	char out[512];
	return SAMBA("smbcontrol", NULL, out, sizeof(out), "--timeout=5", "smbd", "ping") == 0 && strstr(out, "PONG");
}

/* smbd starts a server for RPC when a client lists shares; it is no child of smbd's and would stay. */
void keeper_smb_stopped(void)
{
	char path[PATH_MAX], text[32] = "", name[32] = "";
	int pid = 0;
	_cleanup_(closep) int fd = open(keeper_path(path, "smb/run/samba-dcerpcd.pid"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || sscanf(text, "%d", &pid) != 1 || pid <= 1)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	_cleanup_(closep) int comm = open(path, O_RDONLY | O_CLOEXEC);
	if (comm >= 0 && read(comm, name, sizeof(name) - 1) > 0 && strncmp(name, "samba-dcerpcd", 13) == 0)
		kill(pid, SIGTERM);
}

const struct keeper_kind keeper_kind_smbd = {
	.name = "smbd", .programs = smbd_programs, .argv = smbd_argv,
	.ready = smbd_ready, .stopped = keeper_smb_stopped, .log = "smb/log/log.smbd", .files = 65536, .in_domain = true,
};

/* ---- configuration -------------------------------------------------------------------------------------------------- */
static int compose(const char *text, size_t len, char **ret, size_t *ret_len)
{
	const char *d = keeper_dir();
	char *all = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&all, &n);
	if (!f)
		return -ENOMEM;
	fwrite(text, 1, len, f);
	fprintf(f, "\n[global]\n"
		"\tserver role = standalone server\n\tsecurity = user\n\tpassdb backend = tdbsam:%s/smb/private/passdb.tdb\n"
		"\tprivate dir = %s/smb/private\n\tlock directory = %s/smb/lock\n\tstate directory = %s/smb/state\n\tcache directory = %s/smb/cache\n"
		"\tpid directory = %s/smb/run\n\tncalrpc dir = %s/smb/ncalrpc\n\tlog file = %s/smb/log/log.smbd\n\tlogging = file\n"
		"\tlog level = 1 auth_json_audit:3\n\tmax log size = 20000\n\tdebug timestamp = yes\n"
		"\tguest account = nobody\n\tunix password sync = no\n\tpam password change = no\n\tusershare max shares = 0\n\tpanic action =\n"
		"\tload printers = no\n\tprinting = bsd\n\tprintcap name = /dev/null\n\tdisable spoolss = yes\n\tdisable netbios = yes\n"
		"\tidmap config * : backend = tdb\n\tidmap config * : range = 100000-200000\n",
		d, d, d, d, d, d, d, d);
	struct domain domain;
	if (keeper_domain(&domain))
		domain_smb_lines(&domain, f);
	if (fclose(f) != 0) {
		free(all);
		return -ENOMEM;
	}
	*ret = all;
	*ret_len = n;
	return 0;
}

/* testparm on these first bytes of a text: its status, its words. */
static int judge(const char *text, size_t len, char *out, size_t out_bytes)
{
	char below[] = "smb/etc/candidate.conf", path[PATH_MAX];
	int r = keeper_write(below, text, len, 0600, NULL);
	if (r < 0)
		return r;
	const char *const argv[] = { "testparm", "-s", "--suppress-prompt", "-l", keeper_path(path, "%s", below), NULL };
	_cleanup_(closep) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	/* Its messages are on stderr, the whole configuration on stdout. */
	const struct keeper_run_opts o = { .argv = argv, .out = out, .out_bytes = out_bytes, .out_fd = null, .timeout_s = 60 };
	r = keeper_spawn(&o);
	if (r == 0 && strstr(out, "nknown parameter"))
		r = 1;
	return r;
}

static size_t line_end(const char *text, size_t len, unsigned line)
{
	const char *p = text, *end = text + len;
	for (unsigned i = 0; i < line && p < end; i++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : end;
	}
	return (size_t)(p - text);
}

/* The first line with which the text is refused: every beginning of a configuration is one, so it can be halved. */
static unsigned line_at_fault(const char *text, size_t len)
{
	unsigned lines = 0;
	char out[4096];
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	unsigned good = 0, bad = lines;
	while (bad - good > 1) {
		unsigned middle = good + (bad - good) / 2;
		if (judge(text, line_end(text, len, middle), out, sizeof(out)) == 0)
			good = middle;
		else
			bad = middle;
	}
	return bad;
}

/* What testparm says, without what it always says, in one line. */
void keeper_smb_shorten(char *out)
{
	char *to = out;
	for (char *line = out, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (strncmp(line, "Load smb config", 15) == 0 || strncmp(line, "Error loading", 13) == 0 || strncmp(line, "Ignoring", 8) == 0 || !*line)
			continue;
		size_t n = strlen(line);
		if (to != out) {         /* there is room for the line's end, and for a blank only behind what was left out */
			*to++ = ';';
			if (to < line)
				*to++ = ' ';
		}
		memmove(to, line, n);
		to += n;
	}
	*to = '\0';
}

/* Copied, checked, tested.  On refusal rq->text is "LINE reason". */
static int examine(struct keeper_request *rq, char **ret, size_t *ret_len)
{
	size_t len, all_len;
	unsigned line;
	const char *why;
	char out[4096];
	_cleanup_(freep) char *text = keeper_read_fd(rq->fd, TEXT_MAX_BYTES, &len), *all = NULL;
	if (!text)
		return keeper_refuse(rq, -EINVAL, "0 the configuration cannot be read, or is too long");
	int r = keeper_smb_text(text, len, &line, &why);
	if (r < 0)
		return keeper_refuse(rq, r, "%u %s", line, why);
	r = keeper_smb_folders();
	if (r == 0)
		r = compose(text, len, &all, &all_len);
	if (r < 0)
		return keeper_refuse(rq, r, "0 cannot write the configuration: %s", strerror(-r));
	r = judge(all, all_len, out, sizeof(out));
	if (r == -ENOENT)
		return keeper_refuse(rq, r, "0 Samba is not installed (package samba)");
	if (r != 0) {
		keeper_smb_shorten(out);
		return keeper_refuse(rq, -EINVAL, "%u %.3000s", r > 0 ? line_at_fault(text, len) : 0, r < 0 ? strerror(-r) : out);
	}
	if (ret) {
		*ret = TAKE(all);
		*ret_len = all_len;
	}
	return 0;
}

static int op_check(struct keeper_request *rq)
{
	return examine(rq, NULL, NULL);
}

static int op_apply(struct keeper_request *rq)
{
	size_t len;
	bool changed;
	_cleanup_(freep) char *all = NULL;
	int r = examine(rq, &all, &len);
	/* The daemon's part alone, too: what stands behind it changes when a domain comes or goes. */
	size_t own;
	_cleanup_(freep) char *text = r == 0 ? keeper_read_fd(rq->fd, TEXT_MAX_BYTES, &own) : NULL;
	if (r == 0)
		r = text ? keeper_write("smb/etc/daemon.conf", text, own, 0600, NULL) : -ENOMEM;
	if (r == 0)
		r = keeper_write("smb/etc/smb.conf", all, len, 0600, &changed);
	if (r == 0)
		snprintf(rq->text, sizeof(rq->text), "%s", changed ? "changed" : "same");
	return r;
}

int keeper_smb_again(char *why, size_t why_bytes)
{
	char path[PATH_MAX], *all = NULL;
	size_t len, all_len;
	_cleanup_(closep) int fd = open(keeper_path(path, "smb/etc/daemon.conf"), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_(freep) char *text = keeper_read_fd(fd, TEXT_MAX_BYTES, &len);
	bool runs = keeper_child_pid(&keeper_kind_smbd) != 0;
	if (!text)
		return 0; /* nothing was served yet, or by a keeper that kept no copy: the daemon's next text comes to the same */
	int r = compose(text, len, &all, &all_len);
	if (r == 0)
		r = keeper_write("smb/etc/smb.conf", all, all_len, 0600, NULL);
	free(all);
	if (r < 0)
		snprintf(why, why_bytes, "cannot write Samba's configuration: %s", strerror(-r));
	/* Who it is among others, and what it sees of the machine, smbd takes up when it starts. */
	if (r == 0 && runs) {
		r = keeper_child_stop(&keeper_kind_smbd);
		if (r == 0)
			r = keeper_child_start(&keeper_kind_smbd, why, why_bytes);
		else
			snprintf(why, why_bytes, "smbd does not stop");
	}
	return r;
}

/* ---- while it runs ---------------------------------------------------------------------------------------------------- */
static int op_reload(struct keeper_request *rq)
{
	if (!keeper_child_pid(&keeper_kind_smbd))
		return 0;
	int r = SAMBA("smbcontrol", NULL, rq->text, sizeof(rq->text), "all", "reload-config");
	/* Messages are answered in their order: with its answer to the next one, smbd has read. */
	for (int tries = 0; r == 0 && tries < 10 && !smbd_ready(); tries++)
		log_debug(&log_keeper, "smbd is busy reading its configuration", "tries=%d", tries + 1);
	return r > 0 ? -EIO : r;
}

static int close_share(struct keeper_request *rq, const char *message)
{
	if (!keeper_child_pid(&keeper_kind_smbd))
		return 0;
	if (rq->args[0][0] == '-')
		return keeper_refuse(rq, -EINVAL, "no share begins with a dash");
	int r = SAMBA("smbcontrol", NULL, rq->text, sizeof(rq->text), "all", message, rq->args[0]);
	return r > 0 ? -EIO : r;
}
static int op_close_share(struct keeper_request *rq)
{
	return close_share(rq, "close-share");
}
/* Only for those who may not connect to it any more, or only to read. */
static int op_close_denied(struct keeper_request *rq)
{
	return close_share(rq, "close-denied-share");
}

/* A session's process is a child of our smbd, and smbd itself. */
static int op_kick(struct keeper_request *rq)
{
	char path[64], buf[512];
	uint64_t pid = keeper_number(rq->args[0]);
	pid_t parent = keeper_child_pid(&keeper_kind_smbd);
	int ppid = 0;
	snprintf(path, sizeof(path), "/proc/%u/stat", (unsigned)pid);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, buf, sizeof(buf) - 1));
	buf[n > 0 ? n : 0] = '\0';
	const char *p = strrchr(buf, ')');
	if (!parent || !p || sscanf(p + 1, " %*c %d", &ppid) != 1 || ppid != parent || strncmp(strchr(buf, '(') + 1, "smbd)", 5) != 0)
		return keeper_refuse(rq, -ENOENT, "there is no such session");
	return kill((pid_t)pid, SIGTERM) < 0 ? keeper_refuse(rq, -errno, "cannot end the session: %s", strerror(errno)) : 0;
}

static int op_status(struct keeper_request *rq)
{
	if (!keeper_child_pid(&keeper_kind_smbd))
		return keeper_refuse(rq, -ESRCH, "smbd does not run");
	_cleanup_(closep) int fd = memfd_create("smbstatus", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int r = samba("smbstatus", (const char *const[]){ "--json", NULL }, NULL, NULL, 0, fd);
	if (r != 0)
		return keeper_refuse(rq, r < 0 ? r : -EIO, "smbstatus does not answer");
	rq->answer_fd = take_fd(&fd);
	return 0;
}

/* What clients have moved, by connection: lines of keeper_connections() and keeper_connections_ended(). */
static int op_traffic(struct keeper_request *rq)
{
	unsigned ports[16];
	size_t count = rq->arg_count < ARRAY_COUNT(ports) ? rq->arg_count : ARRAY_COUNT(ports), len = 0;
	_cleanup_(freep) char *out = NULL;
	FILE *f = open_memstream(&out, &len);
	if (!f)
		return keeper_refuse(rq, -ENOMEM, "out of memory");
	int r = 0;
	for (size_t i = 0; i < count; i++)
		ports[i] = (unsigned)keeper_number(rq->args[i]);
	/* Those that ended first: what is listed afterwards is still there. */
	if (count)
		r = keeper_connections_ended(f, ports, count);
	for (size_t i = 0; i < count && r == 0; i++)
		r = keeper_connections(f, ports[i]);
	if (fclose(f) != 0)
		return keeper_refuse(rq, -ENOMEM, "out of memory");
	if (r < 0)
		return keeper_refuse(rq, r, "this kernel does not tell what connections have moved (sock_diag): %s", strerror(-r));
	int fd = keeper_memfd("traffic", out, len);
	if (fd < 0)
		return keeper_refuse(rq, fd, "out of memory");
	rq->answer_fd = fd;
	return 0;
}

/* VERSION, then the VFS modules that are there. */
static int op_version(struct keeper_request *rq)
{
	static const char *const wanted[] = { "fruit", "recycle", "acl_xattr", "shadow_copy2", "full_audit" };
	char out[256], path[PATH_MAX];
	const char *const argv[] = { "smbd", "-V", NULL };
	const struct keeper_run_opts o = { .argv = argv, .out = out, .out_bytes = sizeof(out), .timeout_s = 10 };
	int r = keeper_spawn(&o);
	if (r != 0)
		return keeper_refuse(rq, r < 0 ? r : -EIO, "%s", r == -ENOENT ? "Samba is not installed (package samba)" : "smbd does not answer");
	out[strcspn(out, "\n")] = '\0';
	if (modules_missing(rq->text, sizeof(rq->text)))
		return -ENOENT;
	int n = snprintf(rq->text, sizeof(rq->text), "%s", strncmp(out, "Version ", 8) == 0 ? out + 8 : out);
	for (size_t i = 0; i < ARRAY_COUNT(wanted); i++)
		for (size_t b = 0; b < ARRAY_COUNT(bases); b++) {
			snprintf(path, sizeof(path), "%s/samba/vfs/%s.so", bases[b], wanted[i]);
			if (access(path, F_OK) == 0) {
				n += snprintf(rq->text + n, sizeof(rq->text) - (size_t)n, "\n%s", wanted[i]);
				break;
			}
		}
	return 0;
}

const struct keeper_op keeper_ops_smb[] = {
	{ "smb-check", "f", true, op_check },         /* the text in the descriptor; refused: "LINE reason" */
	{ "smb-apply", "f", true, op_apply },         /* the same, and it is the configuration now: "changed" or "same" */
	{ "smb-reload", "", true, op_reload },
	{ "smb-close-share", "n", true, op_close_share },
	{ "smb-close-denied", "n", true, op_close_denied },
	{ "smb-kick", "u", true, op_kick },           /* PID of a session's process */
	{ "smb-status", "", false, op_status },       /* a descriptor with smbstatus's JSON */
	{ "smb-traffic", "u*", false, op_traffic },   /* PORT..: a descriptor with lines */
	{ "smb-version", "", false, op_version },
	{ 0 },
};
