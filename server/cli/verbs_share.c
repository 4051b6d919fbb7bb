/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verbs_share.c - the part of the table about folders: shares, users, groups, quotas. */
#include "cli/verbs_priv.h"

#define YES(n, f, h) { .name = n, .type = FLAG_YES, .field = f, .help = h }
#define LIST(n, m, f, h) { .name = n, .metavar = m, .type = FLAG_LIST, .field = f, .help = h }
#define NUMBER(n, m, f, h) { .name = n, .metavar = m, .type = FLAG_INT, .field = f, .help = h }
#define SIZE(n, f, h) { .name = n, .metavar = "SIZE", .type = FLAG_SIZE, .field = f, .help = h }

/* ---- share ---- */
#define SHARE_MORE                                                                                                       \
	LIST("allow", "USER|@GROUP|CIDR", "allow", "Who may use it; :ro or :rw at the end says how; may be repeated.  Every user when left out."), \
	LIST("deny", "USER|@GROUP|CIDR", "deny", "Who may not; counts more than --allow; may be repeated."),             \
	TEXT("owner", "USER", "owner", "Owner of the folder; also DOMAIN\\user."), TEXT("group", "GROUP", "group", "Group of the folder; also DOMAIN\\group."), \
	TEXT("mode", "MODE", "mode", "Mode of the folder in octal, such as 0770."),                                      \
	ENUM("smb-encryption", "smb_encryption", "off|desired|required", "SMB: whether connections are encrypted (default desired)."), \
	ENUM("smb-acl", "smb_acl", "posix|windows", "SMB: rights as Unix has them (default), or ACLs as Windows has them, kept in full."), \
	ON_OFF("recycle", "smb_recycle", "SMB: deleted files go to a recycle bin in the share."),                        \
	NUMBER("recycle-days", "DAYS", "smb_recycle_days", "Days after which the recycle bin forgets a file (default 30; 0: never)."), \
	SIZE("recycle-max", "smb_recycle_max_bytes", "Size that the recycle bin may have."),                             \
	ON_OFF("previous-versions", "smb_previous_versions", "SMB: show snapshots as previous versions; takes some by itself when no schedule is given."), \
	ON_OFF("audit", "smb_audit", "SMB: write who opens, changes and deletes files to the events."),                  \
	ENUM("smb-case", "smb_case", "auto|sensitive|insensitive", "SMB: whether capital letters make another name (default auto)."), \
	ON_OFF("oplocks", "smb_oplocks", "SMB: let clients cache what nobody else uses (default on)."),                  \
	ON_OFF("durable-handles", "smb_durable_handles", "SMB: keep open files over a short loss of the connection; not together with NFS."), \
	TEXT("smb-raw", "LINES", "smb_raw", "SMB: further lines of smb.conf for this share, checked before they are used."), \
	LIST("nfs-version", "3|4.0|4.1|4.2", "nfs_versions", "NFS: a version that is served; may be repeated.  All when left out."), \
	ENUM("nfs-squash", "nfs_squash", "none|root|all", "NFS: whose requests count as the anonymous user's (default root)."), \
	NUMBER("nfs-anon-uid", "N", "nfs_anon_uid", "NFS: uid of the anonymous user (default 65534)."),                  \
	NUMBER("nfs-anon-gid", "N", "nfs_anon_gid", "NFS: gid of the anonymous user (default 65534)."),                  \
	ON_OFF("nfs-sync", "nfs_sync", "NFS: answer a write only when it is on the disk (default on)."),                 \
	LIST("nfs-security", "sys|krb5|krb5i|krb5p", "nfs_security", "NFS: how clients prove who they are (default sys); may be repeated."), \
	LIST("nfs-client", "CLIENT", "nfs_clients", "NFS: *, an address, a network, a host name or @NETGROUP, with :ro, :rw and :root; may be repeated."), \
	SIZE("quota", "quota_bytes", "Space that all its files together may take."),                                     \
	NUMBER("hourly", "N", "snapshots_hourly", "Hourly snapshots that are kept."),                                    \
	NUMBER("daily", "N", "snapshots_daily", "Daily snapshots that are kept."),                                       \
	NUMBER("weekly", "N", "snapshots_weekly", "Weekly snapshots that are kept."),                                    \
	NUMBER("monthly", "N", "snapshots_monthly", "Monthly snapshots that are kept."), COMMENT
