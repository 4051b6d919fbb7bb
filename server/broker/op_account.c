/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_account.c - operations on users and groups: accounts of the system that carry our mark, and their passwords in Samba's own
 * passdb below our folder.
 *
 * Ours is what lies between FIRST_ID and LAST_ID and carries the mark: for users the comment field, for groups a file
 * account/group.NAME of the keeper's.  Nothing else is changed or deleted, whatever is asked. */
#include "broker/keeper_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define FIRST_ID 10000u                  /* whatever range the daemon chooses lies within these */
#define LAST_ID 59999u
#define MARK "Holdfast NAS user"
#define PRIMARY_GROUP "users"

static bool is_our_user(const struct passwd *pw)
{
	return pw->pw_uid >= FIRST_ID && pw->pw_uid <= LAST_ID && strstr(pw->pw_gecos, MARK);
}

static int read_note(const char *kind, const char *name, char *buf, size_t bytes)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd = open(keeper_path(path, "account/%s.%s", kind, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, buf, bytes - 1));
	buf[n > 0 ? n : 0] = '\0';
	return n < 0 ? -ENOENT : 0;
}

static int write_note(const char *kind, const char *name, const char *text)
{
	char below[128];
	int r = keeper_mkdir("account", 0700);
	snprintf(below, sizeof(below), "account/%s.%s", kind, name);
	return r < 0 ? r : keeper_write(below, text, strlen(text), 0600, NULL);
}

static void drop_note(const char *kind, const char *name)
{
	char path[PATH_MAX];
	unlink(keeper_path(path, "account/%s.%s", kind, name));
}

bool keeper_group_is_ours(const char *name)
{
	char had[128];
	return strcmp(name, PRIMARY_GROUP) == 0 || (keeper_name_is_account(name) && read_note("group", name, had, sizeof(had)) == 0);
}

