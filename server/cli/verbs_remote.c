/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verbs_remote.c - the part of the table about other machines: imports, and the flags of self-tests. */
#include "cli/verbs_priv.h"

const struct flag target_test_flags[] = {
	REF("host", "HOST", "host", "host", "Which host to be; the first that is allowed when left out."),
	{ .name = "lun", .metavar = "N", .type = FLAG_INT, .field = "lun", .help = "Which LUN; the lowest when left out." },
	{ .name = "no-write", .type = FLAG_YES, .where = IN_VERB, .help = "Do not write the last blocks (they are put back as they were)." }, END_FLAGS
};
const struct flag share_test_flags[] = {
	REF("user", "USER", "user", "user", "SMB: as which user, with the password that is stored; a guest when left out."),
	{ .name = "no-write", .type = FLAG_YES, .where = IN_VERB, .help = "Do not write a file." }, END_FLAGS
};
static const struct flag import_create[] = {
	{ .name = "from", .metavar = "ADDRESS", .type = FLAG_TEXT, .field = "source", .required = true, .help = "smb://SERVER/SHARE/FOLDER, nfs://SERVER/FOLDER or iscsi://SERVER/IQN/LUN." },
	REF("share", "SHARE", "share", "share", "SMB, NFS: share that gets the files."), TEXT("path", "FOLDER", "path", "SMB, NFS: folder below that of the share."),
	REF("volume", "VOLUME", "volume", "volume", "iSCSI: volume that gets the blocks; made like the LUN when it is not there."),
	REF("pool", "POOL", "pool", "pool", "iSCSI: pool of a volume that is made."),
	{ .name = "keep-identity", .type = FLAG_YES, .field = "keep_identity", .help = "iSCSI: give the new volume the names of the LUN, so that hosts see the same disk." },
	TEXT("user", "USER", "user", "Name to log in with; the CHAP name for iSCSI."), SECRET("password-file", "password", "File with its password."),
	TEXT("domain", "DOMAIN", "domain", "SMB: domain of the user."), TEXT("mutual-user", "USER", "mutual_user", "iSCSI: CHAP name that the other side must show."),
	SECRET("mutual-password-file", "mutual_password", "iSCSI: file with the CHAP secret that the other side must know."), TEXT("initiator", "IQN", "initiator", "iSCSI: initiator name to use."),
	ON_OFF("verify", "verify", "Read back what was written (default on)."), ON_OFF("owners", "owners", "Keep owners (default on)."), ON_OFF("acls", "acls", "SMB: keep rights (default on)."),
	{ .name = "rate-limit", .metavar = "SIZE", .type = FLAG_SIZE, .field = "rate_limit", .help = "Most bytes per second, as 50M." }, END_FLAGS
};
static const struct flag import_set[] = {
	{ .name = "rate-limit", .metavar = "SIZE", .type = FLAG_SIZE, .field = "rate_limit", .help = "Most bytes per second, as 50M; 0 for no limit. Counts at once." },
	SECRET("password-file", "password", "File with another password; while it does not run."),
	SECRET("mutual-password-file", "mutual_password", "iSCSI: file with another CHAP secret of the other side; while it does not run."), END_FLAGS
};
static const struct flag import_config[] = { ENUM("format", "format", "lio|tgt|scst|samba|exports", "Which kind of file it is; found out when left out."), END_FLAGS };
const struct verb import_verbs[] = {
	{ "create", "NAME", import_create, "POST", "/api/v1/imports", "Copy a folder or a LUN from another server; goes on after a restart.", NULL, run_create },
	{ "list", "", NULL, "GET", "/api/v1/imports", "List imports.", NULL, run_list },
	{ "show", "NAME", NULL, "GET", "/api/v1/imports/{id}", "Show an import: how far it is, and what could not be kept.", NULL, run_show },
	{ "set", "NAME", import_set, "PATCH", "/api/v1/imports/{id}", "Change the rate, also while it runs, or the password.", NULL, run_set },
	{ "start", "NAME", NULL, "POST", "/api/v1/imports/{id}/start", "Go on with one that was stopped or failed; or copy what is new.", NULL, run_import_start },
	{ "stop", "NAME", NULL, "POST", "/api/v1/tasks/{id}/cancel", "Stop one; it can go on later.", NULL, run_import_stop },
	{ "delete", "NAME", NULL, "DELETE", "/api/v1/imports/{id}", "Forget one; what it copied stays.", NULL, run_delete },
	{ "config", "FILE", import_config, "POST", "/api/v1/imports/config", "Make what a saveconfig.json, targets.conf, scst.conf, smb.conf or exports says; see first with --dry-run.", NULL, run_import_config },
	{ .name = NULL }
};
const struct column import_columns[] = {
	{ "NAME", "name", COL_TEXT }, { "STATE", "state", COL_STATE }, { "SOURCE", "source", COL_TEXT }, { "MESSAGE", "message", COL_TEXT }, { .title = NULL }
};
