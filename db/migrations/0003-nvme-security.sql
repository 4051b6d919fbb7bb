-- SPDX-License-Identifier: GPL-3.0-or-later
-- NVMe: hosts that have no key of their own are let in only where neither is required.
ALTER TABLE target ADD COLUMN require_auth INTEGER NOT NULL DEFAULT 0 CHECK (require_auth IN (0, 1));
ALTER TABLE target ADD COLUMN require_tls INTEGER NOT NULL DEFAULT 0 CHECK (require_tls IN (0, 1));
-- Whether a portal speaks TLS, plain text, or both.
ALTER TABLE portal ADD COLUMN nvme_tls TEXT NOT NULL DEFAULT 'allowed' CHECK (nvme_tls IN ('off', 'allowed', 'required'));