static const struct flag share_create[] = {
	REF("pool", "POOL", "pool", "pool", "Pool that holds the folder; the only or first one when left out."),
	TEXT("path", "PATH", "path", "Folder below the pool's; NAME when left out."),
	ENUM("preset", "preset", "general|homes|time-machine|library|drop-box|vmware|kubernetes", "What it is for (default general)."),
	YES("smb", "smb", "Serve it over SMB."), YES("nfs", "nfs", "Serve it over NFS."),
	YES("read-only", "read_only", "Refuse writes of everybody."), YES("hidden", "hidden", "SMB: leave it out of lists."),
	YES("guest", "guest", "SMB: let people in without a password."),
	NUMBER("nfs-export-id", "N", "nfs_export_id", "NFS: number by which clients know it; chosen when left out."),
	SHARE_MORE, END_FLAGS
};
static const struct flag share_set[] = {
	TEXT("name", "NAME", "name", "New name; the folder stays."), ON_OFF("enabled", "enabled", "Whether it is served."),
	ON_OFF("smb", "smb", "Serve it over SMB."), ON_OFF("nfs", "nfs", "Serve it over NFS."), ON_OFF("read-only", "read_only", "Refuse writes of everybody."),
	ON_OFF("hidden", "hidden", "SMB: leave it out of lists."), ON_OFF("guest", "guest", "SMB: let people in without a password."),
	SHARE_MORE, END_FLAGS
};
static const struct flag share_list[] = { FILTER_REF("pool", "POOL", "pool", "pool", "Only those in this pool."), END_FLAGS };
static const struct flag share_delete[] = {
	FORCE("Also what depends on it."), { .name = "delete-data", .type = FLAG_YES, .where = IN_VERB, .help = "Delete the folder and all files in it, too." }, END_FLAGS
};
static const struct flag share_access[] = {
	{ .name = "read-only", .type = FLAG_YES, .where = IN_VERB, .help = "Let them only read." }, END_FLAGS
};
static const struct flag share_connect_flags[] = {
	FILTER_REF("user", "USER", "user", "user", "The user that is to log in."),
	{ .name = "os", .metavar = "linux|windows|macos|esxi", .type = FLAG_TEXT, .where = IN_VERB, .values = "linux|windows|macos|esxi", .help = "Only for this system." }, END_FLAGS
};
const struct verb share_verbs[] = {
	{ "create", "NAME", share_create, "POST", "/api/v1/shares", "Serve a folder of a pool over SMB, NFS or both.", NULL, run_create },
	{ "list", "", share_list, "GET", "/api/v1/shares", "List shares.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/shares/{id}", "Show a share.", NULL, run_show },
	{ "set", "NAME", share_set, "PATCH", "/api/v1/shares/{id}", "Change a share; clients of others notice nothing.  Lists replace those before.", NULL, run_set },
	{ "allow", "SHARE WHO", share_access, "PATCH", "/api/v1/shares/{id}", "Let a user, @GROUP, address or network use a share.", NULL, run_share_allow },
	{ "deny", "SHARE WHO", NULL, "PATCH", "/api/v1/shares/{id}", "Take a user, @GROUP, address or network from those who may use a share.", NULL, run_share_deny },
	{ "files", "SHARE", NULL, "GET", "/api/v1/shares/{id}/open-files", "List files that clients have open.", NULL, run_share_files },
	{ "close-file", "SHARE ID", NULL, "DELETE", "/api/v1/shares/{id}/open-files/{name}", "Close an open file; what its client has not written is lost.", NULL, run_share_close_file },
	{ "connect", "NAME", share_connect_flags, "GET", "/api/v1/shares/{id}/connect", "Print what to type on a client to reach a share.", NULL, run_share_connect },
	{ "test", "NAME", share_test_flags, "POST", "/api/v1/shares/{id}/test", "Try a share as a client would, step by step.", NULL, run_self_test },
	{ "delete", "NAME", share_delete, "DELETE", "/api/v1/shares/{id}", "Stop serving a folder; it stays with all files unless --delete-data is given.", "all files", run_share_delete },
	{ .name = NULL }
};
const struct column share_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "STATE", "state", COL_STATE }, { "POOL", "pool", COL_TEXT }, { "PATH", "path", COL_TEXT }, { "PRESET", "preset", COL_TEXT },
	{ "SMB", "smb", COL_YES }, { "NFS", "nfs", COL_YES }, { "ALLOW", "allow", COL_LIST }, { "USED", "used_bytes", COL_SIZE }, { "SESSIONS", "sessions", COL_COUNT },
	{ "REASON", "reason", COL_TEXT }, { .title = NULL }
};