/* Runs a program of the system; anything but 0 is an error with its words in rq->text. */
static int tool(struct keeper_request *rq, const char *const *argv, const char *input)
{
	char out[1024];
	const struct keeper_run_opts o = { .argv = argv, .input = input, .input_bytes = input ? strlen(input) : 0, .out = out, .out_bytes = sizeof(out) };
	int r = keeper_spawn(&o);
	if (r == 0)
		return 0;
	for (char *p = out; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	return keeper_refuse(rq, r < 0 ? r : -EIO, "%s: %.900s", argv[0], out[0] ? out : r < 0 ? strerror(-r) : "failed");
}
#define TOOL(rq, input, ...) tool(rq, (const char *const[]){ __VA_ARGS__, NULL }, input)

/* A program of Samba's that knows our passdb.  There is a passdb before there is a share: it needs a configuration. */
static int ensure_conf(struct keeper_request *rq, char *conf)
{
	char text[PATH_MAX * 6];
	const char *d = keeper_dir();
	keeper_path(conf, "smb/etc/passdb.conf");
	int n = snprintf(text, sizeof(text), "[global]\n\tpassdb backend = tdbsam:%s/smb/private/passdb.tdb\n\tprivate dir = %s/smb/private\n"
			 "\tlock directory = %s/smb/lock\n\tstate directory = %s/smb/state\n\tcache directory = %s/smb/cache\n\tpid directory = %s/smb/run\n"
			 "\tncalrpc dir = %s/smb/ncalrpc\n\tlogging = file\n\tlog file = %s/smb/log/log.tools\n", d, d, d, d, d, d, d, d);
	int r = keeper_smb_folders();
	if (r == 0)
		r = n < 0 || (size_t)n >= sizeof(text) ? -ENAMETOOLONG : keeper_write("smb/etc/passdb.conf", text, (size_t)n, 0600, NULL);
	return r < 0 ? keeper_refuse(rq, r, "cannot write Samba's configuration: %s", strerror(-r)) : 0;
}

static bool in_passdb(const char *conf, const char *user)
{
	const char *const argv[] = { "pdbedit", "-s", conf, "-u", user, NULL };
	const struct keeper_run_opts o = { .argv = argv };
	return keeper_spawn(&o) == 0;
}

static void gecos(char *buf, size_t bytes, const char *full_name)
{
	char plain[160];
	size_t n = 0;
	for (const char *p = full_name; *p && n + 1 < sizeof(plain); p++)
		if (*p != ':' && *p != ',' && *p != '"' && *p != '\\')
			plain[n++] = *p;
	plain[n] = '\0';
	snprintf(buf, bytes, "%s,%s", plain, MARK);
}

static const char *date_of(int64_t s, char *buf, size_t bytes)
{
	struct tm tm;
	time_t t = (time_t)s;
	if (!s || !gmtime_r(&t, &tm) || !strftime(buf, bytes, "%Y-%m-%d", &tm))
		snprintf(buf, bytes, "%s", "");
	return buf;
}

static int make_or_change(struct keeper_request *rq, const char *name, const char *uid, const char *comment, const char *home, const char *shell)
{
	struct passwd *pw = getpwnam(name);
	const uint64_t want = keeper_number(uid);
	if (want < FIRST_ID || want > LAST_ID)
		return keeper_refuse(rq, -ERANGE, "the uid %s is not between %u and %u", uid, FIRST_ID, LAST_ID);
	if (pw && !is_our_user(pw))
		return keeper_refuse(rq, -EEXIST, "the system has an account %s that is not Holdfast's; choose another name", name);
	const struct passwd *other = pw ? NULL : getpwuid((uid_t)want);
	if (other)
		return keeper_refuse(rq, -EEXIST, "the uid %s belongs to %s", uid, other->pw_name);
	if (!pw) {
		if (!getgrnam(PRIMARY_GROUP)) {
			int r = TOOL(rq, NULL, "groupadd", "-r", PRIMARY_GROUP);
			if (r < 0)
				return r;
		}
		return TOOL(rq, NULL, "useradd", "-M", "-N", "-g", PRIMARY_GROUP, "-u", uid, "-c", comment, "-d", home, "-s", shell, name);
	}
	if (pw->pw_uid != want)
		return keeper_refuse(rq, -EEXIST, "%s has the uid %u already", name, pw->pw_uid);
	if (strcmp(pw->pw_gecos, comment) == 0 && strcmp(pw->pw_dir, home) == 0 && strcmp(pw->pw_shell, shell) == 0)
		return 0;
	return TOOL(rq, NULL, "usermod", "-c", comment, "-d", home, "-s", shell, name);
}

/* NAME UID FULL-NAME enabled|disabled EXPIRES HOME login|nologin STATE: STATE is the daemon's, and told by account-list. */
static int op_user_set(struct keeper_request *rq)
{
	const char *name = rq->args[0], *home = rq->args[5][0] ? rq->args[5] : "/nonexistent";
	bool enabled = strcmp(rq->args[3], "enabled") == 0, login = strcmp(rq->args[6], "login") == 0;
	char comment[256], conf[PATH_MAX], day[32], kickoff[32], note[128];
	int64_t expires = (int64_t)keeper_number(rq->args[4]);
	gecos(comment, sizeof(comment), rq->args[2]);
	int r = make_or_change(rq, name, rq->args[1], comment, home, login && enabled ? "/bin/sh" : "/usr/sbin/nologin");
	if (r == 0)
		r = TOOL(rq, NULL, "usermod", "-e", !enabled ? "1970-01-02" : date_of(expires, day, sizeof(day)), name);
	if (r == 0)
		r = ensure_conf(rq, conf);
	if (r < 0)
		return r;
	if (in_passdb(conf, name)) {
		snprintf(kickoff, sizeof(kickoff), expires ? "%lld" : "never", (long long)expires);
		r = TOOL(rq, NULL, "pdbedit", "-s", conf, "-r", "-u", name, "-f", rq->args[2], "-K", kickoff, "-c", enabled ? "[]" : "[D]");
		if (r == 0)
			r = TOOL(rq, NULL, "smbpasswd", "-c", conf, enabled ? "-e" : "-d", name);
	}
	snprintf(note, sizeof(note), "%s", rq->args[7]);
	return r < 0 ? r : write_note("user", name, note);
}

/* NAME SECRET: for SMB, and for the system when the account may log in there. */
static int op_user_password(struct keeper_request *rq)
{
	const char *name = rq->args[0], *secret = rq->args[1];
	char conf[PATH_MAX], input[1100];
	const struct passwd *pw = getpwnam(name);
	if (!pw || !is_our_user(pw))
		return keeper_refuse(rq, -ENOENT, "there is no user %s of Holdfast's", name);
	if (!secret[0])
		return keeper_refuse(rq, -EINVAL, "a password is not empty");
	bool login = strcmp(pw->pw_shell, "/bin/sh") == 0;
	int r = ensure_conf(rq, conf);
	if (r == 0) {
		snprintf(input, sizeof(input), "%s\n%s\n", secret, secret);
		r = TOOL(rq, input, "smbpasswd", "-c", conf, "-s", "-a", name);
	}
	if (r == 0 && login) {
		snprintf(input, sizeof(input), "%s:%s\n", name, secret);
		r = TOOL(rq, input, "chpasswd");
	}
	explicit_bzero(input, sizeof(input));
	return r;
}

static int op_user_delete(struct keeper_request *rq)
{
	const char *name = rq->args[0];
	char conf[PATH_MAX];
	const struct passwd *pw = getpwnam(name);
	if (pw && !is_our_user(pw))
		return keeper_refuse(rq, -EPERM, "the account %s is not Holdfast's", name);
	char holders[256];
	int r = ensure_conf(rq, conf);
	/* From here on nobody logs in, so what is ended stays so. */
	if (r == 0 && in_passdb(conf, name))
		r = TOOL(rq, NULL, "smbpasswd", "-c", conf, "-d", name);
	if (r == 0 && pw && keeper_holders_end(pw->pw_uid, holders, sizeof(holders)))
		r = keeper_refuse(rq, -EBUSY, "these processes run as %s: %s; end them, then delete the user", name, holders);
	if (r == -EBUSY && in_passdb(conf, name))
		(void)!keeper_spawn(&(struct keeper_run_opts){ .argv = (const char *const[]){ "smbpasswd", "-c", conf, "-e", name, NULL } });
	if (r == 0 && in_passdb(conf, name))
		r = TOOL(rq, NULL, "pdbedit", "-s", conf, "-x", "-u", name);
	if (r == 0 && pw)
		r = TOOL(rq, NULL, "userdel", name);
	if (r == 0)
		drop_note("user", name);
	return r;
}

static int op_user_unlock(struct keeper_request *rq)
{
	char conf[PATH_MAX];
	int r = ensure_conf(rq, conf);
	return r < 0 ? r : TOOL(rq, NULL, "pdbedit", "-s", conf, "-r", "-u", rq->args[0], "-z", "-c", "[]");
}

/* ATTEMPTS MINUTES: until an account is locked, and for how long; 0: never. */
static int op_lockout(struct keeper_request *rq)
{
	char conf[PATH_MAX], note[64], had[64];
	snprintf(note, sizeof(note), "%s %s", rq->args[0], rq->args[1]);
	if (read_note("policy", "lockout", had, sizeof(had)) == 0 && strcmp(had, note) == 0)
		return 0;
	int r = ensure_conf(rq, conf);
	if (r == 0)
		r = TOOL(rq, NULL, "pdbedit", "-s", conf, "-P", "bad lockout attempt", "-C", rq->args[0]);
	if (r == 0)
		r = TOOL(rq, NULL, "pdbedit", "-s", conf, "-P", "lockout duration", "-C", rq->args[1]);
	if (r == 0)
		r = TOOL(rq, NULL, "pdbedit", "-s", conf, "-P", "reset count minutes", "-C", rq->args[1]);
	return r < 0 ? r : write_note("policy", "lockout", note);
}

/* A descriptor with the names of those who are locked out. */
static int op_locked(struct keeper_request *rq)
{
	char conf[PATH_MAX], policy[64];
	unsigned attempts = 0, minutes = 0;
	if (read_note("policy", "lockout", policy, sizeof(policy)) < 0 || sscanf(policy, "%u %u", &attempts, &minutes) != 2 || !attempts)
		return rq->answer_fd = memfd_create("locked", MFD_CLOEXEC), rq->answer_fd < 0 ? -errno : 0;
	int r = ensure_conf(rq, conf);
	_cleanup_(closep) int all = memfd_create("pdbedit", MFD_CLOEXEC), fd = memfd_create("locked", MFD_CLOEXEC);
	if (r < 0 || all < 0 || fd < 0)
		return r < 0 ? r : -errno;
	const struct keeper_run_opts o = { .argv = (const char *const[]){ "pdbedit", "-s", conf, "-L", "-v", NULL }, .out_fd = all, .stdout_only = true };
	r = keeper_spawn(&o);
	if (r != 0)
		return keeper_refuse(rq, r < 0 ? r : -EIO, "pdbedit does not tell who is locked out");
	lseek(all, 0, SEEK_SET);
	FILE *said = fdopen(all, "r"), *names = fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 3), "w");
	if (said)
		all = -1;
	if (said && names)
		account_locked(said, time(NULL), minutes, names);
	bool well = said && names && !ferror(names);
	if (said)
		fclose(said);
	if (names && fclose(names) != 0)
		well = false;
	if (!well)
		return -ENOMEM;
	rq->answer_fd = take_fd(&fd);
	return 0;
}

