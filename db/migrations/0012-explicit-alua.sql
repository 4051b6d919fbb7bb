-- SPDX-License-Identifier: GPL-3.0-or-later
-- Hosts may set the states of the paths to a target, where it lets them.
ALTER TABLE target ADD COLUMN explicit_alua INTEGER NOT NULL DEFAULT 0 CHECK (explicit_alua IN (0, 1));
