-- SPDX-License-Identifier: GPL-3.0-or-later
-- schema.sql - the store as a new installation makes it.  The last migration ends in exactly this; a test
-- compares both, and the columns with the rows of server/config/model.c.
--
-- Every object has a UUID, the store's revision at its last change, and two times (RFC 3339, UTC).
-- Truth values are 0 and 1; lists and maps are JSON text; secrets are sealed blobs.  Nothing here cascades,
-- so nothing disappears that nobody asked to delete; only the rows of a list go with their owner.

-- One row about the store itself.  key_check is a known text sealed with the key file, so that a wrong
-- key is noticed at once.
CREATE TABLE store (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	revision INTEGER NOT NULL CHECK (revision >= 0),
	key_check BLOB
);
INSERT INTO store (one, revision) VALUES (1, 0);

-- Work on backing stores that a crash may interrupt.  "clean": destroy the backing of a volume that has no
-- row (its creation did not finish, or its deletion did).  "build": the row is there, the backing is still
-- being made.
CREATE TABLE pending (
	id TEXT PRIMARY KEY NOT NULL,
	action TEXT NOT NULL CHECK (action IN ('clean', 'build')),
	spec TEXT NOT NULL CHECK (json_valid(spec))
);

-- Who may not log in for a while: times in seconds since 1970.
CREATE TABLE ban (
	id INTEGER PRIMARY KEY NOT NULL,
	initiator TEXT NOT NULL,
	target TEXT NOT NULL,
	since_s INTEGER NOT NULL,
	until_s INTEGER NOT NULL
);

CREATE TABLE pool (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	path TEXT NOT NULL UNIQUE CHECK (path LIKE '/%'),
	comment TEXT NOT NULL
);

CREATE TABLE volume (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	pool TEXT REFERENCES pool (id),
	plugin TEXT NOT NULL,
	size_bytes INTEGER NOT NULL CHECK (size_bytes >= 512 AND size_bytes % block_size = 0),
	block_size INTEGER NOT NULL CHECK (block_size IN (512, 4096)),
	read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),
	options TEXT NOT NULL CHECK (json_type(options) = 'object'),
	comment TEXT NOT NULL,
	reservations TEXT,
	type TEXT NOT NULL DEFAULT 'disk' CHECK (type IN ('disk', 'removable', 'cdrom')),
	physical_block_size INTEGER NOT NULL DEFAULT 512 CHECK (physical_block_size IN (512, 4096)),
	naa_override TEXT,
	serial TEXT,
	vendor TEXT,
	product TEXT,
	sanitize TEXT,
	mode_pages TEXT,
	encrypted INTEGER NOT NULL DEFAULT 0 CHECK (encrypted IN (0, 1)),
	encryption_key BLOB
);
CREATE UNIQUE INDEX volume_naa ON volume (naa_override);
CREATE UNIQUE INDEX volume_serial ON volume (serial);
CREATE INDEX volume_pool ON volume (pool);

CREATE TABLE portal (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	protocol TEXT NOT NULL CHECK (protocol IN ('https', 'iscsi', 'nvme-tcp', 'nvme-discovery', 'smb', 'nfs')),
	address TEXT NOT NULL,
	port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
	group_tag INTEGER NOT NULL CHECK (group_tag BETWEEN 1 AND 65535),
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	nvme_tls TEXT NOT NULL DEFAULT 'allowed' CHECK (nvme_tls IN ('off', 'allowed', 'required')),
	UNIQUE (address, port)
);

