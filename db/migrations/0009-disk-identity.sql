-- SPDX-License-Identifier: GPL-3.0-or-later
-- The names that a disk brings from the array that it came from.
ALTER TABLE volume ADD COLUMN naa_override TEXT;
ALTER TABLE volume ADD COLUMN serial TEXT;
ALTER TABLE volume ADD COLUMN vendor TEXT;
ALTER TABLE volume ADD COLUMN product TEXT;
CREATE UNIQUE INDEX volume_naa ON volume (naa_override);
CREATE UNIQUE INDEX volume_serial ON volume (serial);
