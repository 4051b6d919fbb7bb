/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor.c - holdfast doctor: is this machine fit to serve, and what to do where it is not.
 *
 * Looks at the machine itself and asks the server what only it knows; each check is one function that says one or
 * more findings.  Nothing is changed. */
#include "config.h"

#include "cli/cli_priv.h"

#include <stdarg.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>

#include "cli/doctor_priv.h"

struct doctor {
	struct cli *c;
	json_t *findings;                /* array of {"check","result","text","fix"} */
	json_t *status;                  /* NULL: the server does not answer */
	bool sick;                       /* something must be done */
};
enum finding { FINE, LOOK, BAD };

/* fix: "" when there is nothing to do. */
_printf_(5, 6) static void found(struct doctor *d, const char *check, enum finding f, const char *fix, const char *fmt, ...)
{
	static const char *const words[] = { "ok", "warning", "error" };
	_cleanup_(freep) char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	d->sick |= f == BAD;
	json_array_append_new(d->findings, json_pack("{s:s, s:s, s:s, s:s?}", "check", check, "result", words[f], "text", text ? text : "", "fix", *fix ? fix : NULL));
}

static bool read_line(const char *path, char *buf, size_t buf_bytes)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, (int)buf_bytes, f);
	if (f)
		fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

/* A GET that may fail without a word; NULL then.  Returns owned. */
static json_t *ask(struct doctor *d, const char *path)
{
	struct reply r = { 0 };
	json_t *j = NULL;
	if (d->status && client_call(d->c, "GET", path, NULL, NULL, &r) == CLI_DONE && r.status == 200)
		j = json_incref(r.json);
	reply_done(&r);
	return j;
}

/* ---- the server --------------------------------------------------------------------------------------------- */
static void check_server(struct doctor *d)
{
	const char *version = text(d->status, "version"), *problem = text(d->status, "secrets_problem");
	if (!d->status) {
		found(d, "server", BAD, "systemctl enable --now holdfastd   (or start holdfastd --state DIR; give --state DIR here too)", "The server does not answer on its socket.");
		return;
	}
	found(d, "server", FINE, "", "The server answers; it runs since %s.", text(d->status, "started_at"));
	if (strcmp(version, PACKAGE_VERSION) != 0)
		found(d, "version", LOOK, "systemctl restart holdfastd", "The server is version %s, this command %s: it was upgraded and not restarted.", version, PACKAGE_VERSION);
	else
		found(d, "version", FINE, "", "The server and this command are version %s.", version);
	if (*problem)
		found(d, "secrets", BAD, "Put the file secret.key of this server back into its state folder and restart.", "%s", problem);
}

static void check_alerts(struct doctor *d)
{
	json_t *page = ask(d, "/api/v1/alerts"), *a;
	size_t i;
	json_array_foreach(json_object_get(page, "items"), i, a)
		found(d, "alert", strcmp(text(a, "level"), "error") == 0 ? BAD : LOOK, text(a, "fix"), "%s", text(a, "text"));
	if (page && json_array_size(json_object_get(page, "items")) == 0)
		found(d, "alert", FINE, "", "No alert is active.");
	json_decref(page);
}