CREATE TABLE target (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	protocol TEXT NOT NULL CHECK (protocol IN ('iscsi', 'nvme')),
	qualified_name TEXT NOT NULL UNIQUE,
	alias TEXT NOT NULL,
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	allow_any INTEGER NOT NULL CHECK (allow_any IN (0, 1)),
	comment TEXT NOT NULL,
	path_states TEXT NOT NULL DEFAULT '{}' CHECK (json_type(path_states) = 'object'),
	static_controllers INTEGER NOT NULL DEFAULT 0 CHECK (static_controllers BETWEEN 0 AND 1024),
	require_auth INTEGER NOT NULL DEFAULT 0 CHECK (require_auth IN (0, 1)),
	require_tls INTEGER NOT NULL DEFAULT 0 CHECK (require_tls IN (0, 1)),
	portal_groups TEXT NOT NULL DEFAULT '[]' CHECK (json_type(portal_groups) = 'array'),
	redirects TEXT NOT NULL DEFAULT '[]' CHECK (json_type(redirects) = 'array'),
	redirect_permanent INTEGER NOT NULL DEFAULT 0 CHECK (redirect_permanent IN (0, 1)),
	header_digest_required INTEGER NOT NULL DEFAULT 0 CHECK (header_digest_required IN (0, 1)),
	data_digest_required INTEGER NOT NULL DEFAULT 0 CHECK (data_digest_required IN (0, 1)),
	chap_user TEXT,
	chap_secret BLOB,
	mutual_user TEXT,
	mutual_secret BLOB,
	explicit_alua INTEGER NOT NULL DEFAULT 0 CHECK (explicit_alua IN (0, 1))
);

CREATE TABLE lun (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	target TEXT NOT NULL REFERENCES target (id),
	volume TEXT NOT NULL REFERENCES volume (id),
	lun INTEGER NOT NULL CHECK (lun BETWEEN 0 AND 16383),
	read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),
	UNIQUE (target, lun),
	UNIQUE (target, volume)
);
CREATE INDEX lun_volume ON lun (volume);

CREATE TABLE host (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	iqns TEXT NOT NULL CHECK (json_type(iqns) = 'array'),
	nqns TEXT NOT NULL CHECK (json_type(nqns) = 'array'),
	addresses TEXT NOT NULL CHECK (json_type(addresses) = 'array'),
	chap_user TEXT,
	chap_secret BLOB,
	mutual_user TEXT,
	mutual_secret BLOB,
	dhchap_key BLOB,
	dhchap_ctrl_key BLOB,
	tls_psk BLOB,
	comment TEXT NOT NULL
);

CREATE TABLE host_group (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	comment TEXT NOT NULL
);
CREATE TABLE host_group_hosts (
	owner TEXT NOT NULL REFERENCES host_group (id) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	ref TEXT NOT NULL REFERENCES host (id),
	PRIMARY KEY (owner, position),
	UNIQUE (owner, ref)
);
CREATE INDEX host_group_hosts_ref ON host_group_hosts (ref);

CREATE TABLE access (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	target TEXT NOT NULL REFERENCES target (id),
	host TEXT REFERENCES host (id),
	"group" TEXT REFERENCES host_group (id),
	luns TEXT NOT NULL CHECK (json_type(luns) = 'array'),
	CHECK ((host IS NULL) <> ("group" IS NULL)),
	UNIQUE (target, host),
	UNIQUE (target, "group")
);
CREATE INDEX access_host ON access (host);
CREATE INDEX access_group ON access ("group");

CREATE TABLE account (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	role TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
	password BLOB,
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	comment TEXT NOT NULL,
	totp_secret BLOB,
	recovery_codes BLOB,
	last_login_at TEXT
);

CREATE TABLE setting (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	key TEXT NOT NULL UNIQUE,
	value TEXT NOT NULL
);

CREATE TABLE acme_account (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	directory TEXT NOT NULL,
	staging_directory TEXT,
	ca_pem TEXT,
	email TEXT,
	eab_kid TEXT,
	eab_hmac BLOB,
	terms_agreed INTEGER NOT NULL CHECK (terms_agreed IN (0, 1)),
	key_pem BLOB,
	comment TEXT NOT NULL,
	url TEXT,
	last_error TEXT
);

CREATE TABLE certificate (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	source TEXT NOT NULL CHECK (source IN ('upload', 'acme', 'self-signed')),
	account TEXT REFERENCES acme_account (id),
	names TEXT NOT NULL CHECK (json_type(names) = 'array'),
	challenge TEXT NOT NULL CHECK (challenge IN ('http-01', 'tls-alpn-01', 'dns-01')),
	dns_method TEXT CHECK (dns_method IN ('rfc2136', 'script', 'lego')),
	dns_options TEXT NOT NULL CHECK (json_type(dns_options) = 'object'),
	dns_secret BLOB,
	profile TEXT,
	preferred_chain TEXT,
	key_type TEXT NOT NULL,
	auto_renew INTEGER NOT NULL CHECK (auto_renew IN (0, 1)),
	auto_activate INTEGER NOT NULL CHECK (auto_activate IN (0, 1)),
	staging_first INTEGER NOT NULL CHECK (staging_first IN (0, 1)),
	chain_pem TEXT,
	key_pem BLOB,
	active INTEGER NOT NULL CHECK (active IN (0, 1)),
	comment TEXT NOT NULL,
	renew_at TEXT,
	ask_at TEXT,
	attempted_at TEXT,
	failures INTEGER NOT NULL,
	last_error TEXT,
	revoked_at TEXT
);
CREATE INDEX certificate_account ON certificate (account);

