/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share.h - the door of share/: folders served over SMB and NFS, by servers that are children of the keeper.
 *
 * Declarative: the caller describes everything that NAS is to be (struct share_world) and share_apply() makes it so,
 * computing by itself what to change.  Applying the same world twice changes nothing; undoing a change is applying the
 * world from before it; start-up is the same call.  Every pointer in a world is borrowed during the call only.
 *
 * Any thread; calls are served one at a time and block (children are asked, accounts are made). */
#ifndef HOLDFAST_SHARE_SHARE_H
#define HOLDFAST_SHARE_SHARE_H

#include <jansson.h>

#include "core/base.h"

/* ---- what NAS is to be ----------------------------------------------------------------------------- */
struct share_texts {
	const char *const *items;
	size_t count;
};
enum share_preset { SHARE_GENERAL, SHARE_HOMES, SHARE_TIME_MACHINE, SHARE_LIBRARY, SHARE_DROP_BOX, SHARE_VMWARE, SHARE_KUBERNETES, SHARE_PRESETS };
const char *share_preset_name(enum share_preset p);              /* "time-machine"; NULL: there is none */
int share_preset_parse(const char *word, enum share_preset *ret); /* -EINVAL */
enum share_encryption { SHARE_ENCRYPTION_OFF, SHARE_ENCRYPTION_DESIRED, SHARE_ENCRYPTION_REQUIRED };
enum share_acl { SHARE_ACL_POSIX, SHARE_ACL_WINDOWS };
enum share_case { SHARE_CASE_AUTO, SHARE_CASE_SENSITIVE, SHARE_CASE_INSENSITIVE };
enum share_squash { SHARE_SQUASH_NONE, SHARE_SQUASH_ROOT, SHARE_SQUASH_ALL };
enum share_version { SHARE_NFS3 = 1, SHARE_NFS40 = 2, SHARE_NFS41 = 4, SHARE_NFS42 = 8 };
enum share_security { SHARE_SEC_SYS = 1, SHARE_SEC_KRB5 = 2, SHARE_SEC_KRB5I = 4, SHARE_SEC_KRB5P = 8 };
enum share_signing { SHARE_SIGNING_AUTO, SHARE_SIGNING_DESIRED, SHARE_SIGNING_REQUIRED };

struct share_user {
	const char *id, *name, *full_name;
	unsigned uid;
	const char *password;            /* NULL: unchanged, or none yet.  Never logged, never on an argv */
	uint64_t password_serial;        /* another number: the password was set anew; 0: none */
	bool enabled, home, system_login;
	int64_t expires_s;               /* seconds since 1970; 0: never */
	const char *comment;
};
struct share_group {
	const char *id, *name;
	unsigned gid;
	struct share_texts members;      /* names of users */
};
struct share_portal {
	const char *id;
	bool nfs;                        /* else SMB */
	const char *address;             /* "0.0.0.0", "::", or one address */
	uint16_t port;
};
struct share_quota {
	const char *id, *share_id;
	const char *user, *group;        /* exactly one of them */
	uint64_t limit_bytes, limit_files; /* 0: no limit */
};
struct share_snapshots {                 /* how many to keep of each; 0: none */
	unsigned hourly, daily, weekly, monthly;
};
struct share_spec {
	const char *id, *name, *comment;
	enum share_preset preset;
	const char *pool_folder;         /* the pool's, absolute */
	const char *folder;              /* what is served: below pool_folder, absolute */
	uint32_t export_id;              /* stable for the life of the share, 1..65535; not 0 */
	bool enabled, smb, nfs, read_only, hidden, guest;
	struct share_texts allow, deny;  /* "alice", "@staff", "CORP\\anna", "10.0.0.0/8", each perhaps with ":ro" or ":rw" */
	struct share_texts identities;   /* "CORP\\anna=S-1-5-21-..": whom names of a domain in them meant when they were written */
	const char *owner, *group, *mode; /* of the folder; NULL: the preset's */