/* NAME GID STATE MEMBER.. */
static int op_group_set(struct keeper_request *rq)
{
	const char *name = rq->args[0];
	const uint64_t gid = keeper_number(rq->args[1]);
	const struct group *g = getgrnam(name);
	char note[128], had[128];
	if (gid < FIRST_ID || gid > LAST_ID)
		return keeper_refuse(rq, -ERANGE, "the gid %s is not between %u and %u", rq->args[1], FIRST_ID, LAST_ID);
	if (g && (g->gr_gid != gid || read_note("group", name, had, sizeof(had)) < 0))
		return keeper_refuse(rq, -EEXIST, "the system has a group %s that is not Holdfast's; choose another name", name);
	for (size_t i = 3; i < rq->arg_count; i++) {
		const struct passwd *pw = getpwnam(rq->args[i]);
		if (!pw || !is_our_user(pw))
			return keeper_refuse(rq, -ENOENT, "there is no user %s of Holdfast's", rq->args[i]);
	}
	snprintf(note, sizeof(note), "%s", rq->args[2]);
	if (!g) {
		/* First the note: a group without it would be nobody's. */
		int r = write_note("group", name, "new");
		if (r == 0)
			r = TOOL(rq, NULL, "groupadd", "-g", rq->args[1], name);
		if (r < 0) {
			drop_note("group", name);
			return r;
		}
	}
	_cleanup_(freep) char *list = calloc(rq->arg_count + 1, 34);
	if (!list)
		return -ENOMEM;
	for (size_t i = 3, n = 0; i < rq->arg_count; i++)
		n += (size_t)snprintf(list + n, 34, "%s%s", i > 3 ? "," : "", rq->args[i]);
	int r = TOOL(rq, NULL, "gpasswd", "-M", list, name);
	return r < 0 ? r : write_note("group", name, note);
}

