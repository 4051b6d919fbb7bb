/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verbs.c - the table: every noun, verb, word and flag of the holdfast command.  Parsing, help,
 * completion, the man page's list and the tests all read it. */
#include "cli/verbs_priv.h"

#include <string.h>

const struct flag cli_global_flags[] = {
	{ .name = "output", .metavar = "table|json|name", .type = FLAG_TEXT, .where = IN_VERB, .values = "table|json|name",
	  .help = "How to print: tables for people, JSON, or names only.  Short: -o." },
	{ .name = "state", .metavar = "DIR", .type = FLAG_TEXT, .where = IN_VERB,
	  .help = "Speak to the daemon that was started with --state DIR." },
	{ .name = "socket", .metavar = "PATH", .type = FLAG_TEXT, .where = IN_VERB, .help = "Speak to the daemon behind this socket." },
	{ .name = "dry-run", .type = FLAG_YES, .where = IN_VERB, .help = "Tell what a change would do, and change nothing." },
	{ .name = "yes", .type = FLAG_YES, .where = IN_VERB, .help = "Do not ask before data is lost.  Short: -y." },
	{ .name = "help", .type = FLAG_YES, .where = IN_VERB, .help = "Tell about the command so far.  Short: -h." },
	{ .name = "version", .type = FLAG_YES, .where = IN_VERB, .help = "Print the version." },
	END_FLAGS
};

/* ---- pool ---- */
static const struct flag pool_create[] = {
	{ .name = "path", .metavar = "DIR", .type = FLAG_TEXT, .field = "path", .required = true,
	  .help = "Folder on a local file system that will hold the data; an absolute path." },
	COMMENT, END_FLAGS
};
static const struct flag pool_set[] = { TEXT("name", "NAME", "name", "New name."), COMMENT, END_FLAGS };
static const struct flag force_only[] = { FORCE("Also what depends on it."), END_FLAGS };
static const struct flag pool_format[] = {
	{ .name = "disk", .metavar = "DISK", .type = FLAG_LIST, .field = "disks", .required = true, .help = "An empty disk, as /dev/sdb; may be repeated with btrfs, which keeps everything twice then." },
	{ .name = "file-system", .metavar = "xfs|btrfs", .type = FLAG_TEXT, .field = "file_system", .values = "xfs|btrfs", .required = true, .help = "File system that is made." },
	{ .name = "path", .metavar = "DIR", .type = FLAG_TEXT, .field = "folder", .required = true, .help = "Where it is mounted, now and at every start." },
	{ .name = "confirm", .metavar = "NAME", .type = FLAG_TEXT, .field = "confirm", .required = true, .help = "The name of the pool again." }, END_FLAGS
};
static const struct verb pool_verbs[] = {
	{ "create", "NAME", pool_create, "POST", "/api/v1/pools", "Make a pool in a folder.", NULL, run_create },
	{ "format", "NAME", pool_format, "POST", "/api/v1/pools/format", "Make a pool of empty disks; all that is on them is overwritten.", NULL, run_pool_format },
	{ "list", "", NULL, "GET", "/api/v1/pools", "List pools.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/pools/{id}", "Show a pool.", NULL, run_show },
	{ "set", "NAME", pool_set, "PATCH", "/api/v1/pools/{id}", "Change a pool.", NULL, run_set },
	{ "delete", "NAME", force_only, "DELETE", "/api/v1/pools/{id}", "Delete a pool; its folder stays.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column pool_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "STATE", "state", COL_STATE }, { "PATH", "path", COL_TEXT },
	{ "FS", "file_system", COL_TEXT }, { "SIZE", "total_bytes", COL_SIZE }, { "FREE", "free_bytes", COL_SIZE }, { .title = NULL }
};

/* ---- volume ---- */
static const struct flag volume_create[] = {
	{ .name = "size", .metavar = "SIZE", .type = FLAG_SIZE, .field = "size_bytes", .required = true,
	  .help = "Size, as 10G or 512M: K, M, G, T, P are powers of 1024." },
	REF("pool", "POOL", "pool", "pool", "Pool that holds it; the only or first one when left out."),
	REF("plugin", "PLUGIN", "plugin", "plugin", "Backend: file (default), block, ram, .. or a stack such as fault:file."),
	{ .name = "block-size", .metavar = "512|4096", .type = FLAG_INT, .field = "block_size", .values = "512|4096",
	  .help = "Logical block size (default 512)." },
	ENUM("type", "type", "disk|removable|cdrom", "What SCSI hosts see (default disk); cdrom serves an ISO image."),
	{ .name = "physical-block-size", .metavar = "512|4096", .type = FLAG_INT, .field = "physical_block_size", .values = "512|4096", .help = "What hosts are told of physical blocks (default 512)." },
	{ .name = "option", .metavar = "KEY=VALUE", .type = FLAG_MAP, .field = "options",
	  .help = "Option of the plugin; may be repeated.  See: holdfast plugin show PLUGIN." },
	{ .name = "read-only", .type = FLAG_YES, .field = "read_only", .help = "Refuse writes." },
	{ .name = "encrypted", .type = FLAG_YES, .field = "encrypted", .help = "Keep its data encrypted; see holdfast-security(7)." },
	TEXT("naa", "NAME", "naa_override", "SCSI name that it brings from another array, as naa.6001405.."),
	TEXT("serial", "TEXT", "serial", "Serial number that it brings from another array."),
	TEXT("vendor", "TEXT", "vendor", "Vendor that SCSI hosts are told."), TEXT("product", "TEXT", "product", "Product that SCSI hosts are told."),
	COMMENT, END_FLAGS
};
static const struct flag volume_list[] = {
	FILTER_REF("pool", "POOL", "pool", "pool", "Only those in this pool."),
	FILTER_REF("plugin", "PLUGIN", "plugin", "plugin", "Only those with this backend."), END_FLAGS
};
static const struct flag volume_set[] = {
	TEXT("name", "NAME", "name", "New name."), ON_OFF("read-only", "read_only", "Refuse writes."),
	{ .name = "option", .metavar = "KEY=VALUE", .type = FLAG_MAP, .field = "options", .help = "Option of the plugin; may be repeated." },
	COMMENT, END_FLAGS
};
static const struct flag volume_resize[] = {
	{ .name = "size", .metavar = "SIZE", .type = FLAG_SIZE, .field = "size_bytes", .required = true, .help = "New size, as 20G." },
	QUERY_YES("shrink", "shrink", "A smaller size is meant: what lies beyond it is lost."), END_FLAGS
};
static const struct flag volume_delete[] = {
	FORCE("Also when targets serve it: it is detached first."),
	QUERY_YES("keep-data", "keep_data", "Leave its files in the pool."), END_FLAGS
};
static const struct verb volume_verbs[] = {
	{ "create", "NAME", volume_create, "POST", "/api/v1/volumes", "Make a volume.", NULL, run_create },
	{ "list", "", volume_list, "GET", "/api/v1/volumes", "List volumes.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/volumes/{id}", "Show a volume.", NULL, run_show },
	{ "set", "NAME", volume_set, "PATCH", "/api/v1/volumes/{id}", "Change a volume.", NULL, run_set },
	{ "resize", "NAME", volume_resize, "PATCH", "/api/v1/volumes/{id}", "Change the size; hosts see it after a rescan.", "what lies beyond the new size", run_resize },
	{ "delete", "NAME", volume_delete, "DELETE", "/api/v1/volumes/{id}", "Delete a volume and its data.", "all its data", run_delete },
	{ .name = NULL }
};
static const struct column volume_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "STATE", "state", COL_STATE }, { "SIZE", "size_bytes", COL_SIZE },
	{ "USED", "used_bytes", COL_SIZE }, { "POOL", "pool", COL_TEXT }, { "PLUGIN", "plugin", COL_TEXT },
	{ "BLOCK", "block_size", COL_COUNT }, { "READ-ONLY", "read_only", COL_YES }, { .title = NULL }
};