	enum share_encryption smb_encryption;
	enum share_acl smb_acl;
	enum share_case smb_case;
	bool smb_recycle, smb_previous_versions, smb_audit, smb_oplocks, smb_durable_handles;
	unsigned smb_recycle_days;
	uint64_t smb_recycle_max_bytes;  /* 0: no limit */
	const char *smb_raw;             /* lines, kept verbatim; NULL or "" none */

	unsigned nfs_versions;           /* enum share_version; 0: all that the server can */
	enum share_squash nfs_squash;
	unsigned nfs_anon_uid, nfs_anon_gid;
	bool nfs_sync;
	unsigned nfs_security;           /* enum share_security; 0: sys */
	struct share_texts nfs_clients;  /* "10.0.0.0/24", "host.example", "@netgroup", perhaps with :ro :rw :root */

	uint64_t quota_bytes;            /* 0: none */
	struct share_snapshots snapshots;
};
struct share_settings {
	const char *smb_server_name, *smb_workgroup; /* NULL: the machine's, "WORKGROUP" */
	bool in_domain;                  /* the machine is a member of one; set by share/ itself */
	const char *smb_min_protocol;    /* "SMB2_10", "SMB3_00", "SMB3_11"; NULL: SMB2_10 */
	enum share_signing smb_signing;
	bool smb_multichannel;
	const char *smb_raw;             /* lines of [global], kept verbatim */
	const char *nfs_provider;        /* "auto", "ganesha", "kernel"; NULL: auto */
	unsigned nfs_grace_s, nfs_lease_s; /* 0: the provider's */
	uint16_t nfs_mountd_port, nfs_lockd_port, nfs_statd_port; /* 0: any */
	unsigned nfs_threads;            /* 0: the provider's */
	bool mdns, wsd;
	unsigned quota_alert_percent;    /* an alert from this part of a quota on; 0: 90 */
	unsigned snapshot_min_free_percent; /* with less of the file system free, none is taken by the schedule; 0: 5 */
	unsigned lockout_attempts, lockout_minutes; /* wrong passwords until an account is locked, for how long; 0: never */
	unsigned first_uid, last_uid;    /* our range of uids and gids; 0: 20000-29999 */
};
struct share_world {
	const struct share_spec *shares;
	size_t share_count;
	const struct share_user *users;
	size_t user_count;
	const struct share_group *groups;
	size_t group_count;
	const struct share_portal *portals;
	size_t portal_count;
	const struct share_quota *quotas;
	size_t quota_count;
	struct share_settings settings;
};

/* ---- what happened --------------------------------------------------------------------------------- */
enum share_event {
	SHARE_EVENT_CHILD_DIED,          /* a server ended by itself and is started again */
	SHARE_EVENT_CHILD_FAILED,        /* ... too often: it is not there now; tried again with a growing delay */
	SHARE_EVENT_CHILD_BACK,
	SHARE_EVENT_LOGIN_REFUSED,       /* data: user, address, protocol, reason */
	SHARE_EVENT_AUDIT,               /* data: share, user, address, operation, path, result */
	SHARE_EVENT_SPACE,               /* a quota's or a file system's threshold was passed */
	SHARE_EVENT_KEEPER_LOST, SHARE_EVENT_KEEPER_BACK,
	SHARE_EVENT_DOMAIN,              /* the domain cannot be asked, or can again; data as of SHARE_EVENT_SPACE */
};
struct share_opts {
	const char *state_dir;           /* borrowed for the life of the room */
	/* Runs on the room's own thread.  share_id may be NULL; what and data are borrowed. */
	void (*event)(void *arg, enum share_event kind, const char *share_id, const char *what, const json_t *data);
	void *arg;
};

