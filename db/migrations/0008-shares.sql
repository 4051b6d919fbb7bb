-- SPDX-License-Identifier: GPL-3.0-or-later
-- Folders served over SMB and NFS, the users and groups they are for, and quotas.  Names of shares are told apart
-- as Windows does, capital letters aside.
CREATE TABLE share (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL COLLATE NOCASE UNIQUE,
	pool TEXT NOT NULL REFERENCES pool (id),
	path TEXT NOT NULL CHECK (path NOT LIKE '/%'),
	preset TEXT NOT NULL CHECK (preset IN ('general', 'homes', 'time-machine', 'library', 'drop-box', 'vmware', 'kubernetes')),
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	smb INTEGER NOT NULL CHECK (smb IN (0, 1)),
	nfs INTEGER NOT NULL CHECK (nfs IN (0, 1)),
	read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),
	hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)),
	guest INTEGER NOT NULL CHECK (guest IN (0, 1)),
	allow TEXT NOT NULL CHECK (json_type(allow) = 'array'),
	deny TEXT NOT NULL CHECK (json_type(deny) = 'array'),
	owner TEXT,
	"group" TEXT,
	mode TEXT,
	smb_encryption TEXT NOT NULL CHECK (smb_encryption IN ('off', 'desired', 'required')),
	smb_acl TEXT NOT NULL CHECK (smb_acl IN ('posix', 'windows')),
	smb_recycle INTEGER NOT NULL CHECK (smb_recycle IN (0, 1)),
	smb_recycle_days INTEGER NOT NULL,
	smb_recycle_max_bytes INTEGER,
	smb_previous_versions INTEGER NOT NULL CHECK (smb_previous_versions IN (0, 1)),
	smb_audit INTEGER NOT NULL CHECK (smb_audit IN (0, 1)),
	smb_case TEXT NOT NULL CHECK (smb_case IN ('auto', 'sensitive', 'insensitive')),
	smb_oplocks INTEGER NOT NULL CHECK (smb_oplocks IN (0, 1)),
	smb_durable_handles INTEGER NOT NULL CHECK (smb_durable_handles IN (0, 1)),
	smb_raw TEXT NOT NULL,
	nfs_versions TEXT NOT NULL CHECK (json_type(nfs_versions) = 'array'),
	nfs_squash TEXT NOT NULL CHECK (nfs_squash IN ('none', 'root', 'all')),
	nfs_anon_uid INTEGER NOT NULL,
	nfs_anon_gid INTEGER NOT NULL,
	nfs_sync INTEGER NOT NULL CHECK (nfs_sync IN (0, 1)),
	nfs_security TEXT NOT NULL CHECK (json_type(nfs_security) = 'array'),
	nfs_clients TEXT NOT NULL CHECK (json_type(nfs_clients) = 'array'),
	nfs_export_id INTEGER NOT NULL UNIQUE CHECK (nfs_export_id BETWEEN 1 AND 65535),
	quota_bytes INTEGER,
	snapshots_hourly INTEGER NOT NULL,
	snapshots_daily INTEGER NOT NULL,
	snapshots_weekly INTEGER NOT NULL,
	snapshots_monthly INTEGER NOT NULL,
	comment TEXT NOT NULL
);
CREATE INDEX share_pool ON share (pool);

CREATE TABLE nas_user (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	full_name TEXT NOT NULL,
	uid INTEGER NOT NULL UNIQUE,
	password BLOB,
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	expires_at TEXT,
	home INTEGER NOT NULL CHECK (home IN (0, 1)),
	system_login INTEGER NOT NULL CHECK (system_login IN (0, 1)),
	comment TEXT NOT NULL
);

CREATE TABLE nas_group (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	gid INTEGER NOT NULL UNIQUE,
	comment TEXT NOT NULL
);
CREATE TABLE nas_group_members (
	owner TEXT NOT NULL REFERENCES nas_group (id) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	ref TEXT NOT NULL REFERENCES nas_user (id),
	PRIMARY KEY (owner, position),
	UNIQUE (owner, ref)
);
CREATE INDEX nas_group_members_ref ON nas_group_members (ref);

CREATE TABLE quota (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	share TEXT NOT NULL REFERENCES share (id),
	user TEXT REFERENCES nas_user (id),
	"group" TEXT REFERENCES nas_group (id),
	limit_bytes INTEGER NOT NULL,
	limit_files INTEGER,
	CHECK ((user IS NULL) <> ("group" IS NULL)),
	UNIQUE (share, user),
	UNIQUE (share, "group")
);
CREATE INDEX quota_user ON quota (user);
CREATE INDEX quota_group ON quota ("group");