/* ---- portal ---- */
static const struct flag portal_add[] = {
	{ .name = "group-tag", .metavar = "N", .type = FLAG_INT, .field = "group_tag", .help = "Portal group it belongs to (default 1)." },
	ENUM("nvme-tls", "nvme_tls", "off|allowed|required", "NVMe: whether hosts may or must encrypt their connections (default allowed)."),
	{ .name = "disabled", .type = FLAG_YES, .where = IN_VERB, .help = "Do not listen yet." }, END_FLAGS
};
static const struct flag portal_set[] = {
	ENUM("nvme-tls", "nvme_tls", "off|allowed|required", "NVMe: whether hosts may or must encrypt their connections."), END_FLAGS
};
static const struct flag portal_list[] = {
	FILTER_ENUM("protocol", "protocol", "https|iscsi|nvme-tcp|nvme-discovery|smb|nfs", "Only those of this protocol."), END_FLAGS
};
static const struct verb portal_verbs[] = {
	{ "add", "PROTOCOL ADDRESS:PORT", portal_add, "POST", "/api/v1/portals", "Listen: https, iscsi, nvme-tcp, nvme-discovery, smb or nfs on an address (0.0.0.0 or [::] for all).", NULL, run_portal_add },
	{ "list", "", portal_list, "GET", "/api/v1/portals", "List portals.", NULL, run_list },
	{ "show", "PORTAL", NULL, "GET", "/api/v1/portals/{id}", "Show a portal, by ADDRESS:PORT.", NULL, run_portal_show },
	{ "set", "PORTAL", portal_set, "PATCH", "/api/v1/portals/{id}", "Change a portal; connections that there are stay.", NULL, run_portal_set },
	{ "enable", "PORTAL", NULL, "PATCH", "/api/v1/portals/{id}", "Listen again.", NULL, run_portal_enable },
	{ "disable", "PORTAL", NULL, "PATCH", "/api/v1/portals/{id}", "Stop listening, keep the portal.", NULL, run_portal_disable },
	{ "delete", "PORTAL", force_only, "DELETE", "/api/v1/portals/{id}", "Delete a portal.", NULL, run_portal_delete },
	{ .name = NULL }
};
static const struct column portal_columns[] = {
	{ "PROTOCOL", "protocol", COL_TEXT }, { "ADDRESS", "address", COL_TEXT }, { "PORT", "port", COL_COUNT },
	{ "STATE", "state", COL_STATE }, { "REASON", "reason", COL_TEXT }, { .title = NULL }
};

/* ---- target ---- */
#define TARGET_ISCSI \
	{ .name = "portal-group", .metavar = "TAG", .type = FLAG_LIST, .field = "portal_groups", .help = "iSCSI: a portal group that offers it; may be repeated.  All when left out." }, \
	{ .name = "redirect", .metavar = "[TAG=]ADDRESS:PORT", .type = FLAG_LIST, .field = "redirects", .help = "iSCSI: send logins there, all or those by portal group TAG; may be repeated." }, \
	ON_OFF("redirect-permanent", "redirect_permanent", "iSCSI: whether hosts may remember where they were sent."), \
	ON_OFF("explicit-alua", "explicit_alua", "iSCSI: let hosts change the states of paths."), \
	ON_OFF("require-header-digest", "header_digest_required", "iSCSI: refuse hosts that do not agree on header digests."), \
	ON_OFF("require-data-digest", "data_digest_required", "iSCSI: refuse hosts that do not agree on data digests."), \
	TEXT("chap-user", "USER", "chap_user", "iSCSI: CHAP name asked of hosts that have none of their own."), \
	SECRET("chap-secret-file", "chap_secret", "File with the CHAP secret that goes with it (12 characters or more); - reads it from standard input."), \
	TEXT("mutual-user", "USER", "mutual_user", "CHAP name this target answers such hosts with."), \
	SECRET("mutual-secret-file", "mutual_secret", "File with the CHAP secret this target answers with.")
