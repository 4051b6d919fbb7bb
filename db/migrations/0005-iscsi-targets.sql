-- SPDX-License-Identifier: GPL-3.0-or-later
-- iSCSI targets: which portal groups offer them, where logins are sent, what must be agreed on, CHAP of their own.
ALTER TABLE target ADD COLUMN portal_groups TEXT NOT NULL DEFAULT '[]' CHECK (json_type(portal_groups) = 'array');
ALTER TABLE target ADD COLUMN redirects TEXT NOT NULL DEFAULT '[]' CHECK (json_type(redirects) = 'array');
ALTER TABLE target ADD COLUMN redirect_permanent INTEGER NOT NULL DEFAULT 0 CHECK (redirect_permanent IN (0, 1));
ALTER TABLE target ADD COLUMN header_digest_required INTEGER NOT NULL DEFAULT 0 CHECK (header_digest_required IN (0, 1));
ALTER TABLE target ADD COLUMN data_digest_required INTEGER NOT NULL DEFAULT 0 CHECK (data_digest_required IN (0, 1));
ALTER TABLE target ADD COLUMN chap_user TEXT;
ALTER TABLE target ADD COLUMN chap_secret BLOB;
ALTER TABLE target ADD COLUMN mutual_user TEXT;
ALTER TABLE target ADD COLUMN mutual_secret BLOB;