/* ---- snapshot, disk ---- */
const struct verb snapshot_verbs[] = {
	{ "create", "SHARE [SNAP]", NULL, "POST", "/api/v1/shares/{id}/snapshots", "Take a snapshot of a share; its name is made of the time when SNAP is left out.", NULL, run_snapshot_create },
	{ "list", "SHARE", NULL, "GET", "/api/v1/shares/{id}/snapshots", "List the snapshots of a share, the newest first.", NULL, run_snapshot_list },
	{ "restore", "SHARE SNAP", NULL, "POST", "/api/v1/shares/{id}/snapshots/{name}/restore", "Set a share back to a snapshot; what is there becomes another one.", NULL, run_snapshot_restore },
	{ "delete", "SHARE SNAP", NULL, "DELETE", "/api/v1/shares/{id}/snapshots/{name}", "Delete a snapshot.", NULL, run_snapshot_delete },
	{ .name = NULL }
};
const struct column snapshot_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "CREATED", "created_at", COL_TIME }, { "BY", "by", COL_TEXT }, { "KEPT AS", "kinds", COL_LIST }, { "ONE MOMENT FOR EACH", "consistent", COL_TEXT },
	{ .title = NULL }
};
const struct verb disk_verbs[] = {
	{ "list", "", NULL, "GET", "/api/v1/disks", "List the disks of this machine with their health.", NULL, run_list },
	{ .name = NULL }
};
const struct column disk_columns[] = {
	{ "PATH", "path", COL_TEXT }, { "SIZE", "size_bytes", COL_SIZE }, { "KIND", "kind", COL_TEXT }, { "MODEL", "model", COL_TEXT }, { "HEALTH", "health", COL_STATE },
	{ "EMPTY", "empty", COL_YES }, { "IN USE BY", "in_use", COL_TEXT }, { .title = NULL }
};
#define DOMAIN_PASSWORD { .name = "password-file", .metavar = "FILE", .type = FLAG_SECRET_FILE, .field = "password", \
	.help = "File whose first line is the password of that account; - reads it from standard input.  Asked for when left out." }
