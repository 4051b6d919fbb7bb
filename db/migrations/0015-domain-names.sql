-- SPDX-License-Identifier: GPL-3.0-or-later
-- Names of a domain in a share's lists, and the SIDs that they meant when they were written.
ALTER TABLE share ADD COLUMN identities TEXT NOT NULL DEFAULT '[]' CHECK (json_type(identities) = 'array');