static const struct flag target_create[] = {
	ENUM("protocol", "protocol", "iscsi|nvme", "How hosts reach it (default iscsi)."),
	TEXT("name", "IQN-OR-NQN", "qualified_name", "Its qualified name; made from NAME when left out."),
	TEXT("alias", "TEXT", "alias", "TargetAlias, shown by some initiators."),
	{ .name = "static-controllers", .metavar = "N", .type = FLAG_INT, .field = "static_controllers", .help = "NVMe: so many controllers with fixed ids; 0 (default): one is made for each host." },
	TARGET_ISCSI, COMMENT, END_FLAGS
};
static const struct flag target_list[] = { FILTER_ENUM("protocol", "protocol", "iscsi|nvme", "Only those of this protocol."), END_FLAGS };
static const struct flag target_set[] = {
	ON_OFF("require-auth", "require_auth", "NVMe: let only hosts in that prove themselves by a key."),
	ON_OFF("require-tls", "require_tls", "NVMe: let hosts in only by encrypted connections."),
	TEXT("name", "NAME", "name", "New name; the qualified name stays."), TEXT("alias", "TEXT", "alias", "TargetAlias."),
	ON_OFF("enabled", "enabled", "Whether logins are accepted."),
	{ .name = "static-controllers", .metavar = "N", .type = FLAG_INT, .field = "static_controllers", .help = "NVMe: so many controllers with fixed ids; 0 (default): one is made for each host." },
	TARGET_ISCSI, COMMENT, END_FLAGS
};
static const struct flag target_attach[] = {
	{ .name = "lun", .metavar = "N", .type = FLAG_INT, .field = "lun", .help = "Logical unit number; the lowest free one when left out." },
	{ .name = "read-only", .type = FLAG_YES, .field = "read_only", .help = "Refuse writes through this target." }, END_FLAGS
};
static const struct flag target_allow[] = {
	{ .name = "any", .type = FLAG_YES, .where = IN_VERB, .help = "Every host, without authentication." },
	{ .name = "host", .metavar = "HOST", .type = FLAG_LIST, .where = IN_VERB, .noun = "host", .help = "This host; may be repeated." },
	{ .name = "group", .metavar = "GROUP", .type = FLAG_LIST, .where = IN_VERB, .noun = "host-group", .help = "The hosts of this group; may be repeated." },
	{ .name = "luns", .metavar = "N", .type = FLAG_LIST, .where = IN_VERB, .help = "Only these LUNs; may be repeated.  All when left out." }, END_FLAGS
};
static const struct flag target_deny[] = {
	{ .name = "any", .type = FLAG_YES, .where = IN_VERB, .help = "No longer every host." },
	{ .name = "host", .metavar = "HOST", .type = FLAG_LIST, .where = IN_VERB, .noun = "host", .help = "This host; may be repeated." },
	{ .name = "group", .metavar = "GROUP", .type = FLAG_LIST, .where = IN_VERB, .noun = "host-group", .help = "This group; may be repeated." }, END_FLAGS
};
static const struct flag target_ana[] = {
	{ .name = "group", .metavar = "N", .type = FLAG_INT, .where = IN_VERB, .required = true, .help = "Tag of the portal group." },
	{ .name = "ana-state", .metavar = "optimized|non-optimized|inaccessible|change", .type = FLAG_TEXT, .where = IN_VERB, .required = true,
	  .values = "optimized|non-optimized|inaccessible|change", .help = "What hosts are told; optimized is what a group is by itself." }, END_FLAGS
};
static const struct flag target_connect[] = {
	FILTER_REF("host", "HOST", "host", "host", "For this host: with its way of authentication."),
	{ .name = "os", .metavar = "linux|windows|esxi", .type = FLAG_TEXT, .where = IN_VERB, .values = "linux|windows|esxi", .help = "Only for this system." }, END_FLAGS
};
static const struct verb target_verbs[] = {
	{ "create", "NAME", target_create, "POST", "/api/v1/targets", "Make a target that hosts log in to.", NULL, run_create },
	{ "list", "", target_list, "GET", "/api/v1/targets", "List targets.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/targets/{id}", "Show a target.", NULL, run_show },
	{ "set", "NAME", target_set, "PATCH", "/api/v1/targets/{id}", "Change a target.", NULL, run_set },
	{ "test", "NAME", target_test_flags, "POST", "/api/v1/targets/{id}/test", "Try a target as a host would, step by step.", NULL, run_self_test },
	{ "attach", "TARGET VOLUME", target_attach, "POST", "/api/v1/luns", "Serve a volume through a target.", NULL, run_attach },
	{ "detach", "TARGET VOLUME", force_only, "DELETE", "/api/v1/luns/{id}", "Stop serving a volume through a target; its data stays.", NULL, run_detach },
	{ "allow", "TARGET", target_allow, "POST", "/api/v1/accesses", "Let hosts use a target.", NULL, run_allow },
	{ "deny", "TARGET", target_deny, "DELETE", "/api/v1/accesses/{id}", "Take an access away.", NULL, run_deny },
	{ "ana", "TARGET", target_ana, "PATCH", "/api/v1/targets/{id}", "Tell hosts how good the paths to a target through a portal group are.", NULL, run_target_ana },
	{ "connect", "TARGET", target_connect, "GET", "/api/v1/targets/{id}/connect", "Print what to type on a host to reach a target.", NULL, run_target_connect },
	{ "delete", "NAME", force_only, "DELETE", "/api/v1/targets/{id}", "Delete a target; its volumes stay.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column target_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "PROTOCOL", "protocol", COL_TEXT }, { "QUALIFIED NAME", "qualified_name", COL_TEXT },
	{ "ENABLED", "enabled", COL_YES }, { "ANY HOST", "allow_any", COL_YES }, { "LUNS", "luns", COL_LUNS },
	{ "HOSTS", "hosts", COL_LIST }, { "SESSIONS", "sessions", COL_COUNT }, { .title = NULL }
};

/* ---- host, host-group ---- */
#define HOST_SECRETS                                                                                                     \
	TEXT("chap-user", "USER", "chap_user", "CHAP name the host must use."),                                          \
	SECRET("chap-secret-file", "chap_secret", "File with the host's CHAP secret (12 characters or more); - reads it from standard input."), \
	TEXT("mutual-user", "USER", "mutual_user", "CHAP name this server answers with."),                               \
	SECRET("mutual-secret-file", "mutual_secret", "File with the CHAP secret this server answers with."),            \
	SECRET("dhchap-key-file", "dhchap_key", "File with the host's NVMe authentication key (DHHC-1:..)."),            \
	SECRET("dhchap-ctrl-key-file", "dhchap_ctrl_key", "File with the key this server answers with."),                \
	SECRET("tls-psk-file", "tls_psk", "File with the NVMe/TCP TLS key (NVMeTLSkey-1:..).")
#define HOST_NAMES                                                                                                       \
	{ .name = "iqn", .metavar = "IQN", .type = FLAG_LIST, .field = "iqns", .help = "iSCSI initiator name, * and ? match; may be repeated." }, \
	{ .name = "nqn", .metavar = "NQN", .type = FLAG_LIST, .field = "nqns", .help = "NVMe host name; may be repeated." }, \
	{ .name = "address", .metavar = "ADDRESS", .type = FLAG_LIST, .field = "addresses", .help = "Address or network it comes from; may be repeated." }
static const struct flag host_create[] = { HOST_NAMES, HOST_SECRETS, COMMENT, END_FLAGS };
static const struct flag host_set[] = { TEXT("name", "NAME", "name", "New name."), HOST_NAMES, HOST_SECRETS, COMMENT, END_FLAGS };
static const struct verb host_verbs[] = {
	{ "create", "NAME", host_create, "POST", "/api/v1/hosts", "Make a client machine known.", NULL, run_create },
	{ "list", "", NULL, "GET", "/api/v1/hosts", "List hosts.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/hosts/{id}", "Show a host; secrets are never shown.", NULL, run_show },
	{ "set", "NAME", host_set, "PATCH", "/api/v1/hosts/{id}", "Change a host; lists replace those before.", NULL, run_set },
	{ "delete", "NAME", force_only, "DELETE", "/api/v1/hosts/{id}", "Delete a host.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column host_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "IQNS", "iqns", COL_LIST }, { "NQNS", "nqns", COL_LIST },
	{ "ADDRESSES", "addresses", COL_LIST }, { "CHAP", "chap_secret", COL_YES }, { "MUTUAL", "mutual_secret", COL_YES }, { .title = NULL }
};
static const struct flag key_generate[] = {
	{ .name = "hash", .metavar = "none|sha256|sha384|sha512", .type = FLAG_TEXT, .where = IN_VERB, .values = "none|sha256|sha384|sha512",
	  .help = "Hash that transforms the key (default none for dhchap, sha256 for psk)." },
	{ .name = "length", .metavar = "32|48|64", .type = FLAG_TEXT, .where = IN_VERB, .values = "32|48|64", .help = "Bytes of the key; goes with the hash." },
	{ .name = "host", .metavar = "HOST", .type = FLAG_TEXT, .where = IN_VERB, .noun = "host", .help = "Also make it the key of this host." },
	{ .name = "ctrl", .type = FLAG_YES, .where = IN_VERB, .help = "With --host: the key that this server answers with." }, END_FLAGS
};
static const struct verb key_verbs[] = {
	{ "generate", "KIND", key_generate, "PATCH", "/api/v1/hosts/{id}", "Make an NVMe key, dhchap or psk, and print it.", NULL, run_key_generate },
	{ .name = NULL }
};
static const struct flag group_create[] = {
	{ .name = "host", .metavar = "HOST", .type = FLAG_LIST, .field = "hosts", .noun = "host", .help = "Member; may be repeated." },
	COMMENT, END_FLAGS
};
static const struct flag group_set[] = { TEXT("name", "NAME", "name", "New name."), COMMENT, END_FLAGS };
static const struct verb group_verbs[] = {
	{ "create", "NAME", group_create, "POST", "/api/v1/host-groups", "Make a group of hosts.", NULL, run_create },
	{ "list", "", NULL, "GET", "/api/v1/host-groups", "List host groups.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/host-groups/{id}", "Show a host group.", NULL, run_show },
	{ "set", "NAME", group_set, "PATCH", "/api/v1/host-groups/{id}", "Change a host group.", NULL, run_set },
	{ "add", "GROUP HOST", NULL, "PATCH", "/api/v1/host-groups/{id}", "Put a host into a group.", NULL, run_group_add },
	{ "remove", "GROUP HOST", NULL, "PATCH", "/api/v1/host-groups/{id}", "Take a host out of a group.", NULL, run_group_remove },
	{ "delete", "NAME", force_only, "DELETE", "/api/v1/host-groups/{id}", "Delete a group; its hosts stay.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column group_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "HOSTS", "hosts", COL_LIST }, { "COMMENT", "comment", COL_TEXT }, { .title = NULL }
};

/* ---- session, setting, config, status ---- */
static const struct flag session_close[] = {
	{ .name = "ban", .metavar = "TIME", .type = FLAG_TEXT, .where = IN_VERB, .help = "Keep its host (iSCSI, NVMe) from the target for so long: 30s, 10m, 2h, 1d." }, END_FLAGS
};
static const struct verb session_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/sessions", "List the sessions of hosts.", NULL, run_list },
	{ "show", "ID", NULL, "GET", "/api/v1/sessions/{id}", "Show a session.", NULL, run_show },
	{ "close", "ID", session_close, "DELETE", "/api/v1/sessions/{id}", "Ask the host to log out, then close; it may log in again, unless banned.", NULL, run_session_close },
	{ .name = NULL }
};
static const struct verb ban_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/bans", "List initiators that may not log in for a while.", NULL, run_list },
	{ "lift", "ID", NULL, "DELETE", "/api/v1/bans/{id}", "Let one log in again.", NULL, run_ban_lift },
	{ .name = NULL }
};
static const struct column ban_columns[] = {
	{ "ID", "id", COL_COUNT }, { "INITIATOR", "initiator", COL_TEXT }, { "TARGET", "target", COL_TEXT }, { "UNTIL", "until", COL_TEXT }, { .title = NULL }
};
static const struct column session_columns[] = {
	{ "ID", "id", COL_COUNT }, { "TARGET", "target", COL_TEXT }, { "INITIATOR", "initiator", COL_TEXT }, { "HOST", "host", COL_TEXT },
	{ "PEER", "peer", COL_TEXT }, { "AUTH", "auth", COL_TEXT }, { "CONNECTIONS", "connections", COL_COUNT },
	{ "READ", "read_bytes", COL_SIZE }, { "WRITTEN", "write_bytes", COL_SIZE }, { .title = NULL }
};
static const struct verb setting_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/settings", "List settings.", NULL, run_list },
	{ "get", "KEY", NULL, "GET", "/api/v1/settings/{id}", "Print the value of a setting.", NULL, run_setting_get },
	{ "set", "KEY VALUE", NULL, "PATCH", "/api/v1/settings/{id}", "Change a setting.", NULL, run_setting_set },
	{ "reset", "KEY", NULL, "DELETE", "/api/v1/settings/{id}", "Set a setting back to its default.", NULL, run_setting_reset },
	{ .name = NULL }
};
static const struct column setting_columns[] = {
	{ "KEY", "key", COL_TEXT }, { "VALUE", "value", COL_TEXT }, { "DEFAULT", "default_value", COL_TEXT },
	{ "WHAT IT DOES", "help", COL_TEXT }, { .title = NULL }
};
#define PASSPHRASE(h) { .name = "passphrase-file", .metavar = "FILE", .type = FLAG_SECRET_FILE, .where = IN_VERB, .field = "passphrase", .help = h }
static const struct flag config_import[] = {
	PASSPHRASE("File with the passphrase that the document's secrets were sealed with; - reads it from standard input."),
	QUERY_YES("prune", "prune", "Also delete what the document does not have."), END_FLAGS
};
static const struct flag config_export[] = {
	PASSPHRASE("Seal the secrets with the passphrase in this file instead, and write the accounts too: for a restore on another machine."),
	QUERY_YES("with-secrets", "secrets", "Also the secrets, sealed: they open only beside the same secret.key."), END_FLAGS
};
static const struct verb config_verbs[] = {
	{ "export", "[FILE]", config_export, "GET", "/api/v1/config", "Write the configuration as JSON.", NULL, run_export },
	{ "import", "FILE", config_import, "POST", "/api/v1/config", "Make the configuration what a document says; - reads standard input.", "whatever the document does not have", run_import },
	{ .name = NULL }
};
static const struct verb status_verbs[] = {
	{ "", "", NULL, "GET", "/api/v1/status", "Show the state of the server and what needs attention.", NULL, run_status },
	{ .name = NULL }
};

