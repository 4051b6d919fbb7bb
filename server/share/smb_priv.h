/* SPDX-License-Identifier: GPL-3.0-or-later */
/* smb_priv.h - inside the SMB part: configuration, status, log. */
#ifndef HOLDFAST_SHARE_SMB_PRIV_H
#define HOLDFAST_SHARE_SMB_PRIV_H

#include "share/share_priv.h"

/* Which lines of the configuration are somebody's own. */
struct smb_raw {
	const char *share;               /* borrowed from the world; NULL: the server's */
	unsigned first_line, last_line;  /* from 1 */
};
struct smb_raws {
	struct smb_raw *items;           /* the caller's */
	size_t count, room;
};
/* Can Samba serve this share under this name?  Pure. */
int smb_conf_check(const struct share_spec *s, char *why, size_t why_bytes) _must_check_;
/* The first line of raw lines that would begin a section (from 1); 0: none does. */
unsigned smb_conf_section(const char *raw);
int smb_conf_check_portals(const struct share_world *w, char *why, size_t why_bytes) _must_check_;
/* Appends the configuration of all SMB shares but those that skip names (NULL: none). */
int smb_conf(const struct share_world *w, bool (*skip)(const struct share_spec *s), struct share_text *ret, struct smb_raws *raws) _must_check_;

/* smb_access.c: may somebody less in a share, by two texts of smb_conf()?  PEOPLE: whom Samba can tell apart itself. */
enum smb_loss { SMB_LOSS_NONE, SMB_LOSS_PEOPLE, SMB_LOSS_ALL };
enum smb_loss smb_access_loss(const char *before, const char *now, const char *share);

/* smb_people.c: who may log in, and who is in which group, as a text; returns owned, NULL: no memory. */
char *smb_people(const struct share_world *w, int64_t now_s);
/* Calls lost for each user who could log in, or was in a group, and is no more; how often. */
size_t smb_people_lost(const char *before, const char *now, void (*lost)(void *arg, const char *user), void *arg);

/* One line of smbd's log, when it tells something: an audit line or a refused login.  false: it does not.
 * data: returns owned.  share: copied, "" when there is none. */
bool smb_log_line(const char *text, enum share_event *ret_kind, char *ret_share, size_t share_bytes, char *ret_what, size_t what_bytes, json_t **ret_data);

/* Does this line tell that somebody logged in? */
bool smb_log_is_login(const char *text);

/* smb_traffic.c: what was moved by share.  Not locked. */
struct smb_moved {
	uint64_t read_bytes, written_bytes; /* by clients, on the network */
	bool divided;                    /* a part of it comes from dividing what clients moved that use several shares */
};
struct smb_traffic *smb_traffic_new(void); /* release by free(); NULL: no memory */
/* lines: of the keeper's "smb-traffic"; status: smbstatus's JSON of the same moment, or NULL. */
void smb_traffic_count(struct smb_traffic *t, const char *lines, const json_t *status, bool (*folder_of)(const char *share, char *ret, size_t ret_bytes),
		       int64_t now_s);
void smb_traffic_of(const struct smb_traffic *t, const char *share, struct smb_moved *ret);

/* From smbstatus's JSON to ours. */
void smb_status_sessions(const json_t *status, json_t *array);
/* Calls seen for the user of each session. */
void smb_status_users(const json_t *status, void (*seen)(const char *user, int64_t now_s), int64_t now_s);
void smb_status_open_files(const json_t *status, const char *share_name, const char *folder, json_t *array);
/* For each share that a connection uses: where it comes from, how many files it has open there. */
void smb_status_uses(const json_t *status, bool (*folder_of)(const char *share, char *ret, size_t ret_bytes),
		     void (*use)(void *arg, const char *address, unsigned port, const char *share, unsigned files), void *arg);
/* Somebody has logged in and has no share open yet: a moment later there is more to know. */
bool smb_status_incomplete(const json_t *status);
void smb_status_count(const json_t *status, const char *share_name, const char *folder, unsigned *sessions, unsigned *files);

#endif
