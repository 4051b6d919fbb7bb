/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op_domain.c - operations on the Active Directory domain that this machine is a member of: look for it, join, leave, how it is,
 * who is in it; and winbindd as the keeper keeps it.
 *
 * A machine is a member when there is the note smb/domain/domain; it is written last and removed first.  Programs of Samba run with a
 * configuration that holds no line of the daemon's (smb/domain/winbindd.conf), in a view of the machine that is ours. */
#include "broker/domain_priv.h"

#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define NOTE "smb/domain/domain"
#define CONF "smb/domain/winbindd.conf"
#define OUT_BYTES 65536
#define PASSWORD_SET "Last machine account password change" /* of `net ads info` */

static pthread_mutex_t look_lock = PTHREAD_MUTEX_INITIALIZER; /* the files of a domain that is not joined yet; joining, leaving */
/* A domain that does not answer takes minutes to say so.  Only the end of joining and leaving keeps others from changing anything, and
 * until then both may be called off. */
static atomic_bool called_off;
static _Thread_local const atomic_bool *heeds; /* &called_off while this thread may be */

bool keeper_domain(struct domain *ret)
{
	char path[PATH_MAX], line[1024];
	_cleanup_(closep) int fd = open(keeper_path(path, NOTE), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : TEMP_FAILURE_RETRY(read(fd, line, sizeof(line) - 1));
	if (n <= 0)
		return false;
	line[n] = '\0';
	return domain_note_parse(line, ret) == 0;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */
static int write_text(const char *below, void (*writer)(const struct domain *d, const char *folder, FILE *f), const struct domain *d)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	writer(d, keeper_dir(), f);
	int r = fclose(f) != 0 ? -ENOMEM : keeper_write(below, text, len, 0644, NULL);
	free(text);
	return r;
}

static void conf_text(const struct domain *d, const char *dir, FILE *f)
{
	fprintf(f, "[global]\n\tpassdb backend = tdbsam:%s/smb/private/passdb.tdb\n\tprivate dir = %s/smb/private\n\tlock directory = %s/smb/lock\n"
		"\tstate directory = %s/smb/state\n\tcache directory = %s/smb/cache\n\tpid directory = %s/smb/run\n\tncalrpc dir = %s/smb/ncalrpc\n"
		"\tlog file = %s/smb/log/log.winbindd\n\tlogging = file\n\tlog level = 1\n\tmax log size = 20000\n\tdisable netbios = yes\n"
		"\tload printers = no\n\tprintcap name = /dev/null\n\tusershare max shares = 0\n\tpanic action =\n"
		"\tidmap config * : backend = tdb\n\tidmap config * : range = 100000-200000\n", dir, dir, dir, dir, dir, dir, dir, dir);
	domain_smb_lines(d, f);
}
static void resolv_text(const struct domain *d, const char *dir, FILE *f)
{
	(void)dir;
	fprintf(f, "nameserver %s\noptions timeout:3 attempts:2\n", d->dns);
}

static int write_files(const struct domain *d)
{
	char path[PATH_MAX];
	int r = keeper_smb_folders();
	if (r == 0)
		r = keeper_mkdir("smb/domain", 0711);
	if (r == 0)
		r = write_text(CONF, conf_text, d);
	if (r == 0)
		r = write_text("smb/domain/krb5.conf", domain_krb5, d);
	if (r == 0 && d->dns[0])
		r = write_text("smb/domain/resolv.conf", resolv_text, d);
	else
		unlink(keeper_path(path, "smb/domain/resolv.conf"));
	return r;
}

static void remove_files(void)
{
	static const char *const files[] = { CONF, "smb/domain/krb5.conf", "smb/domain/resolv.conf", "smb/domain/nsswitch.conf",
					     "smb/private/netlogon_creds_cli.tdb", "smb/state/winbindd_cache.tdb", "smb/state/winbindd_cache.tdb.bak" };
	char path[PATH_MAX];
	for (size_t i = 0; i < ARRAY_COUNT(files); i++)
		unlink(keeper_path(path, "%s", files[i]));
	domain_keytab_forget();
}

/* ---- programs ------------------------------------------------------------------------------------------------------------ */
/* One of Samba's with the domain's configuration and view.  secret: given as often as it is asked for. */
int domain_tool(const char *program, const char *const *words, const char *secret, char *out, size_t out_bytes, unsigned timeout_s)
{
	char conf[PATH_MAX], input[4096];
	const char *argv[24] = { program };
	size_t n = 1, used = 0;
	for (; *words && n < ARRAY_COUNT(argv) - 3; words++)
		argv[n++] = *words;
	/* wbinfo asks winbind and nobody else; to it, -s means something else. */
	if (strcmp(program, "wbinfo") != 0) {
		argv[n++] = "-s";
		argv[n++] = keeper_path(conf, CONF);
	}
	for (int i = 0; secret && i < 6; i++)
		used += (size_t)snprintf(input + used, sizeof(input) - used, "%s\n", secret);
	_cleanup_(freep) struct keeper_view *view = malloc(sizeof(*view));
	int r = view ? keeper_view_prepare(view, out, out_bytes) : -ENOMEM;
	if (r == 0) {
		const struct keeper_run_opts o = { .argv = argv, .input = secret ? input : NULL, .input_bytes = used, .out = out, .out_bytes = out_bytes,
						   .timeout_s = timeout_s, .view = view, .env = secret ? "PASSWD_FD=0" : NULL, .cancel = heeds };
		r = keeper_spawn(&o);
	}
	explicit_bzero(input, sizeof(input));
	return r == 125 ? -EPERM : r;
}
#define TOOL(program, secret, out, out_bytes, timeout_s, ...) domain_tool(program, (const char *const[]){ __VA_ARGS__, NULL }, secret, out, out_bytes, timeout_s)

static bool has_nss_module(void)
{
	static const char *const places[] = { "/usr/lib/*/libnss_winbind.so.2", "/lib/*/libnss_winbind.so.2", "/usr/lib64/libnss_winbind.so.2", "/usr/lib/libnss_winbind.so.2" };
	bool found = false;
	for (size_t i = 0; i < ARRAY_COUNT(places) && !found; i++) {
		glob_t g = { 0 };
		found = glob(places[i], GLOB_NOSORT, NULL, &g) == 0;
		globfree(&g);
	}
	return found;
}

static int missing(char *why, size_t why_bytes)
{
	static const struct {
		const char *program, *package;
	} rows[] = { { "winbindd", "winbind (Debian), samba-winbind (Fedora)" }, { "wbinfo", "winbind (Debian), samba-winbind-clients (Fedora)" },
		     { "net", "samba-common-bin (Debian), samba-common-tools (Fedora)" } };
	char path[PATH_MAX];
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (!keeper_program(rows[i].program, path)) {
			snprintf(why, why_bytes, "%s is not installed: package %s", rows[i].program, rows[i].package);
			return -ENOENT;
		}
	if (has_nss_module())
		return 0;
	snprintf(why, why_bytes, "the name service module of winbind is not installed: package libnss-winbind (Debian), samba-winbind-modules (Fedora)");
	return -ENOENT;
}

/* ---- winbindd --------------------------------------------------------------------------------------------------------------- */
static const char *const winbindd_programs[] = { "winbindd", NULL };

static int winbindd_argv(const char **argv, size_t argv_count, char *buf, size_t buf_bytes, char *why, size_t why_bytes)
{
	struct domain d;
	char path[PATH_MAX];
	if (argv_count < 5 || !keeper_domain(&d)) {
		snprintf(why, why_bytes, "this machine is a member of no domain");
		return -ENOENT;
	}
	int r = write_files(&d);
	if (r < 0) {
		snprintf(why, why_bytes, "cannot write winbind's configuration: %s", strerror(-r));
		return r;
	}
	snprintf(buf, buf_bytes, "%s", keeper_path(path, CONF));
	argv[0] = "-F";
	argv[1] = "--no-process-group";
	argv[2] = "-s";
	argv[3] = buf;
	return 0;
}

static bool winbindd_ready(void)
{
	char out[1024];
	return TOOL("wbinfo", NULL, out, sizeof(out), 10, "--ping") == 0;
}

const struct keeper_kind keeper_kind_winbindd = {
	.name = "winbindd", .programs = winbindd_programs, .argv = winbindd_argv, .ready = winbindd_ready, .stopped = keeper_smb_stopped, .log = "smb/log/log.winbindd", .files = 16384, .in_domain = true,
};

static int said_off(char *text, size_t bytes)
{
	snprintf(text, bytes, "it was called off");
	return -ECANCELED;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------ */
/* What DNS and a domain controller say without a login, as lines KEY VALUE. */
static int look(struct domain *d, char *text, size_t bytes)
{
	char value[256], site[128], dc[256], address[96], offset[32];
	_cleanup_(freep) char *out = malloc(OUT_BYTES);
	if (!out)
		return -ENOMEM;
	int r = TOOL("net", NULL, out, OUT_BYTES, 20, "ads", "lookup");
	if (r == 0)
		domain_value(out, "Pre-Win2k Domain", value, sizeof(value));
	if (r == -ECANCELED)
		return said_off(text, bytes);
	if (r == -ETIMEDOUT || (r >= 0 && (r > 0 || !value[0]))) {
		snprintf(text, bytes, "no domain controller of %s was found: %s does not know it, or none answers (DNS: _ldap._tcp.%s, port 389 over UDP and TCP)", d->realm,
			 d->dns[0] ? d->dns : "this machine's DNS", d->realm);
		return -EHOSTUNREACH;
	}
	if (r < 0) {
		snprintf(text, bytes, "cannot run net: %s", out[0] ? out : strerror(-r));
		return r;
	}
	snprintf(d->workgroup, sizeof(d->workgroup), "%.15s", value);
	domain_value(out, "Client Site Name", site, sizeof(site));
	r = TOOL("net", NULL, out, OUT_BYTES, 20, "ads", "info");
	if (r == -ECANCELED)
		return said_off(text, bytes);
	if (r != 0) {
		snprintf(text, bytes, "the domain controller of %s does not answer over LDAP (port 389)", d->realm);
		return r < 0 ? r : -EHOSTUNREACH;
	}
	domain_value(out, "LDAP server name", dc, sizeof(dc));
	domain_value(out, "LDAP server", address, sizeof(address));
	domain_value(out, "Server time offset", offset, sizeof(offset));
	domain_value(out, PASSWORD_SET, value, sizeof(value));
	snprintf(text, bytes, "realm %s\nworkgroup %s\ndc %s\ndc_address %s\nsite %s\nclock %ld\npassword_set %s\n", d->realm, d->workgroup, dc, address, site, strtol(offset, NULL, 10),
		 value);
	return 0;
}

/* The arguments REALM NAME DNS FIRST, from a. */
static int read_args(struct keeper_request *rq, size_t a, struct domain *d)
{
	const char *why;
	*d = (struct domain){ .first_id = (unsigned)keeper_number(rq->args[a + 3]) };
	snprintf(d->realm, sizeof(d->realm), "%s", rq->args[a]);
	snprintf(d->name, sizeof(d->name), "%.15s", rq->args[a + 1]);
	snprintf(d->dns, sizeof(d->dns), "%.63s", rq->args[a + 2]);
	if (strlen(rq->args[a + 1]) > 15)
		return keeper_refuse(rq, -ENAMETOOLONG, "the name %.60s is too long: a domain has room for 15", rq->args[a + 1]);
	if (domain_check(d, &why) < 0)
		return keeper_refuse(rq, -EINVAL, "%s", why);
	return missing(rq->text, sizeof(rq->text));
}

static int start_to_look(struct keeper_request *rq, struct domain *d)
{
	struct domain have;
	if (keeper_domain(&have))
		return keeper_refuse(rq, -EEXIST, "this machine is a member of %s already; leave it first", have.realm);
	int r = write_files(d);
	return r < 0 ? keeper_refuse(rq, r, "cannot write the domain's configuration: %s", strerror(-r)) : look(d, rq->text, sizeof(rq->text));
}

static int busy(struct keeper_request *rq)
{
	return keeper_refuse(rq, -EBUSY, "a domain is being looked for, joined or left already; wait for its end, or cancel its task");
}

/* REALM NAME DNS FIRST: lines KEY VALUE. */
static int op_look(struct keeper_request *rq)
{
	struct domain d;
	int r = read_args(rq, 0, &d);
	if (r < 0)
		return r;
	if (pthread_mutex_trylock(&look_lock) != 0)
		return busy(rq);
	r = start_to_look(rq, &d);
	pthread_mutex_unlock(&look_lock);
	return r;
}

/* ---- joining ------------------------------------------------------------------------------------------------------------------- */
/* Local users' ACLs name this machine by its SID, which Samba keeps by the machine's name: it stays under another one. */
static void keep_sid(const char *sid)
{
	char out[1024];
	if (sid[0] && TOOL("net", NULL, out, sizeof(out), 30, "setlocalsid", sid) != 0)
		log_warn(&log_keeper, "the SID of local users is another now, continuing without the old one", "sid=%s", sid);
}

static void local_sid(char *sid, size_t bytes)
{
	char conf[PATH_MAX], out[1024];
	const char *const argv[] = { "net", "getlocalsid", "-s", keeper_path(conf, "smb/etc/smb.conf"), NULL };
	const struct keeper_run_opts o = { .argv = argv, .out = out, .out_bytes = sizeof(out), .timeout_s = 30, .stdout_only = true };
	sid[0] = '\0';
	if (access(conf, R_OK) < 0 || keeper_spawn(&o) != 0)
		return;
	const char *p = strstr(out, "S-1-5-21-");
	if (p)
		snprintf(sid, bytes, "%.*s", (int)strspn(p, "S-0123456789"), p);
}

/* May this stand behind -U?  A % would begin a password. */
static bool is_admin(const char *s)
{
	return s[0] && s[0] != '-' && strlen(s) <= 128 && !strpbrk(s, "%/\"");
}

static int join(struct keeper_request *rq, struct domain *d, const char *ou, const char *admin, const char *secret)
{
	char place[512], host[320], user[160], sid[128];
	long clock = 0;
	_cleanup_(freep) char *out = malloc(OUT_BYTES);
	int r = out ? start_to_look(rq, d) : -ENOMEM;
	if (r < 0)
		return r;
	const char *said = strstr(rq->text, "\nclock ");
	if (said)
		clock = strtol(said + 7, NULL, 10);
	if (clock > DOMAIN_CLOCK_S || clock < -DOMAIN_CLOCK_S)
		return keeper_refuse(rq, -ETIME, "the clocks of this machine and of the domain are %ld seconds apart, and %d are allowed: let both follow one time server", labs(clock),
				     DOMAIN_CLOCK_S);
	const char *why;
	if (domain_check(d, &why) < 0)
		return keeper_refuse(rq, -EINVAL, "%s", why);
	r = write_files(d); /* with the short name */
	if (r < 0)
		return keeper_refuse(rq, r, "cannot write the domain's configuration: %s", strerror(-r));
	local_sid(sid, sizeof(sid));
	snprintf(host, sizeof(host), "dnshostname=%s.%s", d->name, d->realm);
	for (char *p = host + 12; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
	snprintf(place, sizeof(place), "createcomputer=%s", ou);
	snprintf(user, sizeof(user), "--user=%s", admin);
	r = ou[0] ? TOOL("net", secret, out, OUT_BYTES, 90, "ads", "join", user, "--no-dns-updates", host, place)
		  : TOOL("net", secret, out, OUT_BYTES, 90, "ads", "join", user, "--no-dns-updates", host);
	heeds = NULL;
	if (r == -ECANCELED)
		return keeper_refuse(rq, r, "it was called off; the domain may have an account of this machine already");
	if (r == -ETIMEDOUT)
		return keeper_refuse(rq, r, "the domain did not answer in time");
	if (r != 0)
		return r < 0 ? keeper_refuse(rq, r, "cannot run net: %s", out[0] ? out : strerror(-r)) : domain_explain(out, "joining failed", rq->text, sizeof(rq->text));
	keep_sid(sid);
	return 0;
}

/* Best effort: a domain whose DNS is another's has no use for it. */
static bool tell_dns(const struct domain *d)
{
	char out[4096], host[300];
	snprintf(host, sizeof(host), "%s.%s", d->name, d->realm);
	for (char *p = host; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
	int r = TOOL("net", NULL, out, sizeof(out), 30, "ads", "dns", "register", "-P", host);
	if (r != 0)
		log_info(&log_keeper, "the domain's DNS does not take this machine's name", "host=%s text=\"%.200s\"", host, out);
	return r == 0;
}

/* What NFS with Kerberos needs; a domain that does not give it is one for SMB all the same, and is asked again. */
static void first_keytab(void)
{
	char value[256], why[512];
	_cleanup_(freep) char *out = malloc(OUT_BYTES);
	if (out && TOOL("net", NULL, out, OUT_BYTES, 20, "ads", "info") == 0 && domain_keytab_keep(domain_value(out, PASSWORD_SET, value, sizeof(value)), why, sizeof(why)) < 0)
		log_info(&log_keeper, "the keytab is tried again", "why=\"%s\"", why);
}

/* From here on this machine is a member: what its servers see changes with the note. */
static int finish_join(struct keeper_request *rq, const struct domain *d)
{
	char note[512], why[512] = "", other[512];
	bool dns = tell_dns(d);
	first_keytab();
	domain_note(d, note, sizeof(note));
	keeper_change_begin();
	int r = keeper_write(NOTE, note, strlen(note), 0600, NULL), started = 0;
	if (r == 0) {
		started = keeper_child_start(&keeper_kind_winbindd, why, sizeof(why));
		int again = keeper_smb_again(started == 0 ? why : other, started == 0 ? sizeof(why) : sizeof(other));
		started = started < 0 ? started : again;
	}
	keeper_change_end();
	if (r < 0)
		return keeper_refuse(rq, r, "cannot write the note of the domain: %s", strerror(-r));
	log_info(&log_keeper, "joined a domain", "realm=%s workgroup=%s name=%s", d->realm, d->workgroup, d->name);
	/* A member it is all the same; what does not start is tried again. */
	if (started < 0)
		log_warn(&log_keeper, "the domain was joined, and its servers are not ready yet", "why=\"%s\"", why);
	size_t n = strlen(rq->text);
	snprintf(rq->text + n, sizeof(rq->text) - n, "name %s\nfirst_id %u\nregistered %s\nwhy %s\n", d->name, d->first_id, dns ? "yes" : "no", why);
	return 0;
}

/* REALM NAME DNS FIRST OU ADMIN SECRET: lines KEY VALUE. */
static int op_join(struct keeper_request *rq)
{
	struct domain d;
	int r = read_args(rq, 0, &d);
	if (r < 0)
		return r;
	if (!is_admin(rq->args[5]))
		return keeper_refuse(rq, -EINVAL, "an administrator of the domain is named without %%, / and quotes");
	if (!rq->args[6][0])
		return keeper_refuse(rq, -EINVAL, "a password is not empty");
	if (pthread_mutex_trylock(&look_lock) != 0)
		return busy(rq);
	atomic_store(&called_off, false);
	heeds = &called_off;
	r = join(rq, &d, rq->args[4], rq->args[5], rq->args[6]);
	heeds = NULL;
	if (r == 0)
		r = finish_join(rq, &d);
	pthread_mutex_unlock(&look_lock);
	return r;
}

/* ---- leaving --------------------------------------------------------------------------------------------------------------------- */
/* Our part of the secret goes, whatever became of the account there: net takes it away only when the domain agrees.  The rest of the file are
 * the SIDs of local users, which stay. */
static void forget_secret(const struct domain *d)
{
	static const char *const keys[] = { "MACHINE_PASSWORD", "MACHINE_PASSWORD.PREV", "MACHINE_DOMAIN_INFO", "MACHINE_LAST_CHANGE_TIME", "MACHINE_SEC_CHANNEL_TYPE", "DOMGUID", "SID" };
	char file[PATH_MAX], key[320], out[512];
	const char *const argv[] = { "tdbtool", keeper_path(file, "smb/private/secrets.tdb"), "delete", key, NULL };
	const struct keeper_run_opts o = { .argv = argv, .out = out, .out_bytes = sizeof(out), .timeout_s = 10 };
	for (size_t i = 0; i <= ARRAY_COUNT(keys); i++) {
		if (i < ARRAY_COUNT(keys))
			snprintf(key, sizeof(key), "SECRETS/%s/%s", keys[i], d->workgroup);
		else
			snprintf(key, sizeof(key), "SECRETS/SALTING_PRINCIPAL/DES/%s", d->realm);
		if (keeper_spawn(&o) < 0)
			log_warn(&log_keeper, "the domain's secret may still be on this machine", "file=%s why=\"%s\"", file, out);
	}
}

/* What is left of it there when force is: without an administrator, or when the domain does not answer. */
static int leave(struct keeper_request *rq, const struct domain *d, const char *admin, bool force)
{
	char user[160], path[PATH_MAX], why[512] = "";
	bool gone = false;
	_cleanup_(freep) char *out = malloc(OUT_BYTES);
	if (!out)
		return -ENOMEM;
	if (admin[0]) {
		snprintf(user, sizeof(user), "--user=%s", admin);
		int r = TOOL("net", rq->args[1], out, OUT_BYTES, 90, "ads", "leave", user);
		heeds = NULL;
		gone = r == 0;
		if (r == -ECANCELED)
			return keeper_refuse(rq, r, "it was called off; the domain may have removed its account of this machine already");
		if (r != 0 && !force)
			return r < 0 ? keeper_refuse(rq, r, "the domain did not answer: %s", strerror(-r)) : domain_explain(out, "leaving failed", rq->text, sizeof(rq->text));
	}
	keeper_change_begin();
	unlink(keeper_path(path, NOTE));
	int r = keeper_child_stop(&keeper_kind_winbindd);
	if (r < 0)
		log_warn(&log_keeper, "winbindd does not stop", "errno=%d", -r);
	forget_secret(d);
	remove_files();
	r = keeper_smb_again(why, sizeof(why));
	keeper_change_end();
	log_info(&log_keeper, "left a domain", "realm=%s account=%s", d->realm, gone ? "removed" : "stays");
	snprintf(rq->text, sizeof(rq->text), "realm %s\naccount %s\nwhy %s\n", d->realm, gone ? "removed" : "stays", r < 0 ? why : "");
	return 0;
}

/* ADMIN SECRET FORCE. */
static int op_leave(struct keeper_request *rq)
{
	struct domain d;
	bool force = strcmp(rq->args[2], "force") == 0;
	if (!keeper_domain(&d))
		return keeper_refuse(rq, -ENOENT, "this machine is a member of no domain");
	if (rq->args[0][0] && !is_admin(rq->args[0]))
		return keeper_refuse(rq, -EINVAL, "an administrator of the domain is named without %%, / and quotes");
	if (!rq->args[0][0] && !force)
		return keeper_refuse(rq, -EINVAL, "name an administrator who may remove this machine from the domain, or force it: then the account stays there");
	if (pthread_mutex_trylock(&look_lock) != 0)
		return busy(rq);
	atomic_store(&called_off, false);
	heeds = &called_off;
	int r = leave(rq, &d, rq->args[0], force);
	heeds = NULL;
	pthread_mutex_unlock(&look_lock);
	return r;
}

/* Joining and leaving end soon, unless they are at their end already. */
static int op_call_off(struct keeper_request *rq)
{
	(void)rq;
	atomic_store(&called_off, true);
	return 0;
}

/* ---- how it is ----------------------------------------------------------------------------------------------------------------------- */
static int op_note(struct keeper_request *rq)
{
	struct domain d;
	char why[512];
	if (keeper_domain(&d))
		snprintf(rq->text, sizeof(rq->text), "joined yes\nrealm %s\nworkgroup %s\nname %s\nfirst_id %u\nlast_id %u\ndns %s\n", d.realm, d.workgroup, d.name, d.first_id,
			 DOMAIN_LAST_ID, d.dns);
	else if (missing(why, sizeof(why)) < 0)
		snprintf(rq->text, sizeof(rq->text), "joined no\nmissing %s\n", why);
	else
		snprintf(rq->text, sizeof(rq->text), "joined no\n");
	return 0;
}

static int op_status(struct keeper_request *rq)
{
	struct domain d;
	char text[2048], why[512] = "";
	_cleanup_(freep) char *out = malloc(OUT_BYTES);
	if (!out)
		return -ENOMEM;
	op_note(rq);
	if (!keeper_domain(&d))
		return 0;
	size_t n = strlen(rq->text);
	bool runs = keeper_child_pid(&keeper_kind_winbindd) != 0;
	/* The secret this machine and the domain share: as `wbinfo -t` and `net ads testjoin` ask for it. */
	int trust = runs ? TOOL("wbinfo", NULL, out, OUT_BYTES, 20, "--check-secret") : -ESRCH;
	if (trust == -ESRCH)
		snprintf(why, sizeof(why), "winbindd does not run");
	else if (trust == -ETIMEDOUT)
		snprintf(why, sizeof(why), "no domain controller answers in time");
	else if (trust != 0)
		domain_explain(out, "the trust is not valid", why, sizeof(why));
	struct domain seen = d;
	int r = look(&seen, text, sizeof(text));
	/* What look() says of the realm and the short name is known. */
	const char *dc = r == 0 ? strstr(text, "\ndc ") : NULL;
	const char *set = dc ? strstr(dc, "\npassword_set ") : NULL;
	if (set) {
		char of[128], not[256];
		snprintf(of, sizeof(of), "%.*s", (int)strcspn(set + 14, "\n"), set + 14);
		if (domain_keytab_keep(of, not, sizeof(not)) < 0)
			log_debug(&log_keeper, "no keytab of the domain yet", "why=\"%s\"", not);
	}
	n += (size_t)snprintf(rq->text + n, sizeof(rq->text) - n, "winbind %s\ntrust %s\ntrust_why %s\n", runs ? "running" : "stopped", trust == 0 ? "ok" : "failed", why);
	snprintf(rq->text + n, sizeof(rq->text) - n, "reached %s\n%s%s\n", dc ? "yes" : "no", dc ? dc + 1 : "reached_why ", dc ? "" : text);
	return 0;
}

/* ---- who is in it ----------------------------------------------------------------------------------------------------------------------- */
/* NAME: "SID<newline>user|group<newline>DOM\name". */
static int op_sid(struct keeper_request *rq)
{
	struct domain d;
	char out[2048], sid[128] = "", type[32] = "", option[1100];
	if (!keeper_domain(&d))
		return keeper_refuse(rq, -ENOENT, "this machine is a member of no domain: holdfast nas join");
	snprintf(option, sizeof(option), "--name-to-sid=%s", rq->args[0]);
	int r = TOOL("wbinfo", NULL, out, sizeof(out), 20, option);
	if (r < 0 || strstr(out, "WINBIND_NOT_AVAILABLE"))
		return keeper_refuse(rq, -EHOSTUNREACH, "the domain cannot be asked for %.100s now", rq->args[0]);
	if (r != 0 || sscanf(out, "%127s %31s", sid, type) != 2 || strncmp(sid, "S-1-", 4) != 0)
		return keeper_refuse(rq, -ENOENT, "the domain %s knows nobody called %.100s", d.workgroup, rq->args[0]);
	bool user = strcmp(type, "SID_USER") == 0;
	if (!user && strcmp(type, "SID_DOM_GROUP") != 0 && strcmp(type, "SID_ALIAS") != 0)
		return keeper_refuse(rq, -ENOENT, "%.100s is neither a user nor a group", rq->args[0]);
	snprintf(option, sizeof(option), "--sid-to-name=%s", sid);
	r = TOOL("wbinfo", NULL, out, sizeof(out), 20, option);
	char *end = r == 0 ? strrchr(out, ' ') : NULL; /* NAME NUMBER */
	if (!end)
		return keeper_refuse(rq, -EHOSTUNREACH, "the domain cannot be asked for %.100s now", rq->args[0]);
	*end = '\0';
	snprintf(rq->text, sizeof(rq->text), "%s\n%s\n%s", sid, user ? "user" : "group", out);
	return 0;
}

/* TEXT: a descriptor with lines KIND NAME FULL-NAME, tabs between: those whose name begins with it. */
static int op_find(struct keeper_request *rq)
{
	struct domain d;
	char word[400], filter[1600];
	_cleanup_(freep) char *out = malloc(OUT_BYTES * 4);
	if (!out)
		return -ENOMEM;
	if (!keeper_domain(&d))
		return keeper_refuse(rq, -ENOENT, "this machine is a member of no domain");
	if (strlen(rq->args[0]) > 64 || domain_ldap_escape(rq->args[0], word, sizeof(word)) < 0)
		return keeper_refuse(rq, -EINVAL, "this is too long to look for");
	snprintf(filter, sizeof(filter), "(&(|(sAMAccountType=805306368)(sAMAccountType=268435456)(sAMAccountType=536870912))(|(sAMAccountName=%s*)(displayName=%s*)))", word, word);
	int r = TOOL("net", NULL, out, OUT_BYTES * 4, 15, "ads", "search", "-P", filter, "sAMAccountName", "sAMAccountType", "displayName");
	if (r < 0)
		return keeper_refuse(rq, r, r == -ETIMEDOUT ? "too many begin with this: type more of the name" : "the domain cannot be asked now");
	if (r != 0)
		return domain_explain(out, "looking failed", rq->text, sizeof(rq->text));
	_cleanup_(closep) int fd = memfd_create("domain", MFD_CLOEXEC);
	int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *f = copy < 0 ? NULL : fdopen(copy, "w");
	if (!f) {
		closep(&copy);
		return -ENOMEM;
	}
	domain_found(out, 50, f);
	if (fclose(f) != 0)
		return -ENOMEM;
	rq->answer_fd = take_fd(&fd);
	return 0;
}

const struct keeper_op keeper_ops_domain[] = {
	{ "domain-note", "", false, op_note },        /* what is written down: no program runs */
	{ "domain-look", "tWTu", false, op_look },
	{ "domain-join", "tWTuTts", false, op_join }, /* they take the lock of changes themselves */
	{ "domain-leave", "TsW", false, op_leave },
	{ "domain-call-off", "", false, op_call_off },
	{ "domain-status", "", false, op_status },
	{ "domain-sid", "t", false, op_sid },
	{ "domain-find", "t", false, op_find },
	{ 0 },
};
