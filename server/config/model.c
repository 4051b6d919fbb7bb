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
	{ .name = "read_only", .type = FIELD_BOOL, .default_json = "false", .help = "Refuse writes." },
	{ .name = "options", .type = FIELD_MAP, .default_json = "{}", .help = "Options of the plugin." },
	COMMENT_FIELD,
	{ .name = "reservations", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_NULLABLE, .max = 1 << 20, .help = "Persistent reservations that survive a power loss." },
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
	{ .name = "allow_any", .type = FIELD_BOOL, .default_json = "false", .help = "Let every host log in without authentication." },
	COMMENT_FIELD,
	{ .name = "path_states", .type = FIELD_MAP, .check = "path-state", .default_json = "{}",
	  .help = "What hosts are told of the paths through a portal group, by its tag: optimized, non-optimized, inaccessible or change.  Groups that are not named are optimized." },
	{ .name = "static_controllers", .type = FIELD_INT, .min = 0, .max = 1024, .default_json = "0",
	  .help = "NVMe: so many controllers with fixed ids, which hosts may ask for; 0: a controller is made for each host that connects." },
	{ .name = "require_auth", .type = FIELD_BOOL, .default_json = "false", .help = "NVMe: let only hosts in that prove themselves by a key (DH-HMAC-CHAP)." },
	{ .name = "require_tls", .type = FIELD_BOOL, .default_json = "false", .help = "NVMe: let hosts in only by encrypted connections." },
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
	{ .name = "password", .type = FIELD_SECRET, .flags = FIELD_NULLABLE, .min = 1, .max = 1024, .default_json = "null", .help = "Password hash." },
	{ .name = "enabled", .type = FIELD_BOOL, .default_json = "true", .help = "Whether it may log in." },
	COMMENT_FIELD,
};

static const struct field setting_fields[] = {
	{ .name = "key", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_FIXED | FIELD_UNIQUE, .min = 1, .max = 127, .help = "Which setting." },
	{ .name = "value", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 0, .max = 4096, .help = "Its value." },
	{ .name = "type", .type = FIELD_ENUM, .flags = FIELD_SERVER | FIELD_LIVE, .values = "text|int|bool|enum", .help = "What kind of value it takes." },
	{ .name = "values", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE | FIELD_NULLABLE, .help = "Which values: a range, or a list." },
	{ .name = "default_value", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE, .help = "Its value when nobody sets it." },
	{ .name = "help", .type = FIELD_TEXT, .flags = FIELD_SERVER | FIELD_LIVE, .help = "What it does." },
};

static const struct field audit_fields[] = {
	{ .name = "at", .type = FIELD_TIME, .flags = FIELD_SERVER, .help = "When." },
	{ .name = "actor", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 255, .help = "Who: an account, uid or the server itself." },
	{ .name = "source", .type = FIELD_TEXT, .flags = FIELD_SERVER, .max = 255, .help = "From where: local socket, address." },
	{ .name = "verb", .type = FIELD_ENUM, .flags = FIELD_SERVER, .values = "create|update|delete", .help = "What was done." },
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
	MODEL(MODEL_AUDIT, "audit", "audit", "audit", audit_fields, "Who changed what, when."),
	MODEL(MODEL_EVENT, "event", "events", "event", event_fields, "What happened."),
	MODEL(MODEL_TASK, "task", "tasks", "task", task_fields, "Long work."),
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