/* ---- account, token, login, setup-code ---- */
#define ROLE(h, must) { .name = "role", .metavar = "admin|operator|viewer", .type = FLAG_TEXT, .field = "role", .values = "admin|operator|viewer", .required = must, .help = h }
#define PASSWORD(must) { .name = "password-file", .metavar = "FILE", .type = FLAG_SECRET_FILE, .field = "password", .required = must, \
	.help = "File whose first line is the password (10 characters or more); - reads it from standard input." }
static const struct flag account_create[] = { ROLE("What it may do.", true), PASSWORD(false), COMMENT, END_FLAGS };
static const struct flag account_set[] = {
	TEXT("name", "NAME", "name", "New name."), ROLE("What it may do.", false), ON_OFF("enabled", "enabled", "Whether it may log in."), COMMENT, END_FLAGS
};
static const struct flag account_passwd[] = { PASSWORD(true), END_FLAGS };
static const struct flag account_delete[] = { FORCE("Also the last one that may administer; the page asks for a setup code then."), END_FLAGS };
static const struct verb account_verbs[] = {
	{ "create", "NAME", account_create, "POST", "/api/v1/accounts", "Make an account; without a password it cannot log in yet.", NULL, run_create },
	{ "list", "", NULL, "GET", "/api/v1/accounts", "List accounts.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/accounts/{id}", "Show an account.", NULL, run_show },
	{ "set", "NAME", account_set, "PATCH", "/api/v1/accounts/{id}", "Change an account.", NULL, run_set },
	{ "passwd", "NAME", account_passwd, "PATCH", "/api/v1/accounts/{id}", "Give an account a new password, and sign its browsers out.", NULL, run_set },
	{ "totp-reset", "NAME", NULL, "POST", "/api/v1/accounts/{id}/totp-reset", "Take the second factor from an account whose phone is lost.", NULL, run_totp_reset },
	{ "delete", "NAME", account_delete, "DELETE", "/api/v1/accounts/{id}", "Delete an account and its tokens.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column account_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "ROLE", "role", COL_TEXT }, { "ENABLED", "enabled", COL_YES }, { "TOTP", "totp_enabled", COL_YES },
	{ "LAST LOGIN", "last_login_at", COL_TIME }, { .title = NULL }
};
static const struct flag token_create[] = {
	REF("account", "ACCOUNT", "account", "account", "Whose it is; it never has more rights than this account."),
	ROLE("What it may do at most.", true),
	{ .name = "scope", .metavar = "WORD", .type = FLAG_LIST, .field = "scopes", .help = "What it may ask for, such as volumes; may be repeated.  All but accounts, tokens, logins and config when left out." },
	TEXT("expires-at", "TIME", "expires_at", "When it ends, such as 2027-01-31T00:00:00Z; never when left out."), END_FLAGS
};
static const struct verb token_verbs[] = {
	{ "create", "NAME", token_create, "POST", "/api/v1/tokens", "Make a token for a program, and print it this once.", NULL, run_token_create },
	{ "list", "", NULL, "GET", "/api/v1/tokens", "List tokens.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/tokens/{id}", "Show a token; its secret is never shown again.", NULL, run_show },
	{ "delete", "NAME", NULL, "DELETE", "/api/v1/tokens/{id}", "Delete a token; it is refused from then on.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column token_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "ACCOUNT", "account", COL_TEXT }, { "ROLE", "role", COL_TEXT }, { "SCOPES", "scopes", COL_LIST },
	{ "EXPIRES", "expires_at", COL_TIME }, { "LAST USED", "last_used_at", COL_TIME }, { .title = NULL }
};
static const struct verb login_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/logins", "List signed-in browsers.", NULL, run_list },
	{ "end", "ID", NULL, "DELETE", "/api/v1/logins/{id}", "Sign a browser out.", NULL, run_login_end },
	{ .name = NULL }
};
static const struct column login_columns[] = {
	{ "ID", "id", COL_TEXT }, { "ACCOUNT", "account", COL_TEXT }, { "FROM", "source", COL_TEXT }, { "SINCE", "created_at", COL_TIME },
	{ "LAST SEEN", "last_seen_at", COL_TIME }, { .title = NULL }
};
static const struct verb setup_code_verbs[] = {
	{ "", "", NULL, "POST", "/api/v1/setup/code", "Make a code by which the page of a new server makes the first account.", NULL, run_setup_code },
	{ .name = NULL }
};

/* ---- event, audit, task, plugin ---- */
#define LIMIT FILTER("limit", "N", "limit", "How many at most (default 50).")
static const struct flag event_list[] = {
	FILTER_ENUM("level", "level", "info|warning|error", "Only those of this level."),
	FILTER("type", "TYPE", "type", "Only those of this type, such as volume.offline."),
	FILTER("object", "NAME", "object", "Only those about this object."),
	{ .name = "alerts", .type = FLAG_YES, .where = IN_QUERY, .field = "alert", .help = "Only what needs a person." }, LIMIT, END_FLAGS
};
static const struct verb event_verbs[] = {
	{ "list", "", event_list, "GET", "/api/v1/events", "List what happened, newest first.", NULL, run_list },
	{ "follow", "", NULL, "GET", "/api/v1/events", "Print what happens, until interrupted.", NULL, run_event_follow },
	{ .name = NULL }
};
static const struct column event_columns[] = {
	{ "AT", "at", COL_TIME }, { "LEVEL", "level", COL_STATE }, { "TYPE", "type", COL_TEXT }, { "OBJECT", "object", COL_TEXT },
	{ "MESSAGE", "message", COL_TEXT }, { .title = NULL }
};
static const struct flag audit_list[] = {
	FILTER("actor", "WHO", "actor", "Only what this one did."), FILTER_ENUM("verb", "verb", "create|update|delete|login|logout|refuse|confirm|export", "Only this."),
	FILTER("since", "TIME", "since", "Only from this time on, such as 2026-11-30T00:00:00Z."), FILTER("until", "TIME", "until", "Only before this time."), FILTER("kind", "KIND", "kind", "Only changes of this kind of object."), LIMIT, END_FLAGS
};
static const struct verb audit_verbs[] = {
	{ "list", "", audit_list, "GET", "/api/v1/audit", "List who changed what, newest first.", NULL, run_list },
	{ "undo", "REVISION", NULL, "POST", "/api/v1/changes/{id}/undo", "Take a change back, if nobody has changed the object since.", NULL, run_undo },
	{ .name = NULL }
};
static const struct column audit_columns[] = {
	{ "REVISION", "revision", COL_COUNT }, { "AT", "at", COL_TIME }, { "WHO", "actor", COL_TEXT }, { "FROM", "source", COL_TEXT }, { "VERB", "verb", COL_TEXT },
	{ "KIND", "kind", COL_TEXT }, { "OBJECT", "object_name", COL_TEXT }, { .title = NULL }
};
static const struct flag task_list[] = {
	FILTER_ENUM("in", "state", "running|done|failed|cancelled", "Only those in this state."), LIMIT, END_FLAGS
};
static const struct verb task_verbs[] = {
	{ "list", "", task_list, "GET", "/api/v1/tasks", "List long work, newest first.", NULL, run_list },
	{ "show", "ID", NULL, "GET", "/api/v1/tasks/{id}", "Show a task.", NULL, run_show },
	{ "cancel", "ID", NULL, "POST", "/api/v1/tasks/{id}/cancel", "Ask a task to stop.", NULL, run_task_cancel },
	{ .name = NULL }
};
static const struct column task_columns[] = {
	{ "ID", "id", COL_TEXT }, { "TYPE", "type", COL_TEXT }, { "OBJECT", "object", COL_TEXT }, { "STATE", "state", COL_STATE },
	{ "PERCENT", "percent", COL_COUNT }, { "STARTED", "started_at", COL_TIME }, { "MESSAGE", "message", COL_TEXT }, { .title = NULL }
};
static const struct verb plugin_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/plugins", "List backend plugins.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/plugins/{id}", "Show a plugin and its options.", NULL, run_show },
	{ .name = NULL }
};
static const struct column plugin_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "VERSION", "version", COL_TEXT }, { "SUMMARY", "summary", COL_TEXT }, { .title = NULL }
};