static const struct flag nas_join[] = {
	TEXT("user", "NAME", "user", "Account of the domain that may add computers; Administrator when left out."), DOMAIN_PASSWORD,
	TEXT("name", "NAME", "name", "Name of this machine in the domain, at most 15 characters; its own when left out."),
	TEXT("ou", "PATH", "ou", "Organizational unit for its account, from the top: Servers/Files."),
	TEXT("dns", "ADDRESS", "dns", "Name server that knows the domain; the machine's own when left out."),
	NUMBER("first-id", "N", "first_id", "First number for the domain's people; 1000000 when left out.  The same on all servers: the same numbers."), END_FLAGS
};
static const struct flag nas_leave[] = {
	TEXT("user", "NAME", "user", "Account of the domain that may remove computers."), DOMAIN_PASSWORD,
	{ .name = "force", .type = FLAG_YES, .field = "force", .help = "Also without the domain: its account of this machine stays there." }, END_FLAGS
};
const struct verb nas_verbs[] = {
	{ "", "", NULL, "GET", "/api/v1/nas", "Show the servers of shares, and what they can.", NULL, run_nas },
	{ "domain", "", NULL, "GET", "/api/v1/nas/domain", "Show the Active Directory domain that this machine is a member of.", NULL, run_nas_domain },
	{ "join", "DOMAIN", nas_join, "POST", "/api/v1/nas/domain/join", "Become a member of an Active Directory domain.", NULL, run_nas_join },
	{ "leave", "", nas_leave, "POST", "/api/v1/nas/domain/leave", "Leave the domain.", NULL, run_nas_leave },
	{ "keytab", "", NULL, "GET", "/api/v1/nas/keytab", "Show by which keys clients of NFS know this machine in Kerberos.", NULL, run_nas_keytab },
	{ "set-keytab", "FILE", NULL, "POST", "/api/v1/nas/keytab", "Give this machine a keytab with the key of nfs/HOST.", NULL, run_nas_set_keytab },
	{ "remove-keytab", "", NULL, "DELETE", "/api/v1/nas/keytab", "Take away the keytab that was given.", NULL, run_nas_remove_keytab },
	{ "names", "TEXT", NULL, "GET", "/api/v1/nas/domain/names/{id}", "List users and groups of the domain whose names begin so.", NULL, run_nas_names },
	{ .name = NULL }
};

/* ---- user, group ---- */
#define USER_PASSWORD(must) { .name = "password-file", .metavar = "FILE", .type = FLAG_SECRET_FILE, .field = "password", .required = must, \
	.help = "File whose first line is the password; - reads it from standard input." }
#define USER_MORE                                                                                                        \
	TEXT("full-name", "TEXT", "full_name", "The person's name."),                                                    \
	TEXT("expires-at", "TIME", "expires_at", "From when on the user may not log in, such as 2027-01-31T00:00:00Z."), \
	ON_OFF("home", "home", "Make a folder in the shares with the preset homes."),                                    \
	ON_OFF("system-login", "system_login", "Let the user log in to this machine, too."), COMMENT
