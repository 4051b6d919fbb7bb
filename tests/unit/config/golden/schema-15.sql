PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO "access" VALUES('0193a000-0000-7000-8000-000000000008',8,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','0193a000-0000-7000-8000-000000000004',NULL,'0193a000-0000-7000-8000-000000000007','[]');
CREATE TABLE account (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	role TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
	password BLOB,
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	comment TEXT NOT NULL
, totp_secret BLOB, recovery_codes BLOB, last_login_at TEXT);
INSERT INTO "account" VALUES('0193a000-0000-7000-8000-000000000009',9,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','admin','admin',NULL,1,'',NULL,NULL,NULL);
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
INSERT INTO "acme_account" VALUES('0193a000-0000-7000-8000-000000000101',12,'2026-11-20T12:00:00.000Z','2026-11-20T12:00:00.000Z','le','letsencrypt',NULL,NULL,NULL,NULL,NULL,1,NULL,'',NULL,NULL);
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
INSERT INTO "acme_history" VALUES('0193a000-0000-7000-8000-000000000103',12,'2026-11-20T12:00:00.000Z','2026-11-20T12:00:00.000Z','2026-11-20T12:00:00.000Z','order','page','le','failed','no',NULL,3);
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
INSERT INTO "audit" VALUES('0193a000-0000-7000-8000-00000000000b',10,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','uid 0','local','create','pool','0193a000-0000-7000-8000-000000000001','tank',NULL,'{"name":"tank"}');
CREATE TABLE ban (
	id INTEGER PRIMARY KEY NOT NULL,
	initiator TEXT NOT NULL,
	target TEXT NOT NULL,
	since_s INTEGER NOT NULL,
	until_s INTEGER NOT NULL
);
INSERT INTO "ban" VALUES(3,'iqn.2026-11.test:host','iqn.2026-11.test:disk',1793000000,4102444800);
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
INSERT INTO "certificate" VALUES('0193a000-0000-7000-8000-000000000102',12,'2026-11-20T12:00:00.000Z','2026-11-20T12:00:00.000Z','page','acme','0193a000-0000-7000-8000-000000000101','["nas.example.org"]','http-01',NULL,'{}',NULL,NULL,NULL,'ec256',1,1,0,NULL,NULL,0,'',NULL,NULL,NULL,0,NULL,NULL);
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
INSERT INTO "channel" VALUES('0193a000-0000-7000-8000-000000000104',12,'2026-11-20T12:00:00.000Z','2026-11-20T12:00:00.000Z','mail','email',1,'warning',300,NULL,'{}',NULL,NULL,NULL,NULL,'starttls',NULL,NULL,NULL,'["a@example.org"]',NULL,'',NULL,NULL);
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
INSERT INTO "event" VALUES('0193a000-0000-7000-8000-00000000000c',11,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','warning','volume.offline','v1','gone',NULL,1,NULL);
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
INSERT INTO "host" VALUES('0193a000-0000-7000-8000-000000000006',6,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','h1','["iqn.1993-08.org.debian:*"]','[]','["192.0.2.0/24"]',NULL,NULL,NULL,NULL,NULL,NULL,NULL,'');
CREATE TABLE host_group (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	comment TEXT NOT NULL
);
INSERT INTO "host_group" VALUES('0193a000-0000-7000-8000-000000000007',7,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','g1','');
CREATE TABLE host_group_hosts (
	owner TEXT NOT NULL REFERENCES host_group (id) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	ref TEXT NOT NULL REFERENCES host (id),
	PRIMARY KEY (owner, position),
	UNIQUE (owner, ref)
);
INSERT INTO "host_group_hosts" VALUES('0193a000-0000-7000-8000-000000000007',0,'0193a000-0000-7000-8000-000000000006');
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
INSERT INTO "login" VALUES('0193a000-0000-7000-8000-0000000000ff',0,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','0193a000-0000-7000-8000-000000000009','https 192.0.2.7','browser','0000000000000000000000000000000000000000000000000000000000000000','2026-11-01T00:00:00.000Z');
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
INSERT INTO "lun" VALUES('0193a000-0000-7000-8000-000000000005',5,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','0193a000-0000-7000-8000-000000000004','0193a000-0000-7000-8000-000000000002',0,0);
CREATE TABLE nas_group (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	gid INTEGER NOT NULL UNIQUE,
	comment TEXT NOT NULL
);
INSERT INTO "nas_group" VALUES('0193a000-0000-7000-8000-000000000203',14,'2026-11-20T19:00:00.000Z','2026-11-20T19:00:00.000Z','staff',20000,'');
CREATE TABLE nas_group_members (
	owner TEXT NOT NULL REFERENCES nas_group (id) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	ref TEXT NOT NULL REFERENCES nas_user (id),
	PRIMARY KEY (owner, position),
	UNIQUE (owner, ref)
);
INSERT INTO "nas_group_members" VALUES('0193a000-0000-7000-8000-000000000203',0,'0193a000-0000-7000-8000-000000000202');
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
INSERT INTO "nas_user" VALUES('0193a000-0000-7000-8000-000000000202',14,'2026-11-20T19:00:00.000Z','2026-11-20T19:00:00.000Z','alice','Alice',20000,NULL,1,NULL,0,0,'');
CREATE TABLE pending (
	id TEXT PRIMARY KEY NOT NULL,
	action TEXT NOT NULL CHECK (action IN ('clean', 'build')),
	spec TEXT NOT NULL CHECK (json_valid(spec))
);
INSERT INTO "pending" VALUES('0193a000-0000-7000-8000-00000000000e','clean','{}');
CREATE TABLE pool (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	path TEXT NOT NULL UNIQUE CHECK (path LIKE '/%'),
	comment TEXT NOT NULL
);
INSERT INTO "pool" VALUES('0193a000-0000-7000-8000-000000000001',1,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','tank','/tank','');
CREATE TABLE portal (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	protocol TEXT NOT NULL CHECK (protocol IN ('https', 'iscsi', 'nvme-tcp', 'nvme-discovery', 'smb', 'nfs')),
	address TEXT NOT NULL,
	port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
	group_tag INTEGER NOT NULL CHECK (group_tag BETWEEN 1 AND 65535),
	enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)), nvme_tls TEXT NOT NULL DEFAULT 'allowed' CHECK (nvme_tls IN ('off', 'allowed', 'required')),
	UNIQUE (address, port)
);
INSERT INTO "portal" VALUES('0193a000-0000-7000-8000-000000000003',3,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','iscsi','0.0.0.0',3260,1,1,'allowed');
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
INSERT INTO "quota" VALUES('0193a000-0000-7000-8000-000000000204',14,'2026-11-20T19:00:00.000Z','2026-11-20T19:00:00.000Z','0193a000-0000-7000-8000-000000000201','0193a000-0000-7000-8000-000000000202',NULL,1048576,NULL);
CREATE TABLE setting (
	id TEXT PRIMARY KEY NOT NULL CHECK (length(id) = 36),
	revision INTEGER NOT NULL,
	created_at TEXT NOT NULL,
	updated_at TEXT NOT NULL,
	key TEXT NOT NULL UNIQUE,
	value TEXT NOT NULL
);
INSERT INTO "setting" VALUES('0193a000-0000-7000-8000-00000000000a',10,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','log_level','debug');
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
, identities TEXT NOT NULL DEFAULT '[]' CHECK (json_type(identities) = 'array'));
INSERT INTO "share" VALUES('0193a000-0000-7000-8000-000000000201',14,'2026-11-20T19:00:00.000Z','2026-11-20T19:00:00.000Z','projects','0193a000-0000-7000-8000-000000000001','projects','general',1,1,1,0,0,0,'["@staff"]','[]',NULL,'staff','2770','desired','posix',1,30,NULL,1,0,'auto',1,0,'','["4.1"]','root',65534,65534,1,'["sys"]','["192.0.2.0/24:rw"]',4711,1073741824,24,7,4,0,'','[]');
CREATE TABLE store (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	revision INTEGER NOT NULL CHECK (revision >= 0),
	key_check BLOB
);
INSERT INTO "store" VALUES(1,12,NULL);
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
	comment TEXT NOT NULL, path_states TEXT NOT NULL DEFAULT '{}' CHECK (json_type(path_states) = 'object'), static_controllers INTEGER NOT NULL DEFAULT 0 CHECK (static_controllers BETWEEN 0 AND 1024), require_auth INTEGER NOT NULL DEFAULT 0 CHECK (require_auth IN (0, 1)), require_tls INTEGER NOT NULL DEFAULT 0 CHECK (require_tls IN (0, 1)), portal_groups TEXT NOT NULL DEFAULT '[]' CHECK (json_type(portal_groups) = 'array'), redirects TEXT NOT NULL DEFAULT '[]' CHECK (json_type(redirects) = 'array'), redirect_permanent INTEGER NOT NULL DEFAULT 0 CHECK (redirect_permanent IN (0, 1)), header_digest_required INTEGER NOT NULL DEFAULT 0 CHECK (header_digest_required IN (0, 1)), data_digest_required INTEGER NOT NULL DEFAULT 0 CHECK (data_digest_required IN (0, 1)), chap_user TEXT, chap_secret BLOB, mutual_user TEXT, mutual_secret BLOB, explicit_alua INTEGER NOT NULL DEFAULT 0 CHECK (explicit_alua IN (0, 1)));
INSERT INTO "target" VALUES('0193a000-0000-7000-8000-000000000004',4,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','t1','iscsi','iqn.2026-11.io.holdfast:t1','',1,0,'','{"2":"non-optimized"}',0,0,0,'[]','[]',0,0,0,NULL,NULL,NULL,NULL,0);
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
INSERT INTO "task" VALUES('0193a000-0000-7000-8000-00000000000d',12,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','volume.build','v1','done',100,NULL,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:01.000Z');
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
INSERT INTO "token" VALUES('0193a000-0000-7000-8000-0000000000ee',13,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','backup','0193a000-0000-7000-8000-000000000009','viewer','["volumes"]',NULL,NULL,NULL);
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
	reservations TEXT
, type TEXT NOT NULL DEFAULT 'disk' CHECK (type IN ('disk', 'removable', 'cdrom')), physical_block_size INTEGER NOT NULL DEFAULT 512 CHECK (physical_block_size IN (512, 4096)), naa_override TEXT, serial TEXT, vendor TEXT, product TEXT, sanitize TEXT, mode_pages TEXT, encrypted INTEGER NOT NULL DEFAULT 0 CHECK (encrypted IN (0, 1)), encryption_key BLOB);
INSERT INTO "volume" VALUES('0193a000-0000-7000-8000-000000000002',2,'2026-11-01T00:00:00.000Z','2026-11-01T00:00:00.000Z','v1','0193a000-0000-7000-8000-000000000001','file',1073741824,512,0,'{"cache":"direct"}','first',NULL,'disk',512,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL);
CREATE INDEX volume_pool ON volume (pool);
CREATE INDEX lun_volume ON lun (volume);
CREATE INDEX host_group_hosts_ref ON host_group_hosts (ref);
CREATE INDEX access_host ON access (host);
CREATE INDEX access_group ON access ("group");
CREATE INDEX event_alert ON event (alert, resolved_at);
CREATE INDEX task_state ON task (state);
CREATE INDEX certificate_account ON certificate (account);
CREATE INDEX token_account ON token (account);
CREATE INDEX audit_object ON audit (object);
CREATE INDEX share_pool ON share (pool);
CREATE INDEX nas_group_members_ref ON nas_group_members (ref);
CREATE INDEX quota_user ON quota (user);
CREATE INDEX quota_group ON quota ("group");
CREATE UNIQUE INDEX volume_naa ON volume (naa_override);
CREATE UNIQUE INDEX volume_serial ON volume (serial);
COMMIT;
PRAGMA user_version = 15;
PRAGMA application_id = 1212957766;
