/* SPDX-License-Identifier: GPL-3.0-or-later */
/* setting.c - options of the whole server: one row each; the store holds only those that somebody set. */
#include "control/control_priv.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tls/tls.h"

/* ---- checks ------------------------------------------------------------------------------------------------------ */
static int check_prefix(const char *value, char *why, size_t why_bytes)
{
	char name[300];
	if (!*value)
		return 0;
	snprintf(name, sizeof(name), "%.250s:x", value);
	if (strncmp(value, "iqn.", 4) != 0) {
		snprintf(why, why_bytes, "must start with iqn.");
		return -EINVAL;
	}
	return iscsi_name_check(name, why, why_bytes);
}

/* "iscsi=debug,scsi=info" */
static int each_topic(const char *value, int (*fn)(const char *topic, const char *level), char *why, size_t why_bytes)
{
	char copy[1024], *save = NULL;
	snprintf(copy, sizeof(copy), "%s", value);
	for (char *p = strtok_r(copy, ", ", &save); p; p = strtok_r(NULL, ", ", &save)) {
		char *eq = strchr(p, '=');
		if (eq)
			*eq = '\0';
		if (!eq || fn(p, eq + 1)) {
			snprintf(why, why_bytes, "%s: give a topic of the log and a level, such as iscsi=debug", p);
			return -EINVAL;
		}
	}
	return 0;
}
static int topic_is_known(const char *topic, const char *level)
{
	enum log_level l;
	for (struct log_topic *t = log_topics(); t; t = t->next)
		if (strcmp(t->name, topic) == 0)
			return log_level_parse(level, &l);
	return -ENOENT;
}
static int check_topics(const char *value, char *why, size_t why_bytes)
{
	return each_topic(value, topic_is_known, why, why_bytes);
}

/* ---- live ----------------------------------------------------------------------------------------------------------- */
static int set_topic(const char *topic, const char *level)
{
	enum log_level l;
	return log_level_parse(level, &l) ? -EINVAL : log_set_level(topic, l);
}
static void apply_levels(const char *all, const char *topics)
{
	char why[128];
	enum log_level l;
	if (log_level_parse(all, &l) == 0)
		log_set_level("all", l);
	if (each_topic(topics, set_topic, why, sizeof(why)))
		log_warn(&log_control, "a log topic is not set", "why=\"%s\"", why);
}
static void apply_level(const char *value)
{
	char topics[1024];
	setting_value("log_topics", topics, sizeof(topics));
	apply_levels(value, topics);
}
static void apply_topics(const char *value)
{
	char level[64];
	setting_value("log_level", level, sizeof(level));
	apply_levels(level, value);
}

/* The word of the setting as CHAP_A counts it. */
static unsigned chap_number(void)
{
	static const char *const words[] = { "md5", "sha1", "sha256", "sha3-256" };
	char value[32];
	setting_value("iscsi_chap_minimum", value, sizeof(value));
	for (unsigned i = 0; i < ARRAY_COUNT(words); i++)
		if (strcmp(value, words[i]) == 0)
			return 5 + i;
	return 5;
}
static void iscsi_limits(struct iscsi_opts *o)
{
	char events[16];
	o->nop_interval_s = (unsigned)setting_int("iscsi_nop_interval");
	o->nop_timeout_s = (unsigned)setting_int("iscsi_nop_timeout");
	o->login_timeout_s = (unsigned)setting_int("iscsi_login_timeout");
	o->max_connections = (unsigned)setting_int("iscsi_max_connections");
	o->chap_minimum = chap_number();
	setting_value("iscsi_lun_events", events, sizeof(events));
	o->lun_events_off = strcmp(events, "off") == 0;
}
void settings_for_iscsi(struct iscsi_opts *o)
{
	iscsi_limits(o);
}
/* The rows of the store are the truth already, also inside the transaction and after its rollback. */
static void apply_iscsi(const char *value)
{
	struct iscsi_opts o = { .reactor_count = 0 };
	(void)value;
	iscsi_limits(&o);
	iscsi_set_limits(&o);
}

