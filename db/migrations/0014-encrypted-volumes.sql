-- SPDX-License-Identifier: GPL-3.0-or-later
-- Volumes whose data is encrypted, each under a key of its own; the key is sealed like every secret.
ALTER TABLE volume ADD COLUMN encrypted INTEGER NOT NULL DEFAULT 0 CHECK (encrypted IN (0, 1));
ALTER TABLE volume ADD COLUMN encryption_key BLOB;