static int op_group_delete(struct keeper_request *rq)
{
	const char *name = rq->args[0];
	char had[128];
	const struct group *g = getgrnam(name);
	if (read_note("group", name, had, sizeof(had)) < 0)
		return g ? keeper_refuse(rq, -EPERM, "the group %s is not Holdfast's", name) : 0;
	int r = g && g->gr_gid >= FIRST_ID && g->gr_gid <= LAST_ID ? TOOL(rq, NULL, "groupdel", name) : 0;
	if (r == 0)
		drop_note("group", name);
	return r;
}

/* A descriptor with lines: user|group NAME STATE ("-" when the account has gone from the system). */
static int op_list(struct keeper_request *rq)
{
	char path[PATH_MAX];
	_cleanup_(closep) int fd = memfd_create("accounts", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *d = opendir(keeper_path(path, "account"));
	for (const struct dirent *e; d && (e = readdir(d));) {
		const char *dot = strchr(e->d_name, '.');
		char kind[16], state[128];
		if (!dot || dot == e->d_name || (size_t)(dot - e->d_name) >= sizeof(kind) || !keeper_name_is_account(dot + 1))
			continue;
		memcpy(kind, e->d_name, (size_t)(dot - e->d_name));
		kind[dot - e->d_name] = '\0';
		bool user = strcmp(kind, "user") == 0;
		if (!user && strcmp(kind, "group") != 0)
			continue;
		bool there = user ? getpwnam(dot + 1) != NULL : getgrnam(dot + 1) != NULL;
		if (read_note(kind, dot + 1, state, sizeof(state)) == 0)
			dprintf(fd, "%s %s %s\n", kind, dot + 1, there && state[0] ? state : "-");
	}
	if (d)
		closedir(d);
	rq->answer_fd = take_fd(&fd);
	return 0;
}

const struct keeper_op keeper_ops_account[] = {
	{ "user-set", "auTwUPww", true, op_user_set },
	{ "user-password", "as", true, op_user_password },
	{ "user-delete", "a", true, op_user_delete },
	{ "user-unlock", "a", true, op_user_unlock },
	{ "user-locked", "", false, op_locked },
	{ "lockout", "uu", true, op_lockout },
	{ "group-set", "auwa*", true, op_group_set },
	{ "group-delete", "a", true, op_group_delete },
	{ "account-list", "", false, op_list },
	{ 0 },
};