static const struct flag user_create[] = {
	USER_PASSWORD(false), NUMBER("uid", "N", "uid", "Number that files carry; the next free one when left out."), USER_MORE, END_FLAGS
};
static const struct flag user_set[] = { ON_OFF("enabled", "enabled", "Whether the user may log in."), USER_PASSWORD(false), USER_MORE, END_FLAGS };
static const struct flag user_password[] = { USER_PASSWORD(true), END_FLAGS };
static const struct flag account_goes[] = { FORCE("Also when shares, groups or quotas name it: it is taken out of them."), END_FLAGS };
const struct verb user_verbs[] = {
	{ "create", "NAME", user_create, "POST", "/api/v1/users", "Make a user of shares; without a password it cannot log in yet.", NULL, run_create },
	{ "list", "", NULL, "GET", "/api/v1/users", "List users.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/users/{id}", "Show a user; the password is never shown.", NULL, run_show },
	{ "set", "NAME", user_set, "PATCH", "/api/v1/users/{id}", "Change a user.", NULL, run_set },
	{ "password", "NAME", user_password, "PATCH", "/api/v1/users/{id}", "Give a user a new password.", NULL, run_set },
	{ "unlock", "NAME", NULL, "POST", "/api/v1/users/{id}/unlock", "Let a user try again who gave too many wrong passwords.", NULL, run_user_unlock },
	{ "delete", "NAME", account_goes, "DELETE", "/api/v1/users/{id}", "Delete a user; the files stay.", NULL, run_delete },
	{ .name = NULL }
};
const struct column user_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "FULL NAME", "full_name", COL_TEXT }, { "UID", "uid", COL_COUNT }, { "STATE", "state", COL_STATE },
	{ "GROUPS", "groups", COL_LIST }, { "LAST SEEN", "last_seen_at", COL_TIME }, { "REASON", "reason", COL_TEXT }, { .title = NULL }
};
static const struct flag nas_group_create[] = {
	{ .name = "member", .metavar = "USER", .type = FLAG_LIST, .field = "members", .noun = "user", .help = "Member; may be repeated." },
	NUMBER("gid", "N", "gid", "Number that files carry; the next free one when left out."), COMMENT, END_FLAGS
};
static const struct flag nas_group_set[] = {
	{ .name = "member", .metavar = "USER", .type = FLAG_LIST, .field = "members", .noun = "user", .help = "Member; may be repeated; replaces those before." }, COMMENT, END_FLAGS
};
const struct verb nas_group_verbs[] = {
	{ "create", "NAME", nas_group_create, "POST", "/api/v1/groups", "Make a group of users.", NULL, run_create },
	{ "list", "", NULL, "GET", "/api/v1/groups", "List groups.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/groups/{id}", "Show a group.", NULL, run_show },
	{ "set", "NAME", nas_group_set, "PATCH", "/api/v1/groups/{id}", "Change a group.", NULL, run_set },
	{ "add", "GROUP USER", NULL, "PATCH", "/api/v1/groups/{id}", "Put a user into a group.", NULL, run_group_add },
	{ "remove", "GROUP USER", NULL, "PATCH", "/api/v1/groups/{id}", "Take a user out of a group.", NULL, run_group_remove },
	{ "delete", "NAME", account_goes, "DELETE", "/api/v1/groups/{id}", "Delete a group; its users stay.", NULL, run_delete },
	{ .name = NULL }
};
const struct column nas_group_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "GID", "gid", COL_COUNT }, { "MEMBERS", "members", COL_LIST }, { "COMMENT", "comment", COL_TEXT }, { .title = NULL }
};

/* ---- quota: named by the share and by whose files it is ---- */
#define QUOTA_OF                                                                                                         \
	{ .name = "user", .metavar = "USER", .type = FLAG_TEXT, .where = IN_VERB, .noun = "user", .help = "Of this user's files." }, \
	{ .name = "group", .metavar = "GROUP", .type = FLAG_TEXT, .where = IN_VERB, .noun = "group", .help = "Of the files of this group." }
static const struct flag quota_set[] = {
	QUOTA_OF, { .name = "limit", .metavar = "SIZE", .type = FLAG_SIZE, .field = "limit_bytes", .required = true, .help = "Space that they may take, as 10G." },
	NUMBER("files", "N", "limit_files", "How many files there may be."), END_FLAGS
};
static const struct flag quota_delete[] = { QUOTA_OF, END_FLAGS };
static const struct flag quota_list[] = {
	FILTER_REF("share", "SHARE", "share", "share", "Only those in this share."), FILTER_REF("user", "USER", "user", "user", "Only those of this user."),
	FILTER_REF("group", "GROUP", "group", "group", "Only those of this group."), END_FLAGS
};
const struct verb quota_verbs[] = {
	{ "set", "SHARE", quota_set, "POST", "/api/v1/quotas", "Limit what the files of a user or group may take in a share, or change the limit.", NULL, run_quota_set },
	{ "list", "", quota_list, "GET", "/api/v1/quotas", "List quotas with what is used of them.", NULL, run_list },
	{ "delete", "SHARE", quota_delete, "DELETE", "/api/v1/quotas/{id}", "Take a quota away.", NULL, run_quota_delete },
	{ .name = NULL }
};
const struct column quota_columns[] = {
	{ "SHARE", "share", COL_TEXT }, { "USER", "user", COL_TEXT }, { "GROUP", "group", COL_TEXT }, { "LIMIT", "limit_bytes", COL_SIZE }, { "USED", "used_bytes", COL_SIZE },
	{ "FILES", "used_files", COL_COUNT }, { "STATE", "state", COL_STATE }, { "REASON", "reason", COL_TEXT }, { .title = NULL }
};