/* ---- life ------------------------------------------------------------------------------------------ */
/* Starts the room's thread.  Needs no keeper: without one, share_apply() of a world with shares says what to do. */
int share_start(const struct share_opts *o) _must_check_;
/* The servers and their clients go on. */
void share_stop(void);
/* Is this world possible?  Nothing changes.  -errno, and why in words an administrator can act on. */
int share_check(const struct share_world *w, char *why, size_t why_bytes) _must_check_;
/* Makes it so.  Running clients of what did not change notice nothing.  On error what was there goes on as far as it
 * can; the caller applies the world from before.  One share that cannot be served does not stop the others: it is
 * `failed` with its reason, and the call succeeds.  Only what concerns all fails the call. */
int share_apply(const struct share_world *w, char *why, size_t why_bytes) _must_check_;

/* ---- what is ---------------------------------------------------------------------------------------- */
enum share_live { SHARE_LIVE_SERVING, SHARE_LIVE_DISABLED, SHARE_LIVE_FAILED };
struct share_state {
	enum share_live live;
	char reason[256];                /* "" when there is nothing to say */
	uint64_t used_bytes, limit_bytes, free_bytes; /* limit 0: none; used may be of a minute ago */
	bool used_known;
	unsigned sessions, open_files;
	/* What clients moved, of those servers of the share that count. */
	struct share_moved {
		bool counts;             /* else why_not says why, and the rest is 0 */
		bool divided;            /* SMB: partly an estimate, see smb_traffic.c */
		uint64_t read_bytes, written_bytes;
		bool counts_requests;
		uint64_t reads, writes;
		char why_not[160];
	} smb, nfs;
};
/* -ENOENT: the world applied last has no such share. */
int share_state(const char *share_id, struct share_state *ret) _must_check_;
struct share_quota_state {
	uint64_t used_bytes, used_files;
	bool enforced;
	char reason[256];
};
int share_quota_state(const char *quota_id, struct share_quota_state *ret) _must_check_;
struct share_user_state {
	bool locked;                     /* too many wrong passwords */
	int64_t last_seen_s;             /* with a session over SMB, when that was looked at; 0: not since the daemon started */
};
/* Asks the keeper, at most every few seconds; without one nobody is locked. */
int share_user_state(const char *user, struct share_user_state *ret) _must_check_;

/* Returns owned: an array of {id, protocol: smb|nfs, user, address, host, shares: [NAME], dialect, encryption, signing,
 * since: SECONDS, open_files}; NULL when memory is short.  A server that does not answer adds nothing. */
json_t *share_sessions(void);
/* -ENOENT; the client may come back: deny it if it shall not. */
int share_session_close(const char *id, char *why, size_t why_bytes) _must_check_;
/* Returns owned: an array of {id, session, protocol, user, address, path (below the folder), access: r|w|rw, since,
 * locks: [{kind, first, last}]}; NULL: no such share or no memory. */
json_t *share_open_files(const char *share_id);
int share_file_close(const char *share_id, const char *file_id, char *why, size_t why_bytes) _must_check_;
/* Returns owned, for GET /nas: {keeper: {running, pid, since}, servers: [{name, provider, version, state, pid, since, restarts, reason}]} */
json_t *share_status(void);
/* What is there but is not known to ours: unlocks an account that wrong passwords locked. */
int share_user_unlock(const char *user, char *why, size_t why_bytes) _must_check_;

/* Why can they not open that share?  Returns owned: {user, address, share, visible: bool, access: none|read|write, steps: [{check,
 * protocol: smb|nfs|null, ok: true|false|null, text, fix}]}.  -ENOENT: the world has no such share. */
struct share_explain_opts {
	const char *user;                /* NULL: not asked about */
	const char *address;             /* where the client is; NULL: not asked about */
	const char *smb_why, *nfs_why;   /* why that server does not answer; "": it does */
};
int share_explain(const struct share_world *w, const char *share_id, const struct share_explain_opts *o, json_t **ret) _must_check_;

