/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verbs_operate.c - the part of the table about daily work: serve, explain, refused, alerts, how busy, doctor. */
#include "cli/verbs_priv.h"

/* ---- serve, refused, alert, address, about ---- */
static const struct flag serve_flags[] = {
	{ .name = "size", .metavar = "SIZE", .type = FLAG_SIZE, .field = "size_bytes", .help = "Make the volume, of this size, as 10G." },
	ENUM("protocol", "protocol", "iscsi|nvme", "How the host reaches it (default iscsi)."),
	REF("host", "HOST", "host", "host", "Name of the host; a new one needs --iqn or --nqn."),
	TEXT("iqn", "IQN", "iqn", "iSCSI initiator name of the host."), TEXT("nqn", "NQN", "nqn", "NVMe host name of the host."),
	TEXT("chap-user", "USER", "chap_user", "CHAP name that a new host must use."),
	SECRET("chap-secret-file", "chap_secret", "File with the new host's CHAP secret."),
	{ .name = "any", .type = FLAG_YES, .field = "any", .help = "Every host, without authentication." },
	REF("target", "TARGET", "target", "target", "Target, known or new; one that nobody else may use when left out."),
	{ .name = "lun", .metavar = "N", .type = FLAG_INT, .field = "lun", .help = "Logical unit number; the lowest free one when left out." },
	{ .name = "read-only", .type = FLAG_YES, .field = "read_only", .help = "Refuse writes through this target." },
	{ .name = "portal", .metavar = "ADDRESS:PORT", .type = FLAG_TEXT, .where = IN_VERB, .help = "Listen there; any portal that is there will do when left out." },
	REF("pool", "POOL", "pool", "pool", "Pool of a new volume."),
	TEXT("pool-path", "DIR", "pool_path", "Folder for a first pool, when there is none."),
	REF("plugin", "PLUGIN", "plugin", "plugin", "Backend of a new volume: file (default), block, ram, .."),
	{ .name = "block-size", .metavar = "512|4096", .type = FLAG_INT, .field = "block_size", .values = "512|4096", .help = "Logical block size of a new volume." },
	{ .name = "option", .metavar = "KEY=VALUE", .type = FLAG_MAP, .field = "options", .help = "Option of the plugin; may be repeated." },
	{ .name = "encrypted", .type = FLAG_YES, .field = "encrypted", .help = "Keep the data of a new volume encrypted." },
	{ .name = "os", .metavar = "linux|windows|esxi", .type = FLAG_TEXT, .where = IN_VERB, .values = "linux|windows|esxi", .help = "Tell what to type only for this system." },
	END_FLAGS
};
const struct verb serve_verbs[] = {
	{ "", "VOLUME", serve_flags, "POST", "/api/v1/serve", "Serve a volume to a host: makes what is missing, and tells what to type there.", NULL, run_serve },
	{ .name = NULL }
};
static const struct flag refused_approve[] = {
	REF("host", "HOST", "host", "host", "Which host it is, known or new; a name is made up when left out."),
	REF("target", "TARGET", "target", "target", "Which target it may use; the one it asked for when left out."), END_FLAGS
};
const struct verb refused_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/refused", "List hosts that were refused, newest first.", NULL, run_list },
	{ "approve", "ID", refused_approve, "POST", "/api/v1/refused/{id}/approve", "Let one in: makes it a host and gives it access.", NULL, run_refused_approve },
	{ "dismiss", "ID", NULL, "DELETE", "/api/v1/refused/{id}", "Forget one until it knocks again.", NULL, run_refused_dismiss },
	{ .name = NULL }
};
const struct column refused_columns[] = {
	{ "ID", "id", COL_TEXT }, { "LAST", "last_at", COL_TIME }, { "TIMES", "count", COL_COUNT }, { "HOST", "name", COL_TEXT },
	{ "FROM", "address", COL_TEXT }, { "TARGET", "target", COL_TEXT }, { "WHY", "text", COL_TEXT }, { .title = NULL }
};
const struct verb alert_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/alerts", "List what needs a person now, worst first.", NULL, run_list },
	{ "acknowledge", "ID", NULL, "POST", "/api/v1/alerts/{id}/acknowledge", "Say that you know of an alert.", NULL, run_alert_acknowledge },
	{ .name = NULL }
};
const struct column alert_columns[] = {
	{ "ID", "id", COL_TEXT }, { "LEVEL", "level", COL_STATE }, { "SINCE", "since", COL_TIME }, { "WHAT", "text", COL_TEXT },
	{ "WHAT TO DO", "fix", COL_TEXT }, { "KNOWN TO", "acknowledged_by", COL_TEXT }, { .title = NULL }
};
const struct verb address_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/addresses", "List the addresses of this machine.", NULL, run_list },
	{ .name = NULL }
};
const struct column address_columns[] = {
	{ "ADDRESS", "address", COL_TEXT }, { "INTERFACE", "interface", COL_TEXT }, { "UP", "up", COL_YES }, { "MBIT/S", "speed_mbit", COL_COUNT }, { .title = NULL }
};
const struct verb doctor_verbs[] = {
	{ "", "", NULL, "GET", "/api/v1/status", "Check the server and this machine, and say what to do; changes nothing.", NULL, run_doctor },
	{ .name = NULL }
};
const struct verb bundle_verbs[] = {
	{ "", "[FILE]", NULL, "GET", "/api/v1/config", "Gather what a helper wants to see into a tar file, without secrets.", NULL, run_support_bundle },
	{ .name = NULL }
};
static const struct flag explain_flags[] = {
	{ .name = "from", .metavar = "ADDRESS", .type = FLAG_TEXT, .where = IN_VERB, .help = "Of a user and a share: the address or name of the client." }, END_FLAGS
};
const struct verb explain_verbs[] = {
	{ "", "WHO WHAT", explain_flags, "GET", "/api/v1/explain", "Tell why a host sees a volume, or a user or client a share, or why not, and what to do.", NULL, run_explain },
	{ .name = NULL }
};
static const struct flag top_flags[] = {
	FILTER_ENUM("kind", "kind", "volume|share|host|target|pool|session", "Whom to look at (default volume)."),
	FILTER_ENUM("by", "by", "ops|bytes|latency", "What counts (default bytes)."),
	FILTER("limit", "N", "n", "How many at most (default 10)."), END_FLAGS
};
const struct verb top_verbs[] = {
	{ "", "", top_flags, "GET", "/api/v1/top", "Show who is busiest now: the last ten seconds.", NULL, run_top },
	{ .name = NULL }
};
static const struct flag history_flags[] = {
	FILTER("from", "SECONDS", "from", "Since when, in seconds since 1970 (default an hour ago)."),
	FILTER("to", "SECONDS", "to", "Until when (default now)."), FILTER("points", "N", "points", "How many lines at most."), END_FLAGS
};
const struct verb history_verbs[] = {
	{ "", "[OBJECT]", history_flags, "GET", "/api/v1/history", "Show what the server, or volume/NAME, share/NAME, pool/NAME, host/NAME or target/NAME did over time.", NULL, run_history },
	{ .name = NULL }
};
const struct verb about_verbs[] = {
	{ "", "", NULL, "GET", "/api/v1/about", "Show versions and licences.", NULL, run_about },
	{ .name = NULL }
};
