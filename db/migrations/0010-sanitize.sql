-- SPDX-License-Identifier: GPL-3.0-or-later
-- A sanitize that the end of the daemon cut off has failed.
ALTER TABLE volume ADD COLUMN sanitize TEXT;
