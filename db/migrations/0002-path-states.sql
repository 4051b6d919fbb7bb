-- SPDX-License-Identifier: GPL-3.0-or-later
-- What hosts are told of the paths to a target through one portal group: {"2": "non-optimized"}.
ALTER TABLE target ADD COLUMN path_states TEXT NOT NULL DEFAULT '{}' CHECK (json_type(path_states) = 'object');
-- NVMe: controllers that are there with fixed ids; 0: each host gets one made for it.
ALTER TABLE target ADD COLUMN static_controllers INTEGER NOT NULL DEFAULT 0 CHECK (static_controllers BETWEEN 0 AND 1024);