/* ---- a domain ---------------------------------------------------------------------------------------- */
/* Returns owned: {joined, state: none|joined|degraded, realm, workgroup, name, dns, first_id, last_id, dc, dc_address, site,
 * clock_offset_s, trust, winbind, reason}; at most some seconds old.  May take as long as a domain that does not answer. */
json_t *share_domain(void);
/* Its short name; false: the machine is a member of none.  Quick. */
bool share_domain_short(char *buf, size_t bytes);
struct share_join {
	const char *realm, *name;        /* "corp.example.com"; this machine's in it, at most 15 bytes */
	const char *ou, *dns;            /* "Servers/Files"; a name server's address; NULL or "": the domain's, the machine's */
	unsigned first_id;               /* its people's uids and gids begin here */
	const char *admin, *password;    /* who may add computers; never logged, never on an argv */
};
/* Asked several times a second; true: the caller wants no more of it, -ECANCELED unless it is at its end.  Meanwhile shares can be changed. */
struct share_patience {
	bool (*is_over)(void *arg);
	void *arg;
};
/* Is there such a domain?  Nothing changes, admin and password are not looked at.  ret_found, owned: {realm, workgroup, dc,
 * dc_address, site, clock_offset_s}. */
int share_domain_look(const struct share_join *j, json_t **ret_found, char *why, size_t why_bytes) _must_check_;
/* Becomes a member; smbd is started again.  The caller applies its world afterwards.  -EEXIST: it is one already; -EACCES: wrong
 * user or password; -ETIME: the clocks differ; -EHOSTUNREACH: nobody answers; -EINVAL, -ENAMETOOLONG: a value that cannot be. */
int share_domain_join(const struct share_join *j, const struct share_patience *p, json_t **ret_found, char *why, size_t why_bytes) _must_check_;
/* force: also when the domain does not answer, or without admin; then its account of this machine stays there. */
int share_domain_leave(const char *admin, const char *password, bool force, const struct share_patience *p, bool *ret_removed, char *why, size_t why_bytes) _must_check_;
struct share_identity {
	char sid[128], name[256];        /* "S-1-5-21-..", "CORP\anna" as the domain writes it */
	bool group;
};
/* name: "CORP\anna", "anna@corp.example.com".  -ENOENT: nobody; -EHOSTUNREACH: the domain cannot be asked now. */
int share_domain_sid(const char *name, struct share_identity *ret, char *why, size_t why_bytes) _must_check_;
/* Whose names begin so; at most 50.  ret_array, owned: [{kind: user|group, name, full_name}]. */
int share_domain_find(const char *text, json_t **ret_array, char *why, size_t why_bytes) _must_check_;

/* ---- Kerberos ---------------------------------------------------------------------------------------- */
/* By which keys clients of NFS know this machine.  Returns owned: {source: none|given|domain|machine, realm, reason, keys: [{principal,
 * version, encryption}]}; reason: why Kerberos cannot be had. */
int share_keytab(json_t **ret, char *why, size_t why_bytes) _must_check_;
/* The caller applies its world afterwards.  -EINVAL: no keytab, or none with a key of nfs/HOST. */
int share_keytab_set(const void *bytes, size_t len_bytes, char *why, size_t why_bytes) _must_check_;
int share_keytab_remove(char *why, size_t why_bytes) _must_check_; /* -ENOENT: none was given */

/* What the servers of this machine can.  Constant between applies; borrowed. */
struct share_capability {
	bool smb, nfs, nfs_kernel, nfs_ganesha, winbind;
	char smb_version[64], nfs_version[64];
	char smb_why_not[192], nfs_why_not[192], keeper_why_not[192]; /* what is missing, and what to do */
	unsigned nfs_versions;           /* enum share_version */
	unsigned nfs_security;
	bool smb_fruit, smb_recycle, smb_acl_xattr, smb_shadow_copy, smb_full_audit;
};
const struct share_capability *share_capabilities(void);

#endif
