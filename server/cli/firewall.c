/* SPDX-License-Identifier: GPL-3.0-or-later */
/* firewall.c - would the machine's firewall let a TCP port through?  Reads what firewalld, ufw or nft print; says the
 * exact command that opens a port.  A guess where rules are clever: only a base chain on input that drops by
 * policy, and no rule that names the port, counts as closed. */
#include "cli/doctor_priv.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "core/process.h"

#define PORTS_MAX 512

struct firewall {
	enum { FIREWALL_NONE, FIREWALLD, UFW, NFT } kind;
	char family[16], table[64], chain[64]; /* NFT: where a rule belongs */
	char zone[64];                   /* FIREWALLD: that of an interface */
	size_t range_count;
	struct {
		unsigned first, last;
	} range[PORTS_MAX];              /* ports that are open */
};

/* ---- programs --------------------------------------------------------------------------------------------- */
char *program_output(const char *const *argv, size_t max_bytes, unsigned seconds)
{
	extern char **environ;
	int pipes[2], status = -1;
	pid_t pid = -1;
	size_t len = 0;
	struct timespec now, end;
	char *text = calloc(1, max_bytes + 1);

	if (!text || pipe2(pipes, O_CLOEXEC)) {
		free(text);
		return NULL;
	}
	if (process_start(argv[0], argv, (const char *const *)environ, (int[]){ -1, pipes[1], -1 }, 3, &pid))
		pid = -1;
	close(pipes[1]);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	while (pid > 0 && len < max_bytes) {
		struct pollfd p = { .fd = pipes[0], .events = POLLIN };
		clock_gettime(CLOCK_MONOTONIC, &now);
		ssize_t n = now.tv_sec < end.tv_sec && poll(&p, 1, (int)(end.tv_sec - now.tv_sec) * 1000) > 0 ? read(pipes[0], text + len, max_bytes - len) : -1;
		if (n <= 0) {
			if (n < 0)
				kill(-pid, SIGKILL);
			break;
		}
		len += (size_t)n;
	}
	close(pipes[0]);
	if (pid > 0)
		waitpid(pid, &status, 0);
	if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0) && !(len == max_bytes && pid > 0)) {
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

/* ---- what is open ------------------------------------------------------------------------------------------- */
static void add_range(struct firewall *f, unsigned first, unsigned last)
{
	if (f->range_count < PORTS_MAX && first && first <= last && last <= 65535) {
		f->range[f->range_count].first = first;
		f->range[f->range_count++].last = last;
	}
}

/* "3260", "8000-8010", "8000:8010"; what follows is not looked at. */
static void add_port_text(struct firewall *f, const char *s)
{
	unsigned first = 0, last = 0;
	int n = sscanf(s, "%u%*[-:]%u", &first, &last);
	if (n >= 1)
		add_range(f, first, n == 2 ? last : first);
}

/* "3260/tcp 8000-8010/tcp 53/udp" */
static void add_firewalld_ports(struct firewall *f, const char *p, const char *end)
{
	for (size_t len; p < end; p += len + strspn(p + len, " ")) {
		len = strcspn(p, " \n");
		if (len > 4 && strncmp(p + len - 4, "/tcp", 4) == 0)
			add_port_text(f, p);
		if (p[len] != ' ')
			break;
	}
}

/* What those of our files and of firewalld's own let in that hosts of ours may use; of the others a port is asked for in vain. */
static void add_firewalld_service(struct firewall *f, const char *name, size_t len)
{
	static const struct {
		const char *service;
		unsigned first, last;
	} known[] = { { "holdfast", 8443, 8443 }, { "holdfast-san", 3260, 3260 }, { "holdfast-san", 4420, 4420 }, { "holdfast-san", 8009, 8009 }, { "holdfast-nas", 445, 445 },
		      { "holdfast-nas", 2049, 2049 }, { "holdfast-nas", 5357, 5357 }, { "iscsi-target", 3260, 3260 }, { "nfs", 2049, 2049 }, { "nvme-tcp", 4420, 4420 },
		      { "samba", 445, 445 }, { "samba", 139, 139 }, { "http", 80, 80 }, { "https", 443, 443 } };
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (strlen(known[i].service) == len && strncmp(name, known[i].service, len) == 0)
			add_range(f, known[i].first, known[i].last);
}

/* "rule family="ipv4" source address="10.0.0.0/8" port port="3260" protocol="tcp" accept": who it is for is not asked. */
static void read_rich_rule(struct firewall *f, const char *line, size_t len)
{
	const char *port = memmem(line, len, "port port=\"", 11), *service = memmem(line, len, "service name=\"", 14);
	if (!memmem(line, len, " accept", 7))
		return;
	if (port && memmem(line, len, "protocol=\"tcp\"", 14))
		add_port_text(f, port + 11);
	if (service)
		add_firewalld_service(f, service + 14, strcspn(service + 14, "\"\n"));
}

/* Zones as firewall-cmd prints them; all of them, or those that interfaces or sources have. */
static void read_firewalld(struct firewall *f, const char *zones, bool all)
{
	bool counts = false;
	for (const char *p = zones; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		size_t len = strcspn(p, "\n"), indent = strspn(p, " \t");
		const char *word = p + indent;
		if (!indent && len) {
			bool active = memmem(p, len, "active)", 7);
			counts = all || active;
			if (active && !f->zone[0])
				snprintf(f->zone, sizeof(f->zone), "%.*s", (int)strcspn(p, " \n"), p);
		}
		if (!counts)
			continue;
		if (strncmp(word, "target: ACCEPT", 14) == 0)
			add_range(f, 1, 65535);
		else if (strncmp(word, "ports: ", 7) == 0)
			add_firewalld_ports(f, word + 7, p + len);
		else if (strncmp(word, "rule ", 5) == 0)
			read_rich_rule(f, p, len);
		else if (strncmp(word, "services: ", 10) == 0)
			for (const char *q = word + 10; q < p + len; q += strcspn(q, " \n") + 1)
				add_firewalld_service(f, q, strcspn(q, " \n"));
	}
}

/* "3260/tcp   ALLOW   Anywhere" */
static void read_ufw(struct firewall *f, const char *status)
{
	for (const char *p = status; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		size_t len = strcspn(p, "\n");
		const char *allow = memmem(p, len, "ALLOW", 5);
		if (!allow || memmem(p, strcspn(p, " "), "/udp", 4))
			continue;
		for (const char *q = p; q && q < p + strcspn(p, " /"); q = memchr(q, ',', (size_t)(p + len - q)) ? (const char *)memchr(q, ',', (size_t)(p + len - q)) + 1 : NULL)
			add_port_text(f, q);
	}
}

/* "tcp dport 3260 accept", "tcp dport { 22, 3260, 8000-8010 } accept" */
static void read_nft_rule(struct firewall *f, const char *line, size_t len)
{
	const char *dport = memmem(line, len, "tcp dport ", 10), *end = line + len;
	if (!dport || !memmem(line, len, "accept", 6))
		return;
	for (const char *p = dport + 10; p < end && strncmp(p, "accept", 6) != 0; p++)
		if (*p >= '0' && *p <= '9' && strchr(" {,", p[-1]))
			add_port_text(f, p);
}

static void read_nft(struct firewall *f, const char *ruleset)
{
	char family[16] = "", table[64] = "", chain[64] = "";
	for (const char *p = ruleset; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		size_t len = strcspn(p, "\n");
		if (sscanf(p, "table %15s %63s {", family, table) == 2)
			continue;
		else if (sscanf(p, " chain %63s {", chain) == 1)
			continue;
		else if (memmem(p, len, "hook input", 10) && memmem(p, len, "policy drop", 11)) {
			f->kind = NFT;
			snprintf(f->family, sizeof(f->family), "%s", family);
			snprintf(f->table, sizeof(f->table), "%s", table);
			snprintf(f->chain, sizeof(f->chain), "%s", chain);
		}
		read_nft_rule(f, p, len);
	}
}

struct firewall *firewall_from(const char *firewalld_zone, const char *firewalld_zones, const char *ufw_status, const char *nft_ruleset)
{
	struct firewall *f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	if (firewalld_zone) {
		f->kind = FIREWALLD;
		read_firewalld(f, firewalld_zone, true); /* what has no zone of its own is in this one */
		read_firewalld(f, firewalld_zones, false);
	} else if (ufw_status && strstr(ufw_status, "Status: active")) {
		f->kind = UFW;
		read_ufw(f, ufw_status);
	} else if (nft_ruleset) {
		read_nft(f, nft_ruleset);
	}
	return f;
}

struct firewall *firewall_look(void)
{
	static const char *const zone[] = { "firewall-cmd", "--list-all", NULL }, *const zones[] = { "firewall-cmd", "--list-all-zones", NULL },
				 *const ufw[] = { "ufw", "status", NULL }, *const nft[] = { "nft", "list", "ruleset", NULL };
	_cleanup_(freep) char *a = program_output(zone, 1 << 16, 5), *b = a ? program_output(zones, 1 << 18, 5) : NULL;
	_cleanup_(freep) char *c = a ? NULL : program_output(ufw, 1 << 16, 5), *d = a ? NULL : program_output(nft, 1 << 20, 5);
	return firewall_from(a, b, c, d);
}

void firewall_free(struct firewall *f)
{
	free(f);
}

const char *firewall_name(const struct firewall *f)
{
	static const char *const names[] = { "none", "firewalld", "ufw", "nftables" };
	return f ? names[f->kind] : "unknown";
}

bool firewall_blocks(const struct firewall *f, unsigned port, char *fix, size_t fix_bytes)
{
	if (!f || f->kind == FIREWALL_NONE)
		return false;
	for (size_t i = 0; i < f->range_count; i++)
		if (f->range[i].first <= port && port <= f->range[i].last)
			return false;
	if (f->kind == FIREWALLD)
		snprintf(fix, fix_bytes, "firewall-cmd --permanent %s%s%s--add-port=%u/tcp && firewall-cmd --reload", f->zone[0] ? "--zone=" : "", f->zone, f->zone[0] ? " " : "", port);
	else if (f->kind == UFW)
		snprintf(fix, fix_bytes, "ufw allow %u/tcp", port);
	else
		snprintf(fix, fix_bytes, "nft insert rule %s %s %s tcp dport %u accept   (and in /etc/nftables.conf)", f->family, f->table, f->chain, port);
	return true;
}
