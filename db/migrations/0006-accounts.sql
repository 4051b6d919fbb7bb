-- SPDX-License-Identifier: GPL-3.0-or-later
-- Second factor of an account, and when it logged in last.
ALTER TABLE account ADD COLUMN totp_secret BLOB;
ALTER TABLE account ADD COLUMN recovery_codes BLOB;
ALTER TABLE account ADD COLUMN last_login_at TEXT;

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

-- The audit also holds logins and refusals.
ALTER TABLE audit RENAME TO audit_before;
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
INSERT INTO audit SELECT * FROM audit_before;
DROP TABLE audit_before;
CREATE INDEX audit_object ON audit (object);
