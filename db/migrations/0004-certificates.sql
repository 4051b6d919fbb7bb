-- SPDX-License-Identifier: GPL-3.0-or-later
-- 0004-certificates - certificates and the accounts that order them; channels that tell people.
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