/* ---- iSNS: "192.0.2.1", "192.0.2.1:3205", "[2001:db8::1]:3205" ---- */
static int isns_parse(const char *value, char address[64], uint16_t *ret_port)
{
	const char *colon = strrchr(value, ':');
	size_t len = strlen(value);
	unsigned long port = 0;
	bool bracket = *value == '[';
	char *end;
	if (bracket ? colon && colon > value + 1 && colon[-1] == ']' : colon && strchr(value, ':') == colon) {
		port = colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
		if (port < 1 || port > 65535 || *end)
			return -EINVAL;
		len = (size_t)(colon - value);
	}
	if (bracket) {
		if (len < 2 || value[len - 1] != ']')
			return -EINVAL;
		value++;
		len -= 2;
	}
	if (len >= 64)
		return -EINVAL;
	snprintf(address, 64, "%.*s", (int)len, value);
	*ret_port = (uint16_t)port;
	struct in6_addr a;
	return inet_pton(AF_INET, address, &a) == 1 || inet_pton(AF_INET6, address, &a) == 1 ? 0 : -EINVAL;
}
static int check_isns(const char *value, char *why, size_t why_bytes)
{
	char address[64];
	uint16_t port;
	if (!*value || isns_parse(value, address, &port) == 0)
		return 0;
	snprintf(why, why_bytes, "not an address, nor ADDRESS:PORT");
	return -EINVAL;
}
static void apply_isns(const char *value)
{
	char address[64], name[256];
	uint16_t port = 0;
	setting_value("server_name", name, sizeof(name));
	if (!*value)
		iscsi_isns(NULL, 0, name);
	else if (isns_parse(value, address, &port) == 0)
		iscsi_isns(address, port, name);
}

/* ---- CHAP of discovery sessions: that of a host ---- */
static int check_discovery(const char *value, char *why, size_t why_bytes)
{
	struct config_error e;
	json_t *host;
	if (!*value)
		return 0;
	int r = config_get(ctl.db, MODEL_HOST, value, &host, &e);
	if (r) {
		snprintf(why, why_bytes, "%s", e.why);
		return r;
	}
	if (!*text_of(host, "chap_user")) {
		snprintf(why, why_bytes, "host %s has no CHAP name and secret", value);
		r = -EINVAL;
	}
	json_decref(host);
	return r;
}
static int discovery_set(const char *name)
{
	uint8_t chap[256], mutual[256];
	size_t chap_len = 0, mutual_len = 0;
	struct config_error e;
	json_t *host = NULL;
	if (!*name)
		return iscsi_discovery_auth(NULL, NULL, 0, NULL, NULL, 0);
	int r = config_get(ctl.db, MODEL_HOST, name, &host, &e);
	const char *id = text_of(host, "id"), *mutual_user = *text_of(host, "mutual_user") ? text_of(host, "mutual_user") : NULL;
	if (!r)
		r = config_secret(ctl.db, MODEL_HOST, id, "chap_secret", chap, sizeof(chap), &chap_len, &e);
	if (!r && mutual_user)
		r = config_secret(ctl.db, MODEL_HOST, id, "mutual_secret", mutual, sizeof(mutual), &mutual_len, &e);
	if (!r)
		r = iscsi_discovery_auth(text_of(host, "chap_user"), chap, chap_len, mutual_user, mutual, mutual_len);
	explicit_bzero(chap, sizeof(chap));
	explicit_bzero(mutual, sizeof(mutual));
	json_decref(host);
	return r;
}
static void apply_discovery(const char *value)
{
	uint8_t nobody[32];
	if (discovery_set(value) == 0) {
		alert_resolve("discovery.locked", "discovery");
		return;
	}
	/* The secret that was asked for cannot be had: nobody discovers, rather than everybody. */
	if (tls_random(nobody, sizeof(nobody)) || iscsi_discovery_auth("nobody", nobody, sizeof(nobody), NULL, NULL, 0))
		log_error(&log_control, "discovery cannot be locked", "host=%s", value);
	explicit_bzero(nobody, sizeof(nobody));
	alert_raise(LOG_LEVEL_ERROR, "discovery.locked", "discovery", "discovery is locked: host %s, whose CHAP it asks for, or its secret is not there; set iscsi_discovery_host anew", value);
}
void settings_host_changed(void)
{
	char name[128];
	setting_value("iscsi_discovery_host", name, sizeof(name));
	if (*name)
		apply_discovery(name);
}