/* ---- certificate, acme-account, acme-history, channel ---- */
#define WHOLE_FILE(n, h) { .name = n, .metavar = "FILE", .type = FLAG_TEXT, .where = IN_VERB, .help = h }
#define NO_WAIT { .name = "no-wait", .type = FLAG_YES, .where = IN_VERB, .help = "Do not wait for the end of the task." }
#define CERTIFICATE_WISHES                                                                                               \
	{ .name = "domain", .metavar = "NAME", .type = FLAG_LIST, .field = "names", .help = "Name it shall stand for; may be repeated.  Wildcards need dns-01." }, \
	REF("account", "ACCOUNT", "account", "acme-account", "Account at the authority that issues it."),                 \
	ENUM("challenge", "challenge", "http-01|tls-alpn-01|dns-01", "How control of the names is proven (default http-01)."), \
	ENUM("dns-method", "dns_method", "rfc2136|script|lego", "How dns-01 sets its record."),                           \
	{ .name = "dns-option", .metavar = "KEY=VALUE", .type = FLAG_MAP, .field = "dns_options", .help = "Option of the method: server, port, zone, key, algorithm, alias, wait; script; provider, resolvers.  May be repeated." }, \
	WHOLE_FILE("dns-secret-file", "File with the TSIG key in base64, the script's DNS_SECRET, or lines NAME=VALUE for lego."), \
	TEXT("profile", "PROFILE", "profile", "Profile of the authority, such as shortlived."),                           \
	TEXT("preferred-chain", "ROOT", "preferred_chain", "Root that the chain should lead to."),                        \
	ENUM("key-type", "key_type", "ec256|ec384|rsa2048|rsa3072|rsa4096", "Kind of key (default ec256)."),              \
	ON_OFF("auto-renew", "auto_renew", "Renew it in time (default on)."),                                             \
	ON_OFF("auto-activate", "auto_activate", "Serve HTTPS with it as soon as it is issued (default on)."),            \
	ON_OFF("staging-first", "staging_first", "Rehearse with the authority's staging directory before ordering.")
