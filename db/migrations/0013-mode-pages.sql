-- SPDX-License-Identifier: GPL-3.0-or-later
-- Mode pages that a SCSI host has saved.
ALTER TABLE volume ADD COLUMN mode_pages TEXT;