/* ---- NVMe in-band authentication ---- */
static int check_auth_words(const char *hashes, const char *groups, char *why, size_t why_bytes)
{
	const char *wrong;
	int r = nvmf_auth_words_check(hashes, groups, &wrong);
	if (r)
		snprintf(why, why_bytes, "%s", wrong);
	return r;
}
static int check_auth_hashes(const char *value, char *why, size_t why_bytes)
{
	return check_auth_words(value, "null", why, why_bytes);
}
static int check_auth_groups(const char *value, char *why, size_t why_bytes)
{
	return check_auth_words("sha256", value, why, why_bytes);
}
static void apply_nvme_auth(const char *value)
{
	char hashes[128], groups[128];
	const char *wrong;
	(void)value;
	setting_value("nvme_auth_hashes", hashes, sizeof(hashes));
	setting_value("nvme_auth_groups", groups, sizeof(groups));
	if (nvmf_set_auth(hashes, groups, &wrong))
		log_warn(&log_control, "NVMe authentication keeps its offer", "why=\"%s\"", wrong);
}

/* ---- shares ---- */
static int check_user_range(const char *value, char *why, size_t why_bytes)
{
	unsigned low, high;
	return user_range_parse(value, &low, &high) ? snprintf(why, why_bytes, "give the first and the last number, such as 20000-29999, from 1000 to 2147483646"), -EINVAL : 0;
}
static int check_netbios(const char *value, char *why, size_t why_bytes)
{
	for (const char *p = value; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_')) {
			snprintf(why, why_bytes, "may hold only letters, digits, '-' and '_'");
			return -EINVAL;
		}
	return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------- */
const struct setting_row setting_rows[] = {
	{ .key = "server_name", .type = SETTING_TEXT, .max = 253, .default_value = "", .help = "Name of this server; the machine's host name when empty." },
	{ .key = "iqn_prefix", .type = SETTING_TEXT, .max = 150, .default_value = "", .check = check_prefix,
	  .help = "What the names of new targets start with; iqn.2026-11. and the server's domain, reversed, when empty." },
	{ .key = "log_level", .type = SETTING_ENUM, .values = "error|warn|info|debug", .default_value = "info", .apply = apply_level, .help = "How much is logged." },
	{ .key = "log_topics", .type = SETTING_TEXT, .max = 1000, .default_value = "", .check = check_topics, .apply = apply_topics,
	  .help = "Topics of the log with levels of their own, such as iscsi=debug,scsi=warn." },
	{ .key = "iscsi_nop_interval", .type = SETTING_INT, .min = 1, .max = 3600, .default_value = "15", .apply = apply_iscsi,
	  .help = "Seconds of silence after which an initiator is pinged." },
	{ .key = "iscsi_nop_timeout", .type = SETTING_INT, .min = 1, .max = 3600, .default_value = "10", .apply = apply_iscsi, .help = "Seconds that an initiator has to answer a ping." },
	{ .key = "iscsi_login_timeout", .type = SETTING_INT, .min = 1, .max = 600, .default_value = "15", .apply = apply_iscsi, .help = "Seconds that a login may take." },
	{ .key = "iscsi_max_connections", .type = SETTING_INT, .min = 1, .max = 65536, .default_value = "4096", .apply = apply_iscsi,
	  .help = "Connections that are accepted at most." },
	{ .key = "iscsi_lun_events", .type = SETTING_ENUM, .values = "on|off", .default_value = "on", .apply = apply_iscsi,
	  .help = "Whether hosts are told by an asynchronous message that their LUNs changed, so that they look at once." },
	{ .key = "iscsi_chap_minimum", .type = SETTING_ENUM, .values = "md5|sha1|sha256|sha3-256", .default_value = "md5", .apply = apply_iscsi,
	  .help = "Weakest CHAP algorithm that is accepted; of those that an initiator offers, the strongest is used." },
	{ .key = "iscsi_discovery_host", .type = SETTING_TEXT, .max = 63, .default_value = "", .check = check_discovery, .apply = apply_discovery,
	  .help = "Host whose CHAP name and secret discovery asks for; nothing is asked when empty." },
	{ .key = "mdns", .type = SETTING_ENUM, .values = "on|off", .default_value = "on", .apply = mdns_apply,
	  .help = "Whether NVMe discovery is announced in the local network by mDNS, where avahi-daemon runs." },
	{ .key = "nvme_referrals", .type = SETTING_TEXT, .max = 1000, .default_value = "", .check = referrals_check, .apply = referrals_apply,
	  .help = "Other NVMe discovery services that ours points hosts to, such as 192.0.2.1:8009,[2001:db8::1]:8009." },
	{ .key = "nvme_auth_hashes", .type = SETTING_TEXT, .max = 100, .default_value = "sha512 sha384 sha256", .check = check_auth_hashes, .apply = apply_nvme_auth,
	  .help = "Hashes for the authentication of NVMe hosts, the preferred one first." },
	{ .key = "nvme_auth_groups", .type = SETTING_TEXT, .max = 100, .default_value = "ffdhe3072 ffdhe4096 ffdhe6144 ffdhe8192 ffdhe2048 null",
	  .check = check_auth_groups, .apply = apply_nvme_auth,
	  .help = "Diffie-Hellman groups for the authentication of NVMe hosts, the preferred one first; without null, hosts must use one." },
	{ .key = "acme_http_port", .type = SETTING_INT, .min = 1, .max = 65535, .default_value = "80",
	  .help = "Port where http-01 is answered while a certificate is ordered; authorities ask port 80, so another one needs a redirection in front." },
	{ .key = "acme_tls_port", .type = SETTING_INT, .min = 1, .max = 65535, .default_value = "443",
	  .help = "Port where tls-alpn-01 is answered while a certificate is ordered; authorities ask port 443, so another one needs a redirection in front." },
	{ .key = "acme_history_retention", .type = SETTING_INT, .min = 10, .max = 100000, .default_value = "1000", .help = "Rows of the history of certificates that are kept." },
	{ .key = "login_idle_minutes", .type = SETTING_INT, .min = 1, .max = 1440, .default_value = "30", .help = "Minutes without a request after which a browser must log in again." },
	{ .key = "login_max_hours", .type = SETTING_INT, .min = 1, .max = 168, .default_value = "12", .help = "Hours after which a browser must log in again in any case." },
	{ .key = "login_confirm_minutes", .type = SETTING_INT, .min = 1, .max = 60, .default_value = "10",
	  .help = "Minutes for which the password counts as just given, before what is dangerous asks for it again." },
	{ .key = "isns_server", .type = SETTING_TEXT, .max = 80, .default_value = "", .check = check_isns, .apply = apply_isns,
	  .help = "iSNS server that is told of all targets and portals: ADDRESS or ADDRESS:PORT (3205); none when empty." },
	{ .key = "smb_server_name", .type = SETTING_TEXT, .max = 15, .default_value = "", .check = check_netbios,
	  .help = "SMB: name of this server as Windows shows it; the machine's host name when empty." },
	{ .key = "smb_workgroup", .type = SETTING_TEXT, .max = 15, .default_value = "WORKGROUP", .check = check_netbios, .help = "SMB: workgroup of this server." },
	{ .key = "smb_min_protocol", .type = SETTING_ENUM, .values = "SMB2_02|SMB2_10|SMB3_00|SMB3_02|SMB3_11", .default_value = "SMB2_10", .help = "SMB: oldest protocol that clients may speak." },
	{ .key = "smb_signing", .type = SETTING_ENUM, .values = "auto|desired|required", .default_value = "auto", .help = "SMB: whether clients must sign what they send." },
	{ .key = "smb_lockout_attempts", .type = SETTING_INT, .min = 0, .max = 1000, .default_value = "10", .help = "SMB: wrong passwords after which a user is locked out for a while; 0: never." },
	{ .key = "smb_lockout_minutes", .type = SETTING_INT, .min = 1, .max = 100000, .default_value = "10", .help = "SMB: minutes for which such a user is locked out." },
	{ .key = "smb_multichannel", .type = SETTING_ENUM, .values = "on|off", .default_value = "on", .help = "SMB: whether clients may use several connections for one session." },
	{ .key = "smb_raw", .type = SETTING_TEXT, .max = 4000, .default_value = "", .help = "SMB: further lines of smb.conf for the whole server, verbatim; checked before they are used." },
	{ .key = "nfs_provider", .type = SETTING_ENUM, .values = "auto|ganesha|kernel", .default_value = "auto", .help = "NFS: which server is used; auto takes the one that works here." },
	{ .key = "nfs_grace_s", .type = SETTING_INT, .min = 0, .max = 180, .default_value = "15", .help = "NFS: seconds after a start in which clients take back their locks; at least a lease." },
	{ .key = "nfs_lease_s", .type = SETTING_INT, .min = 5, .max = 120, .default_value = "15", .help = "NFS: seconds after which a client that says nothing loses its locks." },
	{ .key = "nfs_mountd_port", .type = SETTING_INT, .min = 0, .max = 65535, .default_value = "20048", .help = "NFS 3: port of mountd; 0 for any." },
	{ .key = "nfs_lockd_port", .type = SETTING_INT, .min = 0, .max = 65535, .default_value = "32803", .help = "NFS 3: port of the lock manager; 0 for any." },
	{ .key = "nfs_statd_port", .type = SETTING_INT, .min = 0, .max = 65535, .default_value = "662", .help = "NFS 3: port of the status monitor; 0 for any." },
	{ .key = "nfs_threads", .type = SETTING_INT, .min = 1, .max = 512, .default_value = "16", .help = "NFS: requests that are worked on at a time." },
	{ .key = "quota_alert_percent", .type = SETTING_INT, .min = 1, .max = 100, .default_value = "90", .help = "Part of a quota from which on an alert is raised." },
	{ .key = "snapshot_min_free_percent", .type = SETTING_INT, .min = 1, .max = 50, .default_value = "5",
	  .help = "With less of a file system free, the schedule takes no snapshot of its shares and tells so; nothing is removed." },
	{ .key = "nas_mdns", .type = SETTING_ENUM, .values = "on|off", .default_value = "on", .help = "Whether shares are announced in the local network by mDNS, where avahi-daemon runs." },
	{ .key = "nas_wsd", .type = SETTING_ENUM, .values = "on|off", .default_value = "on", .help = "Whether Windows shows this server by itself: WS-Discovery at the addresses of SMB portals, where wsdd is installed." },
	{ .key = "nas_user_range", .type = SETTING_TEXT, .max = 31, .default_value = "20000-29999", .check = check_user_range,
	  .help = "Numbers that new users and groups get." },
	{ .key = "event_retention", .type = SETTING_INT, .min = 100, .max = 1000000, .default_value = "10000", .help = "Events that are kept." },
	{ .key = "audit_retention", .type = SETTING_INT, .min = 100, .max = 10000000, .default_value = "100000", .help = "Rows of the audit that are kept." },
	{ .key = "history_max_mb", .type = SETTING_INT, .min = 16, .max = 65536, .default_value = "512", .help = "Size in MiB that history.db may have; the oldest goes first." },
	{ .key = "pool_low_percent", .type = SETTING_INT, .min = 0, .max = 99, .default_value = "10", .help = "Free space of a pool below which an alert is raised, in percent; 0 for none." },
	{ .key = "pool_overcommit_percent", .type = SETTING_INT, .min = 0, .max = 1000000, .default_value = "200",
	  .help = "How much the volumes of a pool may promise before an alert is raised, in percent of the pool's size; 0 for any." },
	{ .key = "task_retention", .type = SETTING_INT, .min = 10, .max = 100000, .default_value = "1000", .help = "Finished tasks that are kept." },
};
const size_t setting_count = ARRAY_COUNT(setting_rows);

const struct setting_row *setting_find(const char *key)
{
	for (size_t i = 0; i < setting_count; i++)
		if (strcmp(setting_rows[i].key, key) == 0)
			return &setting_rows[i];
	return NULL;
}

static bool word_in(const char *value, const char *values)
{
	size_t len = strlen(value);
	for (const char *p = values; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
		if (strcspn(p, "|") == len && strncmp(p, value, len) == 0)
			return true;
	return false;
}

int setting_check(const char *key, const char *value, struct config_error *e)
{
	const struct setting_row *s = setting_find(key);
	char why[256] = "", *end;
	if (!s)
		return config_fail(e, -ENOENT, "key", "there is no setting called \"%.100s\"", key);
	if (s->type == SETTING_INT) {
		errno = 0;
		long long n = strtoll(value, &end, 10);
		if (errno || !*value || *end || n < s->min || n > s->max)
			return config_fail(e, -EINVAL, "value", "%s must be a whole number from %" PRId64 " to %" PRId64, key, s->min, s->max);
	}
	if (s->type == SETTING_ENUM && !word_in(value, s->values))
		return config_fail(e, -EINVAL, "value", "%s must be one of: %s", key, s->values);
	if (s->type == SETTING_TEXT && (int64_t)strlen(value) > s->max)
		return config_fail(e, -EINVAL, "value", "%s may have at most %" PRId64 " bytes", key, s->max);
	if (s->check && s->check(value, why, sizeof(why)))
		return config_fail(e, -EINVAL, "value", "%s: %s", key, why);
	return 0;
}

/* ---- values --------------------------------------------------------------------------------------------------------------- */
/* "nas.example.com" -> "com.example.nas"; io.holdfast when the name has no domain. */
static void reversed_domain(char *buf, size_t buf_bytes)
{
	char name[256], *dot;
	setting_value("server_name", name, sizeof(name));
	buf[0] = '\0';
	if (!strchr(name, '.') || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-ABCDEFGHIJKLMNOPQRSTUVWXYZ")]) {
		snprintf(buf, buf_bytes, "io.holdfast");
		return;
	}
	while ((dot = strrchr(name, '.'))) {
		if (dot[1])
			snprintf(buf + strlen(buf), buf_bytes - strlen(buf), "%s.", dot + 1);
		*dot = '\0';
	}
	snprintf(buf + strlen(buf), buf_bytes - strlen(buf), "%s", name);
}

static void default_of(const char *key, char *buf, size_t buf_bytes)
{
	const struct setting_row *s = setting_find(key);
	char domain[300];
	snprintf(buf, buf_bytes, "%s", s ? s->default_value : "");
	if (strcmp(key, "server_name") == 0 && gethostname(buf, buf_bytes) == 0)
		buf[buf_bytes - 1] = '\0';
	if (strcmp(key, "iqn_prefix") == 0) {
		reversed_domain(domain, sizeof(domain));
		snprintf(buf, buf_bytes, "iqn.2026-11.%s", domain);
	}
}

void setting_value(const char *key, char *buf, size_t buf_bytes)
{
	struct config_error e;
	json_t *o;
	buf[0] = '\0';
	if (config_get(ctl.db, MODEL_SETTING, key, &o, &e) == 0) {
		snprintf(buf, buf_bytes, "%s", text_of(o, "value"));
		json_decref(o);
	}
	if (!*buf)
		default_of(key, buf, buf_bytes);
}

int64_t setting_int(const char *key)
{
	char value[64];
	setting_value(key, value, sizeof(value));
	return strtoll(value, NULL, 10);
}

/* Only what somebody set: what the program was started with (--log-level) counts otherwise. */
void settings_apply_all(void)
{
	for (size_t i = 0; i < setting_count; i++) {
		struct config_error e;
		json_t *o;
		if (!setting_rows[i].apply || config_get(ctl.db, MODEL_SETTING, setting_rows[i].key, &o, &e))
			continue;
		setting_rows[i].apply(text_of(o, "value"));
		json_decref(o);
	}
}

json_t *setting_object(const struct setting_row *s, const json_t *stored)
{
	static const char *const types[] = { "text", "int", "enum" };
	char values[96], fallback[300];
	if (ctl.db)
		default_of(s->key, fallback, sizeof(fallback));
	else
		snprintf(fallback, sizeof(fallback), "%s", s->default_value);
	json_t *o = stored ? json_deep_copy(stored) :
			     json_pack("{s:s, s:I, s:n, s:n, s:s, s:s}", "id", s->key, "revision", (json_int_t)0, "created_at", "updated_at", "key", s->key, "value", fallback);
	if (s->type == SETTING_INT)
		snprintf(values, sizeof(values), "%" PRId64 "..%" PRId64, s->min, s->max);
	else if (s->type == SETTING_TEXT)
		snprintf(values, sizeof(values), "at most %" PRId64 " bytes", s->max);
	else
		snprintf(values, sizeof(values), "%s", s->values);
	json_object_set_new(o, "type", json_string(types[s->type]));
	json_object_set_new(o, "values", json_string(values));
	json_object_set_new(o, "default_value", json_string(fallback));
	json_object_set_new(o, "help", json_string(s->help));
	return o;
}