static const struct flag certificate_upload[] = {
	{ .name = "chain-file", .metavar = "FILE", .type = FLAG_TEXT, .where = IN_VERB, .required = true, .help = "PEM file with the certificate and those that issued it, the server's own first." },
	{ .name = "key-file", .metavar = "FILE", .type = FLAG_TEXT, .where = IN_VERB, .required = true, .help = "PEM file with its private key, without a passphrase." },
	{ .name = "active", .type = FLAG_YES, .field = "active", .help = "Serve HTTPS with it at once." }, COMMENT, END_FLAGS
};
static const struct flag certificate_request[] = { CERTIFICATE_WISHES, COMMENT, NO_WAIT, END_FLAGS };
static const struct flag certificate_set[] = {
	TEXT("name", "NAME", "name", "New name."), CERTIFICATE_WISHES, WHOLE_FILE("chain-file", "Another chain for an upload."),
	WHOLE_FILE("key-file", "Another key for an upload."), COMMENT, END_FLAGS
};
static const struct flag certificate_list[] = { FILTER_ENUM("source", "source", "upload|acme|self-signed", "Only those from there."), END_FLAGS };
static const struct flag certificate_revoke[] = {
	{ .name = "reason", .metavar = "unspecified|key-compromise|affiliation-changed|superseded|cessation-of-operation", .type = FLAG_TEXT, .where = IN_VERB,
	  .values = "unspecified|key-compromise|affiliation-changed|superseded|cessation-of-operation", .help = "Why, as the authority publishes it." },
	NO_WAIT, END_FLAGS
};
static const struct flag no_wait_only[] = { NO_WAIT, END_FLAGS };
static const struct verb certificate_verbs[] = {
	{ "list", "", certificate_list, "GET", "/api/v1/certificates", "List certificates.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/certificates/{id}", "Show a certificate; its key is never shown.", NULL, run_show },
	{ "upload", "NAME", certificate_upload, "POST", "/api/v1/certificates", "Store a certificate and its key, after checking that they fit.", NULL, run_certificate_upload },
	{ "request", "NAME", certificate_request, "POST", "/api/v1/certificates", "Order a certificate from an authority, and keep it renewed.", NULL, run_certificate_request },
	{ "set", "NAME", certificate_set, "PATCH", "/api/v1/certificates/{id}", "Change a certificate; other wishes order it anew.", NULL, run_with_files_set },
	{ "activate", "NAME", NULL, "POST", "/api/v1/certificates/{id}/activate", "Serve HTTPS with a certificate; open connections go on.", NULL, run_certificate_activate },
	{ "renew", "NAME", no_wait_only, "POST", "/api/v1/certificates/{id}/renew", "Order a certificate anew now.", NULL, run_certificate_renew },
	{ "revoke", "NAME", certificate_revoke, "POST", "/api/v1/certificates/{id}/revoke", "Revoke a certificate at its authority.", "the validity", run_certificate_revoke },
	{ "delete", "NAME", force_only, "DELETE", "/api/v1/certificates/{id}", "Delete a certificate that does not serve.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column certificate_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "SOURCE", "source", COL_TEXT }, { "STATE", "state", COL_STATE }, { "ACTIVE", "active", COL_YES },
	{ "NAMES", "names", COL_LIST }, { "ISSUER", "issuer", COL_TEXT }, { "UNTIL", "not_after", COL_TIME }, { "RENEWED", "renew_at", COL_TIME }, { .title = NULL }
};
#define ACCOUNT_FLAGS                                                                                                    \
	TEXT("staging-directory", "DIRECTORY", "staging_directory", "Directory to rehearse with, when the authority has none that is known."), \
	WHOLE_FILE("ca-file", "PEM file that the directory's certificate is checked against, instead of the system's."),  \
	TEXT("email", "ADDRESS", "email", "Where the authority may write to."),                                           \
	TEXT("eab-kid", "ID", "eab_kid", "Key id of an external account binding (ZeroSSL, Google)."),                     \
	SECRET("eab-hmac-file", "eab_hmac", "File with the HMAC key of the external account binding, in base64url."),     \
	{ .name = "agree-terms", .type = FLAG_YES, .field = "terms_agreed", .help = "You have read the authority's terms of service and agree." }
static const struct flag acme_account_create[] = {
	{ .name = "directory", .metavar = "DIRECTORY", .type = FLAG_TEXT, .field = "directory", .required = true,
	  .help = "letsencrypt, letsencrypt-staging, zerossl, google, google-staging, buypass, buypass-staging, or an https:// address." },
	ACCOUNT_FLAGS, WHOLE_FILE("key-file", "PEM file with a key of the account's own; made when left out."), COMMENT, END_FLAGS
};
static const struct flag acme_account_set[] = { TEXT("name", "NAME", "name", "New name."), ACCOUNT_FLAGS, COMMENT, END_FLAGS };
static const struct verb acme_account_verbs[] = {
	{ "create", "NAME", acme_account_create, "POST", "/api/v1/acme-accounts", "Make an account for an authority; it is registered when it is first needed.", NULL, run_with_files_create },
	{ "list", "", NULL, "GET", "/api/v1/acme-accounts", "List accounts at authorities.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/acme-accounts/{id}", "Show an account.", NULL, run_show },
	{ "set", "NAME", acme_account_set, "PATCH", "/api/v1/acme-accounts/{id}", "Change an account.", NULL, run_with_files_set },
	{ "register", "NAME", no_wait_only, "POST", "/api/v1/acme-accounts/{id}/register", "Register an account at its authority now.", NULL, run_account_do },
	{ "rollover", "NAME", no_wait_only, "POST", "/api/v1/acme-accounts/{id}/rollover", "Give an account another key.", NULL, run_account_do },
	{ "deactivate", "NAME", no_wait_only, "POST", "/api/v1/acme-accounts/{id}/deactivate", "Close an account at its authority for good.", "the registration", run_account_do },
	{ "delete", "NAME", force_only, "DELETE", "/api/v1/acme-accounts/{id}", "Forget an account here.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column acme_account_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "DIRECTORY", "directory", COL_TEXT }, { "EMAIL", "email", COL_TEXT }, { "REGISTERED", "url", COL_TEXT },
	{ "LAST ERROR", "last_error", COL_TEXT }, { .title = NULL }
};
static const struct flag acme_history_list[] = {
	FILTER_REF("certificate", "NAME", "certificate", "certificate", "Only about this certificate."),
	FILTER_ENUM("result", "result", "done|failed|cancelled", "Only those that ended so."), FILTER("limit", "N", "limit", "How many at most (default 50)."), END_FLAGS
};
static const struct verb acme_history_verbs[] = {
	{ "list", "", acme_history_list, "GET", "/api/v1/acme-history", "List what was asked of authorities, newest first.", NULL, run_list },
	{ .name = NULL }
};
static const struct column acme_history_columns[] = {
	{ "AT", "at", COL_TIME }, { "ACTION", "action", COL_TEXT }, { "CERTIFICATE", "certificate", COL_TEXT }, { "ACCOUNT", "account", COL_TEXT },
	{ "RESULT", "result", COL_STATE }, { "SECONDS", "seconds", COL_COUNT }, { "MESSAGE", "message", COL_TEXT }, { .title = NULL }
};
#define CHANNEL_FLAGS                                                                                                    \
	ENUM("min-level", "min_level", "info|warning|error", "Least level of the events that are told (default warning)."), \
	{ .name = "interval", .metavar = "SECONDS", .type = FLAG_INT, .field = "interval_s", .help = "Least time between two messages (default 300)." }, \
	TEXT("url", "URL", "url", "Address of the webhook; {{secret}} stands for the secret."),                           \
	{ .name = "header", .metavar = "NAME=VALUE", .type = FLAG_MAP, .field = "headers", .help = "Header of the webhook; may be repeated." }, \
	WHOLE_FILE("template-file", "File with the body of the webhook: {{text}}, {{subject}}, {{level}}, {{server}}, {{count}}, {{time}}, {{events}}, {{secret}}."), \
	SECRET("secret-file", "secret", "File with what {{secret}} stands for."),                                         \
	TEXT("host", "HOST", "host", "Mail server."), { .name = "port", .metavar = "N", .type = FLAG_INT, .field = "port", .help = "Its port." }, \
	ENUM("security", "security", "starttls|tls|plain", "How the way to the mail server is protected (default starttls)."), \
	TEXT("user", "USER", "user", "Name to log in with."), SECRET("password-file", "password", "File with the password at the mail server."), \
	TEXT("from", "ADDRESS", "from", "Sender's address."),                                                             \
	{ .name = "to", .metavar = "ADDRESS", .type = FLAG_LIST, .field = "to", .help = "Who gets the mail; may be repeated." }, \
	WHOLE_FILE("ca-file", "PEM file that the other side's certificate is checked against, instead of the system's.")
static const struct flag channel_create[] = {
	{ .name = "type", .metavar = "email|webhook", .type = FLAG_TEXT, .field = "type", .values = "email|webhook", .required = true, .help = "How people are told." },
	CHANNEL_FLAGS, COMMENT, END_FLAGS
};
static const struct flag channel_set[] = { TEXT("name", "NAME", "name", "New name."), ON_OFF("enabled", "enabled", "Whether anything is sent."), CHANNEL_FLAGS, COMMENT, END_FLAGS };
static const struct verb channel_verbs[] = {
	{ "create", "NAME", channel_create, "POST", "/api/v1/channels", "Make a channel that tells people what happened, by mail or webhook.", NULL, run_with_files_create },
	{ "list", "", NULL, "GET", "/api/v1/channels", "List channels.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/channels/{id}", "Show a channel; secrets are never shown.", NULL, run_show },
	{ "set", "NAME", channel_set, "PATCH", "/api/v1/channels/{id}", "Change a channel.", NULL, run_with_files_set },
	{ "test", "NAME", NULL, "POST", "/api/v1/channels/{id}/test", "Send a message and show what was said on the wire.", NULL, run_channel_test },
	{ "delete", "NAME", force_only, "DELETE", "/api/v1/channels/{id}", "Delete a channel.", NULL, run_delete },
	{ .name = NULL }
};
static const struct column channel_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "TYPE", "type", COL_TEXT }, { "STATE", "state", COL_STATE }, { "LEVEL", "min_level", COL_TEXT },
	{ "HOST", "host", COL_TEXT }, { "TO", "to", COL_LIST }, { "QUEUED", "queued", COL_COUNT }, { "SENT", "sent_at", COL_TIME }, { "LAST ERROR", "last_error", COL_TEXT }, { .title = NULL }
};