static void check_limits(struct doctor *d)
{
	char path[64], line[256];
	long long pid = json_integer_value(json_object_get(d->status, "pid")), soft = -1;
	if (!pid)
		return;
	snprintf(path, sizeof(path), "/proc/%lld/limits", pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Max open files %lld", &soft) == 1)
			break;
	if (f)
		fclose(f);
	if (soft >= 0 && soft < 16384)
		found(d, "limits", LOOK, "systemctl edit holdfastd   and add:  [Service]  LimitNOFILE=262144", "The server may open %lld files: each connection needs one.", soft);
	else if (soft >= 0)
		found(d, "limits", FINE, "", "The server may open %lld files.", soft);
}

/* Is it held by AppArmor or SELinux?  Not a word where it is not: nothing is wrong then. */
static void check_confined(struct doctor *d)
{
	static const char *const labels[] = { "apparmor/current", "current" };
	long long pid = json_integer_value(json_object_get(d->status, "pid"));
	char path[64], line[256] = "";
	for (size_t i = 0; pid && i < ARRAY_COUNT(labels) && !*line; i++) {
		snprintf(path, sizeof(path), "/proc/%lld/attr/%s", pid, labels[i]);
		if (!read_line(path, line, sizeof(line)))
			*line = '\0';
	}
	char *mode = strstr(line, " (");
	if (mode && strcmp(mode, " (enforce)") == 0)
		found(d, "confined", FINE, "", "AppArmor confines the server by profile %.*s.", (int)(mode - line), line);
	else if (mode)
		found(d, "confined", LOOK, "aa-enforce /etc/apparmor.d/holdfastd   (when the kernel's log shows nothing that is needed)",
		      "AppArmor watches the server by profile %.*s, and forbids nothing.", (int)(mode - line), line);
	else if (strstr(line, ":holdfast_t:"))
		found(d, "confined", FINE, "", "SELinux confines the server as %s.", line);
}

/* ---- the machine ----------------------------------------------------------------------------------------------- */
static void check_kernel(struct doctor *d)
{
	const char *engine = text(d->status, "engine");
	struct utsname u;
	unsigned major = 0, minor = 0;
	char line[128];
	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return;
	if (major < 5 || (major == 5 && minor < 11))
		found(d, "kernel", LOOK, "Boot a kernel 5.11 or newer for io_uring.", "Linux %s is old: the server uses epoll, which is slower.", u.release);
	else
		found(d, "kernel", FINE, "", "Linux %s.", u.release);
	if (read_line("/proc/sys/kernel/io_uring_disabled", line, sizeof(line)) && strcmp(line, "0") != 0)
		found(d, "io_uring", LOOK, "sysctl -w kernel.io_uring_disabled=0   (and in /etc/sysctl.d/; then restart the server)", "The system forbids io_uring: the server uses epoll, which is slower.");
	else if (*engine)
		found(d, "io_uring", strcmp(engine, "epoll") == 0 ? LOOK : FINE, "", "The data path runs on %s.", engine);
	if (read_line("/proc/sys/net/ipv4/tcp_available_ulp", line, sizeof(line)) && !strstr(line, "tls"))
		found(d, "tls", LOOK, "modprobe tls; echo tls >/etc/modules-load.d/tls.conf", "The kernel's TLS is not loaded: NVMe/TCP over TLS costs more CPU without it.");
	if (read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", line, sizeof(line)) && strcmp(line, "powersave") == 0)
		found(d, "cpu", LOOK, "cpupower frequency-set -g performance", "The CPUs save power: requests that come one by one take longer.");
}

static void check_clock(struct doctor *d)
{
	struct timex t = { 0 };
	time_t now = time(NULL);
	if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC))
		found(d, "clock", LOOK, "systemctl enable --now chrony   (or systemd-timesyncd)", "No time server keeps the clock: certificates, logs and history need the right time.");
	else
		found(d, "clock", FINE, "", "The clock is kept by a time server.");
	if (now < 1750000000)
		found(d, "clock", BAD, "date -s ..; then let NTP keep it", "The clock is years behind.");
}

static void check_space_of(struct doctor *d, const char *what, const char *path)
{
	struct statvfs fs;
	char size[32], fix[256];
	if (statvfs(path, &fs))
		return;
	uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize, total = (uint64_t)fs.f_blocks * fs.f_frsize;
	size_print(free_bytes, size, sizeof(size));
	snprintf(fix, sizeof(fix), "Make room on the file system of %.180s.", path);
	if (free_bytes < (256u << 20))
		found(d, "space", BAD, fix, "%s has %s left: changes cannot be stored when it is full.", what, size);
	else if (free_bytes < total / 10)
		found(d, "space", LOOK, fix, "%s has %s left, less than a tenth.", what, size);
	else
		found(d, "space", FINE, "", "%s has %s left.", what, size);
}

static void check_space(struct doctor *d)
{
	json_t *page = ask(d, "/api/v1/pools?limit=1000"), *p;
	size_t i;
	if (*text(d->status, "state_dir"))
		check_space_of(d, "The state folder", text(d->status, "state_dir"));
	json_array_foreach(json_object_get(page, "items"), i, p) {
		_cleanup_(freep) char *what = text_format("Pool %s", text(p, "name"));
		if (strcmp(text(p, "state"), "online") == 0)
			check_space_of(d, what, text(p, "path"));
	}
	json_decref(page);
}

