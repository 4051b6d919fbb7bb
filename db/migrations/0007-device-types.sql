-- SPDX-License-Identifier: GPL-3.0-or-later
-- What SCSI hosts see of a volume: the device type, and the sector format.
ALTER TABLE volume ADD COLUMN type TEXT NOT NULL DEFAULT 'disk' CHECK (type IN ('disk', 'removable', 'cdrom'));
ALTER TABLE volume ADD COLUMN physical_block_size INTEGER NOT NULL DEFAULT 512 CHECK (physical_block_size IN (512, 4096));