CREATE TABLE acme_history (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	at TEXT NOT NULL,
	action TEXT NOT NULL,
	certificate TEXT,
	account TEXT,
	result TEXT NOT NULL CHECK (result IN ('done', 'failed', 'cancelled')),
	message TEXT,
	problem TEXT CHECK (problem IS NULL OR json_valid(problem)),
	seconds INTEGER NOT NULL
);

CREATE TABLE channel (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	type TEXT NOT NULL CHECK (type IN ('email', 'webhook')),
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	min_level TEXT NOT NULL CHECK (min_level IN ('info', 'warning', 'error')),
	interval_s INTEGER NOT NULL CHECK (interval_s BETWEEN 1 AND 86400),
	url TEXT,
	headers TEXT NOT NULL CHECK (json_type(headers) = 'object'),
	template TEXT,
	secret BLOB,
	host TEXT,
	port INTEGER CHECK (port BETWEEN 1 AND 65535),
	security TEXT NOT NULL CHECK (security IN ('starttls', 'tls', 'plain')),
	"user" TEXT,
	password BLOB,
	"from" TEXT,
	"to" TEXT NOT NULL CHECK (json_type("to") = 'array'),
	ca_pem TEXT,
	comment TEXT NOT NULL,
	sent_at TEXT,
	last_error TEXT
);

CREATE TABLE audit (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	at TEXT NOT NULL,
	actor TEXT NOT NULL,
	source TEXT NOT NULL,
	verb TEXT NOT NULL CHECK (verb IN ('create', 'update', 'delete', 'login', 'logout', 'refuse', 'confirm', 'export')),
	kind TEXT NOT NULL,
	object TEXT NOT NULL,
	object_name TEXT,
	before TEXT CHECK (before IS NULL OR json_valid(before)),
	after TEXT CHECK (after IS NULL OR json_valid(after))
);
CREATE INDEX audit_object ON audit (object);

CREATE TABLE event (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	at TEXT NOT NULL,
	level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'error')),
	type TEXT NOT NULL,
	object TEXT,
	message TEXT NOT NULL,
	facts TEXT CHECK (facts IS NULL OR json_valid(facts)),
	alert INTEGER NOT NULL CHECK (alert IN (0, 1)),
	resolved_at TEXT
);
CREATE INDEX event_alert ON event (alert, resolved_at);

CREATE TABLE task (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	type TEXT NOT NULL,
	object TEXT,
	state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'cancelled')),
	percent INTEGER NOT NULL CHECK (percent BETWEEN 0 AND 100),
	message TEXT,
	started_at TEXT NOT NULL,
	finished_at TEXT
);
CREATE INDEX task_state ON task (state);

-- Secrets by which programs act for an account.
CREATE TABLE token (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	account TEXT NOT NULL REFERENCES account (id),
	role TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
	scopes TEXT NOT NULL CHECK (json_type(scopes) = 'array'),
	expires_at TEXT,
	secret_hash BLOB,
	last_used_at TEXT
);
CREATE INDEX token_account ON token (account);

-- Signed-in browsers.  Those of an account that is gone are dropped by the server.
CREATE TABLE login (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	account TEXT NOT NULL,
	source TEXT NOT NULL,
	agent TEXT NOT NULL,
	secret_hash TEXT NOT NULL CHECK (length(secret_hash) = 64),
	last_seen_at TEXT NOT NULL
);

-- Folders served over SMB and NFS.  Names are told apart as Windows does, capital letters aside.
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
	comment TEXT NOT NULL,
	identities TEXT NOT NULL DEFAULT '[]' CHECK (json_type(identities) = 'array')
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