/* ---- ports and the firewall ------------------------------------------------------------------------------------------ */
static bool is_local(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static void check_ports(struct doctor *d)
{
	json_t *page = ask(d, "/api/v1/portals?limit=1000"), *p;
	struct firewall *fw = firewall_look();
	unsigned hosts = 0;
	size_t i;
	json_array_foreach(json_object_get(page, "items"), i, p) {
		_cleanup_(freep) char *where = endpoint_text(p);
		const char *protocol = text(p, "protocol"), *state = text(p, "state");
		unsigned port = (unsigned)json_integer_value(json_object_get(p, "port"));
		char fix[256] = "";
		if (strcmp(state, "failed") == 0)
			found(d, "port", BAD, "Stop the program that has it (ss -tlnp), or give the machine the address.", "%s %s does not listen: %s.", protocol, where, text(p, "reason"));
		if (strcmp(state, "listening") != 0)
			continue;
		hosts += strcmp(protocol, "https") != 0;
		if (!is_local(text(p, "address")) && firewall_blocks(fw, port, fix, sizeof(fix)))
			found(d, "firewall", BAD, fix, "The firewall (%s) does not let %s %s through.", firewall_name(fw), protocol, where);
		else
			found(d, "port", FINE, "", "%s %s listens.", protocol, where);
	}
	if (page && !hosts)
		found(d, "port", LOOK, "holdfast portal add iscsi 0.0.0.0:3260", "No portal serves hosts yet.");
	json_decref(page);
	firewall_free(fw);
}

/* ---- shares ------------------------------------------------------------------------------------------------------------ */
static void check_protocol(struct doctor *d, const json_t *shares, const json_t *can, const char *protocol, const char *what, const char *why_not)
{
	const json_t *s;
	size_t i, count = 0;
	json_array_foreach(shares, i, s)
		count += json_is_true(json_object_get(s, protocol)) && json_is_true(json_object_get(s, "enabled"));
	if (count && !json_is_true(json_object_get(can, protocol)))
		found(d, "shares", BAD, text(can, why_not), "Shares are to be served over %s, which this machine cannot.", what);
}

/* Only where somebody wants shares: most machines serve disks alone. */
static void check_shares(struct doctor *d)
{
	json_t *page = ask(d, "/api/v1/shares?limit=1000"), *nas = ask(d, "/api/v1/nas"), *s;
	const json_t *shares = json_object_get(page, "items"), *can = json_object_get(nas, "capabilities");
	size_t i;
	if (nas && json_array_size(shares)) {
		if (json_is_true(json_object_get(json_object_get(nas, "keeper"), "running")))
			found(d, "shares", FINE, "", "The keeper of shares runs.");
		else
			found(d, "shares", BAD, "systemctl enable --now holdfast-nas   (package holdfast-nas)", "There are shares, and no keeper that runs their servers.");
		check_protocol(d, shares, can, "smb", "SMB", "smb_why_not");
		check_protocol(d, shares, can, "nfs", "NFS", "nfs_why_not");
	}
	json_array_foreach(shares, i, s) {
		if (strcmp(text(s, "state"), "failed") == 0)
			found(d, "shares", BAD, "Do what the reason says.", "Share %s is not served: %s.", text(s, "name"), text(s, "reason"));
		else if (strcmp(text(s, "state"), "serving") == 0)
			found(d, "shares", FINE, "", "Share %s is served.", text(s, "name"));
	}
	json_decref(page);
	json_decref(nas);
}

/* Only where a share wants it. */
static void check_kerberos(struct doctor *d)
{
	json_t *page = ask(d, "/api/v1/shares?limit=1000"), *s, *word;
	bool wanted = false;
	size_t i, k;
	json_array_foreach(json_object_get(page, "items"), i, s)
		json_array_foreach(json_object_get(s, "nfs_security"), k, word)
			wanted |= json_is_true(json_object_get(s, "nfs")) && strcmp(json_string_value(word), "sys") != 0;
	json_t *o = wanted ? ask(d, "/api/v1/nas/keytab") : NULL;
	if (o && *text(o, "reason"))
		found(d, "kerberos", BAD, "holdfast nas set-keytab FILE, or holdfast nas join DOMAIN; see docs/guides/nfs.md, Kerberos.", "%s.", text(o, "reason"));
	else if (o)
		found(d, "kerberos", FINE, "", "Clients of NFS know this machine in the realm %s, by %zu keys.", text(o, "realm"), json_array_size(json_object_get(o, "keys")));
	json_decref(o);
	json_decref(page);
}

/* Only of a member: other machines have no domain to miss. */
static void check_domain(struct doctor *d)
{
	json_t *o = ask(d, "/api/v1/nas/domain");
	long long apart = (long long)json_integer_value(json_object_get(o, "clock_offset_s"));
	if (json_is_true(json_object_get(o, "joined"))) {
		if (strcmp(text(o, "state"), "joined") == 0)
			found(d, "domain", FINE, "", "This machine is a member of the domain %s, and %s answers.", text(o, "realm"), text(o, "dc"));
		else
			found(d, "domain", BAD, "See docs/guides/active-directory.md, When it does not work.", "The domain %s cannot be asked: %s.", text(o, "realm"), text(o, "reason"));
		if (apart > 60 || apart < -60)
			found(d, "domain", apart > 300 || apart < -300 ? BAD : LOOK, "Let both follow one time server: chrony or systemd-timesyncd.",
			      "The clocks of this machine and of the domain are %lld seconds apart, and 300 are allowed.", apart < 0 ? -apart : apart);
	}
	json_decref(o);
}

/* ---- certificates ------------------------------------------------------------------------------------------------------- */
static void check_certificates(struct doctor *d)
{
	json_t *page = ask(d, "/api/v1/certificates"), *p;
	size_t i;
	time_t now = time(NULL);
	json_array_foreach(json_object_get(page, "items"), i, p) {
		struct tm tm = { 0 };
		if (!json_is_true(json_object_get(p, "active")) || !strptime(text(p, "not_after"), "%Y-%m-%dT%H:%M:%S", &tm))
			continue;
		long long days = ((long long)timegm(&tm) - (long long)now) / 86400;
		if (days < 14)
			found(d, "certificate", days < 2 ? BAD : LOOK, "Renew it, or upload a new one.", "The certificate of the page ends in %lld days.", days);
		else
			found(d, "certificate", FINE, "", "The certificate of the page is good for %lld days.", days);
	}
	json_decref(page);
}

/* ---- all ------------------------------------------------------------------------------------------------------------------ */
json_t *doctor_findings(struct cli *c, bool *ret_sick)
{
	struct doctor d = { .c = c, .findings = json_array() };
	struct reply r = { 0 };
	if (client_call(c, "GET", "/api/v1/status", NULL, NULL, &r) == CLI_DONE && r.status == 200)
		d.status = json_incref(r.json);
	reply_done(&r);
	check_server(&d);
	check_kernel(&d);
	check_clock(&d);
	check_limits(&d);
	check_confined(&d);
	check_ports(&d);
	check_space(&d);
	check_shares(&d);
	check_domain(&d);
	check_kerberos(&d);
	check_certificates(&d);
	check_alerts(&d);
	json_decref(d.status);
	*ret_sick = d.sick;
	return d.findings;
}

int run_doctor(struct cli *c)
{
	const json_t *f;
	bool sick;
	size_t i;
	json_t *findings = doctor_findings(c, &sick);
	if (c->output != OUT_TABLE) {
		print_json(findings);
	} else {
		json_array_foreach(findings, i, f) {
			const char *result = text(f, "result"), *colour = c->colours ? state_colour(result) : "";
			_cleanup_(freep) char *line = text_format("%s", text(f, "text")), *fix = text_format("%s", text(f, "fix"));
			text_tame(line);
			text_tame(fix);
			printf("%s%-7s%s  %s\n", colour, result, *colour ? COLOUR_OFF : "", line);
			if (*fix)
				printf("         -> %s\n", fix);
		}
	}
	json_decref(findings);
	return sick ? CLI_REFUSED : CLI_DONE;
}
