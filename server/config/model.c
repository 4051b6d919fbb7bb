/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model.c - the rows of model.h. */
#include "config/model.h"

#include <string.h>

#define NAME_FIELD                                                                                 \
	{ .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_UNIQUE, .min = 1, .max = 63, \
	  .check = "name", .help = "Name, unique among its kind: letters, digits, '.', '_' and '-'." }
#define COMMENT_FIELD                                                                              \
	{ .name = "comment", .type = FIELD_TEXT, .min = 0, .max = 1024, .default_json = "\"\"",    \
	  .help = "Free text for people." }

static const struct field pool_fields[] = {
	NAME_FIELD,
	{ .name = "path", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_FIXED | FIELD_UNIQUE, .min = 1, .max = 4095,
	  .check = "abs-path", .help = "Folder on a local file system that holds the data." },
	COMMENT_FIELD,
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "online|offline", .help = "Whether the folder is there." },
	{ .name = "reason", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Why it is offline." },
	{ .name = "file_system", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "File system that the folder is on." },
	{ .name = "total_bytes", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Size of the file system." },
	{ .name = "free_bytes", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Free space of the file system." },
};

static const struct field volume_fields[] = {
	NAME_FIELD,
	{ .name = "pool", .type = FIELD_REF, .ref = MODEL_POOL, .flags = FIELD_FIXED | FIELD_NULLABLE, .default_json = "null",
	  .help = "Pool that holds the data; the only or first one when left out and the plugin wants one." },
	{ .name = "plugin", .type = FIELD_TEXT, .flags = FIELD_FIXED, .min = 1, .max = 127, .check = "plugin", .default_json = "\"file\"",
	  .help = "Backend: file, block, ram, null, .. or a stack such as fault:file." },
	{ .name = "size_bytes", .type = FIELD_INT, .flags = FIELD_REQUIRED, .min = 512, .max = INT64_C(1) << 56,
	  .help = "Size in bytes, a multiple of the block size." },
	{ .name = "block_size", .type = FIELD_INT, .flags = FIELD_FIXED, .min = 512, .max = 4096, .check = "block-size", .default_json = "512",
	  .help = "Logical block size: 512 or 4096 bytes (ESXi needs 512)." },
	{ .name = "type", .type = FIELD_ENUM, .flags = FIELD_FIXED, .values = "disk|removable|cdrom", .default_json = "\"disk\"",
	  .help = "What SCSI hosts see: a disk, one that they can eject, or a CD-ROM drive that serves an ISO image." },
	{ .name = "physical_block_size", .type = FIELD_INT, .flags = FIELD_FIXED, .min = 512, .max = 4096, .check = "block-size", .default_json = "512",
	  .help = "What hosts are told of physical blocks: 512 (512n) or 4096 (512e; with block_size 4096 it is that)." },
	{ .name = "read_only", .type = FIELD_BOOL, .default_json = "false", .help = "Refuse writes." },
	{ .name = "encrypted", .type = FIELD_BOOL, .flags = FIELD_FIXED, .default_json = "false",
	  .help = "Keep its data encrypted (AES-256-XTS), under a key of its own that the server makes." },
	{ .name = "options", .type = FIELD_MAP, .default_json = "{}", .help = "Options of the plugin." },
	{ .name = "naa_override", .type = FIELD_TEXT, .flags = FIELD_FIXED | FIELD_NULLABLE | FIELD_UNIQUE, .min = 20, .max = 36, .check = "naa", .default_json = "null",
	  .help = "SCSI name that the volume brings from another array, as naa.6001405..; made from its id when left out." },
	{ .name = "serial", .type = FIELD_TEXT, .flags = FIELD_FIXED | FIELD_NULLABLE | FIELD_UNIQUE, .min = 1, .max = 36, .check = "scsi-text", .default_json = "null",
	  .help = "Serial number that it brings from another array; made from its id when left out." },
	{ .name = "vendor", .type = FIELD_TEXT, .flags = FIELD_FIXED | FIELD_NULLABLE, .min = 1, .max = 8, .check = "scsi-text", .default_json = "null",
	  .help = "Vendor that SCSI hosts are told; HOLDFAST when left out." },
	{ .name = "product", .type = FIELD_TEXT, .flags = FIELD_FIXED | FIELD_NULLABLE, .min = 1, .max = 16, .check = "scsi-text", .default_json = "null",
	  .help = "Product that SCSI hosts are told; Volume when left out." },
	COMMENT_FIELD,
	{ .name = "reservations", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 1 << 20, .help = "Persistent reservations that survive a power loss." },
	{ .name = "mode_pages", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 1024, .help = "Mode pages that a SCSI host has saved (MODE SELECT), in hexadecimal." },
	{ .name = "sanitize", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 16, .help = "Says running while a host sanitizes the volume, and until one that was cut off is repeated or forgiven." },
	{ .name = "encryption_key", .type = FIELD_SECRET, .flags = FIELD_SERVER | FIELD_NULLABLE, .min = 128, .max = 128, .default_json = "null",
	  .help = "Whether the key of an encrypted volume is there; sealed backups carry it, nothing else shows it." },
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "online|offline", .help = "Whether the backend serves." },
	{ .name = "reason", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Why it is offline." },
	{ .name = "used_bytes", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Space allocated in the pool." },
	{ .name = "naa", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE, .help = "SCSI name that hosts see; never changes." },
	{ .name = "stats", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Counters since the daemon started." },
};

static const struct field portal_fields[] = {
	{ .name = "protocol", .type = FIELD_ENUM, .flags = FIELD_REQUIRED | FIELD_FIXED, .values = "https|iscsi|nvme-tcp|nvme-discovery|smb|nfs", .help = "What is served there." },
	{ .name = "address", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_FIXED, .min = 1, .max = 63, .check = "ip-address", .help = "Local address; 0.0.0.0 or :: for all." },
	{ .name = "port", .type = FIELD_INT, .flags = FIELD_REQUIRED | FIELD_FIXED, .min = 1, .max = 65535, .help = "TCP port." },
	{ .name = "group_tag", .type = FIELD_INT, .flags = FIELD_FIXED, .min = 1, .max = 65535, .default_json = "1", .help = "Portal group: iSCSI's tag, and what the path states of targets name." },
	{ .name = "enabled", .type = FIELD_BOOL, .default_json = "true", .help = "Whether it listens." },
	{ .name = "nvme_tls", .type = FIELD_ENUM, .values = "off|allowed|required", .default_json = "\"allowed\"",
	  .help = "NVMe: whether hosts may or must encrypt their connections (TLS 1.3)." },
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "listening|disabled|failed", .help = "What it does now." },
	{ .name = "reason", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Why it failed; it is tried again." },
};

static const struct field target_fields[] = {
	NAME_FIELD,
	{ .name = "protocol", .type = FIELD_ENUM, .flags = FIELD_FIXED, .values = "iscsi|nvme", .default_json = "\"iscsi\"", .help = "How hosts reach it." },
	{ .name = "qualified_name", .type = FIELD_TEXT, .flags = FIELD_FIXED | FIELD_UNIQUE, .min = 1, .max = 223, .check = "target-name", .default_json = "null",
	  .help = "IQN or NQN; made from the server's name and the target's when left out." },
	{ .name = "alias", .type = FIELD_TEXT, .min = 0, .max = 255, .default_json = "\"\"", .help = "TargetAlias, shown by some initiators." },
	{ .name = "enabled", .type = FIELD_BOOL, .default_json = "true", .help = "Whether logins are accepted." },
	{ .name = "allow_any", .type = FIELD_BOOL, .default_json = "false", .help = "Let every host log in, without authentication unless the target has CHAP of its own." },
	COMMENT_FIELD,
	{ .name = "path_states", .type = FIELD_MAP, .check = "path-state", .default_json = "{}",
	  .help = "What hosts are told of the paths through a portal group, by its tag: optimized, non-optimized, inaccessible or change.  Groups that are not named are optimized." },
	{ .name = "explicit_alua", .type = FIELD_BOOL, .default_json = "false",
	  .help = "iSCSI: let hosts change path_states by SET TARGET PORT GROUPS." },
	{ .name = "static_controllers", .type = FIELD_INT, .min = 0, .max = 1024, .default_json = "0",
	  .help = "NVMe: so many controllers with fixed ids, which hosts may ask for; 0: a controller is made for each host that connects." },
	{ .name = "require_auth", .type = FIELD_BOOL, .default_json = "false", .help = "NVMe: let only hosts in that prove themselves by a key (DH-HMAC-CHAP)." },
	{ .name = "require_tls", .type = FIELD_BOOL, .default_json = "false", .help = "NVMe: let hosts in only by encrypted connections." },
	{ .name = "portal_groups", .type = FIELD_TEXTS, .min = 0, .max = 64, .check = "group-tag", .default_json = "[]",
	  .help = "iSCSI: tags of the portal groups that offer it; none: all." },
	{ .name = "redirects", .type = FIELD_TEXTS, .min = 0, .max = 16, .check = "redirect", .default_json = "[]",
	  .help = "iSCSI: where logins are sent instead: ADDRESS:PORT, or TAG=ADDRESS:PORT for those by a portal group." },
	{ .name = "redirect_permanent", .type = FIELD_BOOL, .default_json = "false", .help = "iSCSI: whether hosts may remember where they were sent." },
	{ .name = "header_digest_required", .type = FIELD_BOOL, .default_json = "false", .help = "iSCSI: refuse hosts that do not agree on header digests." },
	{ .name = "data_digest_required", .type = FIELD_BOOL, .default_json = "false", .help = "iSCSI: refuse hosts that do not agree on data digests." },
	{ .name = "chap_user", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .default_json = "null", .help = "iSCSI: CHAP name asked of hosts that have none of their own." },
	{ .name = "chap_secret", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 12, .max = 255, .default_json = "null", .help = "The CHAP secret that goes with it." },
	{ .name = "mutual_user", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .default_json = "null", .help = "CHAP name this target answers such hosts with." },
	{ .name = "mutual_secret", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 12, .max = 255, .default_json = "null", .help = "CHAP secret this target answers with." },
	{ .name = "luns", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Its LUNs: lun, volume, read_only." },
	{ .name = "hosts", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Names of the hosts and groups allowed." },
	{ .name = "sessions", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Sessions logged in now." },
};

static const struct field lun_fields[] = {
	{ .name = "target", .type = FIELD_REF, .ref = MODEL_TARGET, .flags = FIELD_REQUIRED | FIELD_FIXED, .help = "Target." },
	{ .name = "volume", .type = FIELD_REF, .ref = MODEL_VOLUME, .flags = FIELD_REQUIRED | FIELD_FIXED, .help = "Volume." },
	{ .name = "lun", .type = FIELD_INT, .flags = FIELD_FIXED, .min = 0, .max = 16383, .default_json = "null",
	  .help = "Logical unit number (NVMe: namespace id); the lowest free one when left out." },
	{ .name = "read_only", .type = FIELD_BOOL, .default_json = "false", .help = "Refuse writes through this target." },
};

static const struct field host_fields[] = {
	NAME_FIELD,
	{ .name = "iqns", .type = FIELD_TEXTS, .min = 0, .max = 64, .check = "iqn-glob", .default_json = "[]", .help = "iSCSI initiator names; * and ? match." },
	{ .name = "nqns", .type = FIELD_TEXTS, .min = 0, .max = 64, .check = "nqn", .default_json = "[]", .help = "NVMe host names." },
	{ .name = "addresses", .type = FIELD_TEXTS, .min = 0, .max = 64, .check = "cidr", .default_json = "[]", .help = "Addresses or networks it comes from; none: any." },
	{ .name = "chap_user", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .default_json = "null", .help = "CHAP name the host must use." },
	{ .name = "chap_secret", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 12, .max = 255, .default_json = "null", .help = "CHAP secret of the host." },
	{ .name = "mutual_user", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .default_json = "null", .help = "CHAP name this server answers with." },
	{ .name = "mutual_secret", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 12, .max = 255, .default_json = "null", .help = "CHAP secret this server answers with." },
	{ .name = "dhchap_key", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .check = "dhchap-key", .default_json = "null", .help = "NVMe in-band authentication key of the host (DHHC-1:..)." },
	{ .name = "dhchap_ctrl_key", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .check = "dhchap-key", .default_json = "null", .help = "Key this server answers with." },
	{ .name = "tls_psk", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .check = "tls-psk", .default_json = "null", .help = "NVMe/TCP TLS key (NVMeTLSkey-1:..)." },
	COMMENT_FIELD,
};

static const struct field host_group_fields[] = {
	NAME_FIELD,
	{ .name = "hosts", .type = FIELD_REFS, .ref = MODEL_HOST, .min = 0, .max = 4096, .default_json = "[]", .help = "Its members." },
	COMMENT_FIELD,
};

static const struct field access_fields[] = {
	{ .name = "target", .type = FIELD_REF, .ref = MODEL_TARGET, .flags = FIELD_REQUIRED | FIELD_FIXED, .help = "Target." },
	{ .name = "host", .type = FIELD_REF, .ref = MODEL_HOST, .flags = FIELD_FIXED | FIELD_NULLABLE, .default_json = "null", .help = "Host; or give a group." },
	{ .name = "group", .type = FIELD_REF, .ref = MODEL_HOST_GROUP, .flags = FIELD_FIXED | FIELD_NULLABLE, .default_json = "null", .help = "Host group." },
	{ .name = "luns", .type = FIELD_TEXTS, .min = 0, .max = 1024, .check = "lun-number", .default_json = "[]", .help = "LUNs it sees; none: all." },
};

static const struct field account_fields[] = {
	NAME_FIELD,
	{ .name = "role", .type = FIELD_ENUM, .flags = FIELD_REQUIRED, .values = "admin|operator|viewer", .help = "What it may do." },
	{ .name = "password", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 1024, .default_json = "null", .help = "Its password; only a hash is kept." },
	{ .name = "enabled", .type = FIELD_BOOL, .default_json = "true", .help = "Whether it may log in." },
	COMMENT_FIELD,
	{ .name = "totp_secret", .type = FIELD_SECRET, .flags = FIELD_SERVER | FIELD_NULLABLE, .min = 1, .max = 255, .default_json = "null", .help = "Secret of the second factor." },
	{ .name = "recovery_codes", .type = FIELD_SECRET, .flags = FIELD_SERVER | FIELD_NULLABLE, .min = 1, .max = 1024, .default_json = "null", .help = "Hashes of the codes that stand in for a lost second factor." },
	{ .name = "last_login_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "When it logged in last." },
	{ .name = "totp_enabled", .type = FIELD_BOOL, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Whether a login needs a code beside the password." },
	{ .name = "locked_until", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Until when wrong passwords hold up its next login." },
};

static const struct field token_fields[] = {
	NAME_FIELD,
	{ .name = "account", .type = FIELD_REF, .ref = MODEL_ACCOUNT, .flags = FIELD_FIXED, .default_json = "null", .help = "Whose it is; the caller's own when left out." },
	{ .name = "role", .type = FIELD_ENUM, .flags = FIELD_REQUIRED, .values = "admin|operator|viewer", .help = "What it may do at most; never more than its account." },
	{ .name = "scopes", .type = FIELD_TEXTS, .min = 0, .max = 32, .check = "scope", .default_json = "[\"*\"]",
	  .help = "Which addresses it may ask, by the first word after /api/v1/; * for all but accounts, tokens, logins and config." },
	{ .name = "expires_at", .type = FIELD_TIME, .flags = FIELD_NULLABLE, .min = 20, .max = 24, .check = "time", .default_json = "null", .help = "When it ends; never when left out." },
	{ .name = "secret_hash", .type = FIELD_SECRET, .flags = FIELD_SERVER | FIELD_NULLABLE, .min = 64, .max = 64, .default_json = "null", .help = "SHA-256 of its secret." },
	{ .name = "last_used_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "When it was used last, to the minute." },
};

/* Signed-in browsers: written by the server only, and shown by addresses of their own. */
static const struct field login_fields[] = {
	{ .name = "account", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 36, .help = "Id of the account." },
	{ .name = "source", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 255, .help = "From where." },
	{ .name = "agent", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 255, .help = "What the browser calls itself." },
	{ .name = "secret_hash", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 64, .help = "SHA-256 of its cookie." },
	{ .name = "last_seen_at", .type = FIELD_TIME, .flags = FIELD_SERVER, .help = "Its last request, to the minute." },
};

static const struct field setting_fields[] = {
	{ .name = "key", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_FIXED | FIELD_UNIQUE, .min = 1, .max = 127, .help = "Which setting." },
	{ .name = "value", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 0, .max = 4096, .help = "Its value." },
	{ .name = "type", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "text|int|bool|enum", .help = "What kind of value it takes." },
	{ .name = "values", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Which values: a range, or a list." },
	{ .name = "default_value", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Its value when nobody sets it." },
	{ .name = "help", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE, .help = "What it does." },
};

static const struct field acme_account_fields[] = {
	NAME_FIELD,
	{ .name = "directory", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_FIXED, .min = 1, .max = 1024, .check = "acme-directory",
	  .help = "Authority: letsencrypt, letsencrypt-staging, zerossl, google, google-staging, buypass, buypass-staging, or the https:// address of a directory." },
	{ .name = "staging_directory", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 1024, .check = "acme-directory", .default_json = "null",
	  .help = "Directory to rehearse with; the authority's own when left out, where it has one." },
	{ .name = "ca_pem", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 65536, .check = "pem", .default_json = "null",
	  .help = "Certificates that the directory's own is checked against, instead of the system's." },
	{ .name = "email", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 3, .max = 254, .check = "email", .default_json = "null", .help = "Where the authority may write to." },
	{ .name = "eab_kid", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .default_json = "null", .help = "Key id of an external account binding (ZeroSSL, Google)." },
	{ .name = "eab_hmac", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 1024, .default_json = "null", .help = "HMAC key of the external account binding, in base64url as the authority shows it." },
	{ .name = "terms_agreed", .type = FIELD_BOOL, .default_json = "false", .help = "The authority's terms of service are agreed to." },
	{ .name = "key_pem", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 16384, .default_json = "null", .help = "The account's key; made when left out." },
	COMMENT_FIELD,
	{ .name = "url", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 2048, .help = "The account's address at the authority, once it is registered." },
	{ .name = "last_error", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 4096, .help = "Why the last attempt with it failed." },
};

static const struct field certificate_fields[] = {
	NAME_FIELD,
	{ .name = "source", .type = FIELD_ENUM, .flags = FIELD_FIXED, .values = "upload|acme|self-signed", .default_json = "null",
	  .help = "Where it comes from; taken from what is given when left out." },
	{ .name = "account", .type = FIELD_REF, .ref = MODEL_ACME_ACCOUNT, .flags = FIELD_NULLABLE, .default_json = "null", .help = "Account at the authority that issues it (acme)." },
	{ .name = "names", .type = FIELD_TEXTS, .min = 0, .max = 100, .default_json = "[]", .help = "DNS names and addresses that it stands for; wildcards need dns-01." },
	{ .name = "challenge", .type = FIELD_ENUM, .values = "http-01|tls-alpn-01|dns-01", .default_json = "\"http-01\"", .help = "How control of the names is proven." },
	{ .name = "dns_method", .type = FIELD_ENUM, .flags = FIELD_NULLABLE, .values = "rfc2136|script|lego", .default_json = "null", .help = "How dns-01 sets its record: DNS UPDATE, a script of the server, or a provider of lego." },
	{ .name = "dns_options", .type = FIELD_MAP, .default_json = "{}",
	  .help = "For rfc2136: server, port, zone, key, algorithm; for script: script; for lego: provider, resolvers; for all: wait (seconds); for rfc2136 and script: alias." },
	{ .name = "dns_secret", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 8192, .default_json = "null", .help = "The TSIG key in base64, the script's DNS_SECRET, or lines NAME=VALUE for lego's provider." },
	{ .name = "profile", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 63, .default_json = "null", .help = "Profile of the authority, such as shortlived." },
	{ .name = "preferred_chain", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .default_json = "null", .help = "Root that the chain should lead to, where the authority offers several." },
	{ .name = "key_type", .type = FIELD_ENUM, .values = "ec256|ec384|ec521|rsa2048|rsa3072|rsa4096|ed25519|other", .default_json = "\"ec256\"", .help = "Kind of key; ordered ones have ec256, ec384, rsa2048, rsa3072 or rsa4096." },
	{ .name = "auto_renew", .type = FIELD_BOOL, .default_json = "true", .help = "Renew it in time." },
	{ .name = "auto_activate", .type = FIELD_BOOL, .default_json = "true", .help = "Serve it as soon as it is issued." },
	{ .name = "staging_first", .type = FIELD_BOOL, .default_json = "false", .help = "Rehearse with the authority's staging directory before ordering." },
	{ .name = "chain_pem", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 65536, .check = "pem", .default_json = "null", .help = "The certificate and those that issued it, the server's own first." },
	{ .name = "key_pem", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 16384, .default_json = "null", .help = "Its private key." },
	{ .name = "active", .type = FIELD_BOOL, .default_json = "false", .help = "HTTPS is served with it; one is." },
	COMMENT_FIELD,
	{ .name = "renew_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "When it is ordered or renewed next." },
	{ .name = "ask_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "When the authority is asked next when to renew." },
	{ .name = "attempted_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "Last attempt to order or renew." },
	{ .name = "failures", .type = FIELD_INT, .flags = FIELD_SERVER, .default_json = "0", .help = "Attempts that failed since the last good one." },
	{ .name = "last_error", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 4096, .help = "Why the last attempt failed." },
	{ .name = "revoked_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "When it was revoked." },
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "none|ordering|failed|valid|expiring|expired|revoked", .help = "How it stands." },
	{ .name = "issuer", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Who issued it." },
	{ .name = "not_before", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Valid from." },
	{ .name = "not_after", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Valid until." },
	{ .name = "fingerprint_sha256", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "SHA-256 of the certificate." },
	{ .name = "task", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Task that orders it now." },
};

static const struct field acme_history_fields[] = {
	{ .name = "at", .type = FIELD_TIME, .flags = FIELD_SERVER, .help = "When it ended." },
	{ .name = "action", .type = FIELD_ENUM, .flags = FIELD_SERVER, .values = "order|renew|revoke|register|rollover|deactivate", .help = "What was asked of the authority." },
	{ .name = "certificate", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 255, .help = "Name of the certificate." },
	{ .name = "account", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 255, .help = "Name of the account." },
	{ .name = "result", .type = FIELD_ENUM, .flags = FIELD_SERVER, .values = "done|failed|cancelled", .help = "How it ended." },
	{ .name = "message", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 4096, .help = "A sentence." },
	{ .name = "problem", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "The authority's problem document." },
	{ .name = "seconds", .type = FIELD_INT, .flags = FIELD_SERVER, .help = "How long it took." },
};

static const struct field channel_fields[] = {
	NAME_FIELD,
	{ .name = "type", .type = FIELD_ENUM, .flags = FIELD_REQUIRED | FIELD_FIXED, .values = "email|webhook", .help = "How people are told." },
	{ .name = "enabled", .type = FIELD_BOOL, .default_json = "true", .help = "Whether anything is sent." },
	{ .name = "min_level", .type = FIELD_ENUM, .values = "info|warning|error", .default_json = "\"warning\"", .help = "Least level of the events that are told." },
	{ .name = "interval_s", .type = FIELD_INT, .min = 1, .max = 86400, .default_json = "300", .help = "Least time between two messages; what happens meanwhile comes together in the next." },
	{ .name = "url", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 2048, .check = "http-url", .default_json = "null", .help = "Address of the webhook; {{secret}} stands for the secret." },
	{ .name = "headers", .type = FIELD_MAP, .default_json = "{}", .help = "Further headers of the webhook; {{secret}} stands for the secret." },
	{ .name = "template", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 8192, .default_json = "null",
	  .help = "Body of the webhook, with {{text}}, {{subject}}, {{level}}, {{server}}, {{count}}, {{time}}, {{events}} and {{secret}}; values are escaped for JSON." },
	{ .name = "secret", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 1024, .default_json = "null", .help = "What {{secret}} stands for." },
	{ .name = "host", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 253, .check = "host-name", .default_json = "null", .help = "Mail server." },
	{ .name = "port", .type = FIELD_INT, .flags = FIELD_NULLABLE, .min = 1, .max = 65535, .default_json = "null", .help = "Its port; 587, 465 with tls, 25 with plain when left out." },
	{ .name = "security", .type = FIELD_ENUM, .values = "starttls|tls|plain", .default_json = "\"starttls\"", .help = "How the way to the mail server is protected; a password never goes over plain." },
	{ .name = "user", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .default_json = "null", .help = "Name to log in with at the mail server." },
	{ .name = "password", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 1024, .default_json = "null", .help = "Password at the mail server." },
	{ .name = "from", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 3, .max = 254, .check = "email", .default_json = "null", .help = "Sender's address." },
	{ .name = "to", .type = FIELD_TEXTS, .min = 0, .max = 20, .check = "email", .default_json = "[]", .help = "Who gets the mail." },
	{ .name = "ca_pem", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 65536, .check = "pem", .default_json = "null", .help = "Certificates that the other side's is checked against, instead of the system's." },
	COMMENT_FIELD,
	{ .name = "sent_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "Last message that was taken." },
	{ .name = "last_error", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 4096, .help = "Why the last attempt failed; null after a good one." },
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "ready|failing|disabled", .help = "How it stands." },
	{ .name = "queued", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Events that wait to be told." },
};

static const struct field audit_fields[] = {
	{ .name = "at", .type = FIELD_TIME, .flags = FIELD_SERVER, .help = "When." },
	{ .name = "actor", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 255, .help = "Who: an account, uid or the server itself." },
	{ .name = "source", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 255, .help = "From where: local socket, address." },
	{ .name = "verb", .type = FIELD_ENUM, .flags = FIELD_SERVER, .values = "create|update|delete|login|logout|refuse|confirm|export", .help = "What was done." },
	{ .name = "kind", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 63, .help = "Kind of the object." },
	{ .name = "object", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 255, .help = "Its id." },
	{ .name = "object_name", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 255, .help = "Its name then." },
	{ .name = "before", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "The object before, without secrets." },
	{ .name = "after", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "The object after, without secrets." },
};

static const struct field event_fields[] = {
	{ .name = "at", .type = FIELD_TIME, .flags = FIELD_SERVER, .help = "When." },
	{ .name = "level", .type = FIELD_ENUM, .flags = FIELD_SERVER, .values = "info|warning|error", .help = "How bad." },
	{ .name = "type", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 63, .help = "What kind of thing happened, stable: volume.offline, login.refused, .." },
	{ .name = "object", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 255, .help = "Name of the object concerned." },
	{ .name = "message", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 4096, .help = "A sentence." },
	{ .name = "facts", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "Details." },
	{ .name = "alert", .type = FIELD_BOOL, .flags = FIELD_SERVER, .help = "Needs a person." },
	{ .name = "resolved_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "When the alert's cause went away." },
};

static const struct field task_fields[] = {
	{ .name = "type", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 63, .help = "What it does." },
	{ .name = "object", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 255, .help = "Name of the object concerned." },
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER, .values = "running|done|failed|cancelled", .help = "How far it is." },
	{ .name = "percent", .type = FIELD_INT, .flags = FIELD_SERVER, .min = 0, .max = 100, .help = "Progress." },
	{ .name = "message", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 4096, .help = "Last line of its log, or why it failed." },
	{ .name = "started_at", .type = FIELD_TIME, .flags = FIELD_SERVER, .help = "When it began." },
	{ .name = "finished_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_NULLABLE, .help = "When it ended." },
	{ .name = "result", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "What it found, as the steps of a self-test; known until the daemon ends." },
};

/* ---- folders and who uses them ---- */
#define ACCOUNT_NAME_FIELD(what)                                                                   \
	{ .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_FIXED | FIELD_UNIQUE, .min = 1, .max = 32, \
	  .check = "posix-name", .help = what }
static const struct field share_fields[] = {
	NAME_FIELD,
	{ .name = "pool", .type = FIELD_REF, .ref = MODEL_POOL, .flags = FIELD_FIXED, .default_json = "null", .help = "Pool that holds the folder; the only or first one when left out." },
	{ .name = "path", .type = FIELD_TEXT, .flags = FIELD_FIXED, .min = 1, .max = 1024, .check = "sub-path", .default_json = "null",
	  .help = "Folder below the pool's; it is made when it is not there.  The name when left out." },
	{ .name = "preset", .type = FIELD_ENUM, .flags = FIELD_FIXED, .values = "general|homes|time-machine|library|drop-box|vmware|kubernetes", .default_json = "\"general\"",
	  .help = "What it is for; sets what such clients need." },
	{ .name = "enabled", .type = FIELD_BOOL, .default_json = "true", .help = "Whether it is served." },
	{ .name = "smb", .type = FIELD_BOOL, .default_json = "false", .help = "Serve it over SMB." },
	{ .name = "nfs", .type = FIELD_BOOL, .default_json = "false", .help = "Serve it over NFS." },
	{ .name = "read_only", .type = FIELD_BOOL, .default_json = "false", .help = "Refuse writes of everybody." },
	{ .name = "hidden", .type = FIELD_BOOL, .default_json = "false", .help = "SMB: leave it out of lists; who knows the name reaches it." },
	{ .name = "guest", .type = FIELD_BOOL, .default_json = "false", .help = "SMB: let people in without a password." },
	{ .name = "allow", .type = FIELD_TEXTS, .min = 0, .max = 256, .check = "share-access", .default_json = "[]",
	  .help = "Who may use it: USER, @GROUP, DOMAIN\\user, @DOMAIN\\group, an address or a network; :ro or :rw at the end says how.  None: every user." },
	{ .name = "deny", .type = FIELD_TEXTS, .min = 0, .max = 256, .check = "share-access", .default_json = "[]", .help = "Who may not, in the same words; counts more than allow." },
	{ .name = "identities", .type = FIELD_TEXTS, .flags = FIELD_SERVER, .min = 0, .max = 512, .default_json = "[]",
	  .help = "Whom names of a domain in allow, deny, owner and group mean, as DOMAIN\\name=SID: a name that another gets later is not the one that was meant." },
	{ .name = "owner", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .check = "posix-owner", .default_json = "null",
	  .help = "Owner of the folder: USER, DOMAIN\\user, or a number; left as it is when left out." },
	{ .name = "group", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 255, .check = "posix-owner", .default_json = "null",
	  .help = "Group of the folder: GROUP, DOMAIN\\group, or a number." },
	{ .name = "mode", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 3, .max = 4, .check = "file-mode", .default_json = "null", .help = "Mode of the folder in octal, such as 0770." },
	{ .name = "smb_encryption", .type = FIELD_ENUM, .values = "off|desired|required", .default_json = "\"desired\"", .help = "SMB: whether connections are encrypted." },
	{ .name = "smb_acl", .type = FIELD_ENUM, .values = "posix|windows", .default_json = "\"posix\"", .help = "SMB: rights as the file system has them, or ACLs as Windows has them, kept in full." },
	{ .name = "smb_recycle", .type = FIELD_BOOL, .default_json = "false", .help = "SMB: deleted files go to a recycle bin in the share." },
	{ .name = "smb_recycle_days", .type = FIELD_INT, .min = 0, .max = 3650, .default_json = "30", .help = "Days after which the recycle bin forgets a file; 0: never." },
	{ .name = "smb_recycle_max_bytes", .type = FIELD_INT, .flags = FIELD_NULLABLE, .min = 1, .max = INT64_C(1) << 60, .default_json = "null",
	  .help = "Size that the recycle bin may have; the oldest files go first." },
	{ .name = "smb_previous_versions", .type = FIELD_BOOL, .default_json = "false", .help = "SMB: show snapshots as previous versions." },
	{ .name = "smb_audit", .type = FIELD_BOOL, .default_json = "false", .help = "SMB: write who opens, changes and deletes files to the events." },
	{ .name = "smb_case", .type = FIELD_ENUM, .values = "auto|sensitive|insensitive", .default_json = "\"auto\"", .help = "SMB: whether capital letters make another name." },
	{ .name = "smb_oplocks", .type = FIELD_BOOL, .default_json = "true", .help = "SMB: let clients cache what nobody else uses (oplocks and leases)." },
	{ .name = "smb_durable_handles", .type = FIELD_BOOL, .default_json = "false",
	  .help = "SMB: keep open files over a short loss of the connection; only where NFS does not serve the same folder." },
	{ .name = "smb_raw", .type = FIELD_TEXT, .min = 0, .max = 16384, .default_json = "\"\"", .help = "SMB: further lines of smb.conf for this share, verbatim; checked before they are used." },
	{ .name = "nfs_versions", .type = FIELD_TEXTS, .min = 0, .max = 4, .check = "nfs-version", .default_json = "[]", .help = "NFS: 3, 4.0, 4.1, 4.2; none: all that the server can." },
	{ .name = "nfs_squash", .type = FIELD_ENUM, .values = "none|root|all", .default_json = "\"root\"", .help = "NFS: whose requests count as the anonymous user's." },
	{ .name = "nfs_anon_uid", .type = FIELD_INT, .min = 0, .max = UINT32_MAX - 1, .default_json = "65534", .help = "NFS: uid of the anonymous user." },
	{ .name = "nfs_anon_gid", .type = FIELD_INT, .min = 0, .max = UINT32_MAX - 1, .default_json = "65534", .help = "NFS: gid of the anonymous user." },
	{ .name = "nfs_sync", .type = FIELD_BOOL, .default_json = "true", .help = "NFS: say that data is safe only when it is on the disk; off: earlier (the kernel's server only)." },
	{ .name = "nfs_security", .type = FIELD_TEXTS, .min = 1, .max = 4, .check = "nfs-security", .default_json = "[\"sys\"]", .help = "NFS: sys, krb5, krb5i, krb5p." },
	{ .name = "nfs_clients", .type = FIELD_TEXTS, .min = 0, .max = 256, .check = "nfs-client", .default_json = "[]",
	  .help = "NFS: an address, a network, a host name or @NETGROUP, with :ro, :rw and :root.  None: every address of allow, or nobody when allow names only users." },
	{ .name = "nfs_export_id", .type = FIELD_INT, .flags = FIELD_FIXED | FIELD_UNIQUE, .min = 1, .max = 65535, .default_json = "null",
	  .help = "NFS: number by which clients know it across restarts; chosen when left out." },
	{ .name = "quota_bytes", .type = FIELD_INT, .flags = FIELD_NULLABLE, .min = 1 << 20, .max = INT64_C(1) << 60, .default_json = "null", .help = "Space that all its files together may take." },
	{ .name = "snapshots_hourly", .type = FIELD_INT, .min = 0, .max = 1000, .default_json = "0", .help = "Hourly snapshots that are kept; 0: none are taken." },
	{ .name = "snapshots_daily", .type = FIELD_INT, .min = 0, .max = 1000, .default_json = "0", .help = "Daily snapshots that are kept." },
	{ .name = "snapshots_weekly", .type = FIELD_INT, .min = 0, .max = 1000, .default_json = "0", .help = "Weekly snapshots that are kept." },
	{ .name = "snapshots_monthly", .type = FIELD_INT, .min = 0, .max = 1000, .default_json = "0", .help = "Monthly snapshots that are kept." },
	COMMENT_FIELD,
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "serving|disabled|failed", .help = "What it does now." },
	{ .name = "reason", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Why it is not served, or what is missing." },
	{ .name = "folder", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "The folder on this machine." },
	{ .name = "used_bytes", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Space that it takes, where the file system knows." },
	{ .name = "sessions", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Clients that use it now." },
	{ .name = "stats", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_LIVE, .help = "What clients moved since the daemon started, and what is open now." },
};

static const struct field user_fields[] = {
	ACCOUNT_NAME_FIELD("Name, as Unix has it: a lower-case letter or '_', then those, digits and '-'."),
	{ .name = "full_name", .type = FIELD_TEXT, .min = 0, .max = 255, .check = "full-name", .default_json = "\"\"", .help = "The person's name." },
	{ .name = "uid", .type = FIELD_INT, .flags = FIELD_FIXED | FIELD_UNIQUE, .min = 100, .max = INT32_MAX, .default_json = "null", .help = "Number that files carry; the next free one of nas_user_range when left out." },
	{ .name = "password", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 127, .check = "no-control", .default_json = "null", .help = "Password for SMB; without one nobody logs in by this name." },
	{ .name = "enabled", .type = FIELD_BOOL, .default_json = "true", .help = "Whether the user may log in." },
	{ .name = "expires_at", .type = FIELD_TIME, .flags = FIELD_NULLABLE, .min = 20, .max = 24, .check = "time", .default_json = "null", .help = "From when on the user may not log in any more." },
	{ .name = "home", .type = FIELD_BOOL, .default_json = "false", .help = "Make a folder in the shares with the preset homes." },
	{ .name = "system_login", .type = FIELD_BOOL, .default_json = "false", .help = "Let the user log in to this machine with the same password, too." },
	COMMENT_FIELD,
	{ .name = "groups", .type = FIELD_JSON, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Names of the groups that have the user as a member." },
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "active|disabled|expired|locked|no-password", .help = "Whether the user can log in." },
	{ .name = "reason", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Why not." },
	{ .name = "last_seen_at", .type = FIELD_TIME, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "When the user was last seen with a session over SMB, since the daemon started." },
};

static const struct field group_fields[] = {
	ACCOUNT_NAME_FIELD("Name, as Unix has it: a lower-case letter or '_', then those, digits and '-'."),
	{ .name = "gid", .type = FIELD_INT, .flags = FIELD_FIXED | FIELD_UNIQUE, .min = 100, .max = INT32_MAX, .default_json = "null", .help = "Number that files carry; the next free one of nas_user_range when left out." },
	{ .name = "members", .type = FIELD_REFS, .ref = MODEL_USER, .min = 0, .max = 4096, .default_json = "[]", .help = "Its users." },
	COMMENT_FIELD,
};

static const struct field quota_fields[] = {
	{ .name = "share", .type = FIELD_REF, .ref = MODEL_SHARE, .flags = FIELD_REQUIRED | FIELD_FIXED, .help = "Share." },
	{ .name = "user", .type = FIELD_REF, .ref = MODEL_USER, .flags = FIELD_FIXED | FIELD_NULLABLE, .default_json = "null", .help = "User whose files count; or give a group." },
	{ .name = "group", .type = FIELD_REF, .ref = MODEL_GROUP, .flags = FIELD_FIXED | FIELD_NULLABLE, .default_json = "null", .help = "Group whose files count." },
	{ .name = "limit_bytes", .type = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1 << 20, .max = INT64_C(1) << 60, .help = "Space that those files may take." },
	{ .name = "limit_files", .type = FIELD_INT, .flags = FIELD_NULLABLE, .min = 1, .max = INT64_C(1) << 40, .default_json = "null", .help = "How many files there may be." },
	{ .name = "used_bytes", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Space that they take." },
	{ .name = "used_files", .type = FIELD_INT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "How many there are." },
	{ .name = "state", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "active|exceeded|failed", .help = "Whether the limit is kept." },
	{ .name = "reason", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Why not." },
};

#define MODEL(k, n, p, t, f, h) [k] = { .kind = k, .name = n, .plural = p, .table = t, .fields = f, .field_count = ARRAY_COUNT(f), .help = h }
const struct model models[MODEL_KINDS] = {
	MODEL(MODEL_POOL, "pool", "pools", "pool", pool_fields, "A place that holds data."),
	MODEL(MODEL_VOLUME, "volume", "volumes", "volume", volume_fields, "A block device served to hosts."),
	MODEL(MODEL_PORTAL, "portal", "portals", "portal", portal_fields, "An address and port that serves a protocol."),
	MODEL(MODEL_TARGET, "target", "targets", "target", target_fields, "What a host logs in to."),
	MODEL(MODEL_LUN, "lun", "luns", "lun", lun_fields, "A volume attached to a target."),
	MODEL(MODEL_HOST, "host", "hosts", "host", host_fields, "A client machine."),
	MODEL(MODEL_HOST_GROUP, "host-group", "host-groups", "host_group", host_group_fields, "Several hosts."),
	MODEL(MODEL_ACCESS, "access", "accesses", "access", access_fields, "A host or group that may use a target."),
	MODEL(MODEL_ACCOUNT, "account", "accounts", "account", account_fields, "Who may administer."),
	MODEL(MODEL_SETTING, "setting", "settings", "setting", setting_fields, "An option of the whole server."),
	MODEL(MODEL_ACME_ACCOUNT, "acme-account", "acme-accounts", "acme_account", acme_account_fields, "An account at an authority that issues certificates."),
	MODEL(MODEL_CERTIFICATE, "certificate", "certificates", "certificate", certificate_fields, "A certificate with its key, for HTTPS."),
	MODEL(MODEL_ACME_HISTORY, "acme-history", "acme-history", "acme_history", acme_history_fields, "What was asked of authorities."),
	MODEL(MODEL_CHANNEL, "channel", "channels", "channel", channel_fields, "How people are told what happened."),
	MODEL(MODEL_AUDIT, "audit", "audit", "audit", audit_fields, "Who changed what, when."),
	MODEL(MODEL_EVENT, "event", "events", "event", event_fields, "What happened."),
	MODEL(MODEL_TASK, "task", "tasks", "task", task_fields, "Long work."),
	MODEL(MODEL_TOKEN, "token", "tokens", "token", token_fields, "A secret by which a program acts for an account."),
	MODEL(MODEL_LOGIN, "login", "logins", "login", login_fields, "A signed-in browser."),
	MODEL(MODEL_SHARE, "share", "shares", "share", share_fields, "A folder served over SMB, NFS or both."),
	MODEL(MODEL_USER, "user", "users", "nas_user", user_fields, "A person who uses shares."),
	MODEL(MODEL_GROUP, "group", "groups", "nas_group", group_fields, "Several users."),
	MODEL(MODEL_QUOTA, "quota", "quotas", "quota", quota_fields, "What the files of a user or group may take in a share."),
};

const struct model *model_by_name(const char *s)
{
	for (size_t i = 0; i < ARRAY_COUNT(models); i++)
		if (strcmp(s, models[i].name) == 0 || strcmp(s, models[i].plural) == 0)
			return &models[i];
	return NULL;
}

const struct field *model_field(const struct model *m, const char *name)
{
	for (size_t i = 0; i < m->field_count; i++)
		if (strcmp(name, m->fields[i].name) == 0)
			return &m->fields[i];
	return NULL;
}
