/* SPDX-License-Identifier: GPL-3.0-or-later */
/* share_priv.h - inside share/: the parts that a world is made of, and what they have in common. */
#ifndef HOLDFAST_SHARE_SHARE_PRIV_H
#define HOLDFAST_SHARE_SHARE_PRIV_H

#include "broker/keeper.h"
#include "core/log.h"
#include "share/share.h"

extern struct log_topic log_share;

/* A part is one concern of a world: accounts, folders, SMB, NFS, space, being seen.  share.c calls them in the order
 * of their rows; any hook may be NULL.  Calls are serialised by share.c.  check changes nothing.  apply is idempotent
 * and never fails for one share's sake: it says so by share_fail(). */
struct share_part {
	const char *name;
	int (*start)(void);
	void (*stop)(void);
	int (*check)(const struct share_world *w, char *why, size_t why_bytes);
	int (*apply)(const struct share_world *w, char *why, size_t why_bytes);
	void (*state)(const char *share_id, const char *share_name, struct share_state *s); /* adds what it knows */
	void (*sessions)(json_t *array);                 /* appends */
	int (*session_close)(const char *id, char *why, size_t why_bytes); /* -ENOENT: not mine */
	void (*open_files)(const char *share_name, const char *folder, json_t *array);
	int (*file_close)(const char *share_name, const char *file_id, char *why, size_t why_bytes);
	void (*status)(json_t *servers);                 /* appends to share_status()'s servers */
	void (*capability)(struct share_capability *c);
	/* Once per second on the room's thread, without the lock that serialises the others. */
	void (*tick)(void);
	/* A line that a server logged, on the room's thread.  It is data: anybody who can log in may choose parts of it. */
	void (*line)(const char *child, const char *text);
	void (*settled)(void);                           /* after those lines that there were */
};
extern const struct share_part share_part_account, share_part_domain, share_part_folder, share_part_smb, share_part_nfs, share_part_space,
	share_part_wsd;

/* account.c: this user has a session over SMB now. */
void share_user_seen(const char *name, int64_t now_s);

/* During apply: this share is not served (or not wholly), and why.  The first reason stays. */
void share_fail(const struct share_spec *s, const char *fmt, ...) _printf_(2, 3);
bool share_has_failed(const struct share_spec *s);
/* Tells the caller of the room.  Any thread. */
void share_tell(enum share_event kind, const char *share_id, const char *what, const json_t *data);
/* The id of the share of this name in the world applied last; copied.  -ENOENT. */
int share_id_by_name(const char *name, char *ret_id, size_t id_bytes);
/* Its folder; copied.  -ENOENT. */
int share_folder_by_id(const char *id, char *ret_folder, size_t folder_bytes);

/* Is it to be served over NFS (else SMB)? */
bool share_is_served(const char *id, bool nfs);
/* Its number among NFS exports; 0: no such share. */
uint32_t share_export_by_id(const char *id);

/* One entry of allow or deny, taken apart.  name points into the entry. */
enum share_who { SHARE_WHO_USER, SHARE_WHO_GROUP, SHARE_WHO_ADDRESS };
enum share_right { SHARE_RIGHT_DEFAULT, SHARE_RIGHT_READ, SHARE_RIGHT_WRITE };
struct share_entry {
	enum share_who who;
	enum share_right right;
	char name[256];                  /* without "@" and ":ro" */
	bool of_domain;                  /* name is "CORP\\anna" */
};
int share_entry_parse(const char *text, struct share_entry *ret) _must_check_;
/* Whom a name of a domain meant when it was written; NULL: nobody wrote that down. */
const char *share_sid_of(const struct share_spec *s, const char *name);

/* A text that grows; memory that runs out is remembered and reported once, by text_ok(). */
struct share_text {
	char *bytes;                     /* NUL-terminated once something was added */
	size_t len_bytes, room_bytes;
	bool failed;
};
void share_text_add(struct share_text *t, const char *fmt, ...) _printf_(2, 3);
void share_text_done(struct share_text *t);

#endif
