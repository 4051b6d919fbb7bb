-- SPDX-License-Identifier: GPL-3.0-or-later
-- Initiators that were sent away for a while stay away over a restart.
CREATE TABLE ban (
	id INTEGER PRIMARY KEY NOT NULL,
	initiator TEXT NOT NULL,
	target TEXT NOT NULL,
	since_s INTEGER NOT NULL,
	until_s INTEGER NOT NULL
);