const struct noun cli_nouns[] = {
	{ "explain", NULL, "Why a host does not see a volume, or a user a share.", explain_verbs, NULL, LIST_WHOLE },
	{ "serve", NULL, "Serve a volume to a host in one go.", serve_verbs, NULL, LIST_WHOLE },
	{ "pool", "pools", "Places that hold data.", pool_verbs, pool_columns, LIST_PAGES },
	{ "volume", "volumes", "Block devices served to hosts.", volume_verbs, volume_columns, LIST_PAGES },
	{ "target", "targets", "What hosts log in to.", target_verbs, target_columns, LIST_PAGES },
	{ "portal", "portals", "Addresses and ports that serve a protocol.", portal_verbs, portal_columns, LIST_PAGES },
	{ "host", "hosts", "Client machines.", host_verbs, host_columns, LIST_PAGES },
	{ "host-group", "host-groups", "Groups of hosts.", group_verbs, group_columns, LIST_PAGES },
	{ "share", "shares", "Folders served over SMB and NFS.", share_verbs, share_columns, LIST_PAGES },
	{ "user", "users", "People who use shares.", user_verbs, user_columns, LIST_PAGES },
	{ "group", "groups", "Groups of users.", nas_group_verbs, nas_group_columns, LIST_PAGES },
	{ "snapshot", "snapshots", "Points in time of shares.", snapshot_verbs, snapshot_columns, LIST_WHOLE },
	{ "disk", "disks", "Disks of this machine.", disk_verbs, disk_columns, LIST_WHOLE },
	{ "nas", NULL, "The servers of shares.", nas_verbs, NULL, LIST_WHOLE },
	{ "import", "imports", "Copies from other servers, and what their configuration becomes.", import_verbs, import_columns, LIST_WHOLE },
	{ "quota", "quotas", "What files of users and groups may take.", quota_verbs, quota_columns, LIST_PAGES },
	{ "key", NULL, "Keys for NVMe hosts.", key_verbs, NULL, LIST_WHOLE },
	{ "session", "sessions", "Live logins of hosts.", session_verbs, session_columns, LIST_WHOLE },
	{ "ban", "bans", "Initiators that were sent away for a while.", ban_verbs, ban_columns, LIST_WHOLE },
	{ "refused", "refused", "Hosts that knocked and were not let in.", refused_verbs, refused_columns, LIST_WHOLE },
	{ "alert", "alerts", "What needs a person.", alert_verbs, alert_columns, LIST_WHOLE },
	{ "address", "addresses", "Addresses of this machine.", address_verbs, address_columns, LIST_WHOLE },
	{ "certificate", "certificates", "Certificates that HTTPS is served with.", certificate_verbs, certificate_columns, LIST_PAGES },
	{ "acme-account", "acme-accounts", "Accounts at authorities that issue certificates.", acme_account_verbs, acme_account_columns, LIST_PAGES },
	{ "acme-history", "acme-history", "What was asked of authorities.", acme_history_verbs, acme_history_columns, LIST_NEWEST },
	{ "channel", "channels", "Mail and webhooks that tell people what happened.", channel_verbs, channel_columns, LIST_PAGES },
	{ "setting", "settings", "Options of the whole server.", setting_verbs, setting_columns, LIST_WHOLE },
	{ "config", NULL, "The configuration as one document.", config_verbs, NULL, LIST_WHOLE },
	{ "event", "events", "What happened.", event_verbs, event_columns, LIST_NEWEST },
	{ "audit", "audit", "Who changed what.", audit_verbs, audit_columns, LIST_NEWEST },
	{ "task", "tasks", "Long work.", task_verbs, task_columns, LIST_NEWEST },
	{ "plugin", "plugins", "Backends of volumes.", plugin_verbs, plugin_columns, LIST_WHOLE },
	{ "account", "accounts", "Who may administer.", account_verbs, account_columns, LIST_PAGES },
	{ "token", "tokens", "Secrets by which programs act for an account.", token_verbs, token_columns, LIST_PAGES },
	{ "login", "logins", "Signed-in browsers.", login_verbs, login_columns, LIST_WHOLE },
	{ "setup-code", NULL, "The code for the first account.", setup_code_verbs, NULL, LIST_WHOLE },
	{ "status", NULL, "The state of the server.", status_verbs, NULL, LIST_WHOLE },
	{ "doctor", NULL, "Is this machine fit to serve?", doctor_verbs, NULL, LIST_WHOLE },
	{ "support-bundle", NULL, "What a helper wants to see.", bundle_verbs, NULL, LIST_WHOLE },
	{ "top", NULL, "Who is busiest.", top_verbs, NULL, LIST_WHOLE },
	{ "history", NULL, "What was.", history_verbs, NULL, LIST_WHOLE },
	{ "about", NULL, "Versions and licences.", about_verbs, NULL, LIST_WHOLE },
	{ .name = NULL }
};

const struct noun *noun_find(const char *name)
{
	for (const struct noun *n = cli_nouns; n->name; n++)
		if (strcmp(n->name, name) == 0 || (n->plural && strcmp(n->plural, name) == 0))
			return n;
	return NULL;
}

const struct verb *verb_find(const struct noun *n, const char *name)
{
	for (const struct verb *v = n->verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static const struct flag *find_in(const struct flag *f, const char *name, size_t len)
{
	for (; f && f->name; f++)
		if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
			return f;
	return NULL;
}

const struct flag *flag_find(const struct verb *v, const char *name, size_t len)
{
	return find_in(v->flags, name, len);
}

const struct flag *flag_find_global(const char *name, size_t len)
{
	return find_in(cli_global_flags, name, len);
}

void verb_arity(const struct verb *v, size_t *ret_least, size_t *ret_most)
{
	*ret_least = *ret_most = 0;
	for (const char *p = v->args; *p;) {
		size_t len = strcspn(p, " ");

		(*ret_most)++;
		if (*p != '[')
			(*ret_least)++;
		p += len + strspn(p + len, " ");
	}
}
