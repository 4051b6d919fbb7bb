/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nas_priv.h - what the files of control/ that deal with shares have in common. */
#ifndef HOLDFAST_CONTROL_NAS_PRIV_H
#define HOLDFAST_CONTROL_NAS_PRIV_H

#include "control/control_priv.h"
#include "share/share.h"

/* ---- world.c --------------------------------------------------------------------------------------------- */
enum { NAS_SHARES, NAS_USERS, NAS_GROUPS, NAS_QUOTAS, NAS_PORTALS, NAS_POOLS, NAS_ROWS };
struct piece;
struct nas_world {
	struct share_world world;        /* borrows from what follows */
	json_t *rows[NAS_ROWS];          /* owned */
	struct piece *pieces;            /* owned; wiped */
	bool failed;                     /* out of memory on the way */
};
/* From the rows as they are in the store now, in an open transaction also from those that are not committed.
 * nas_world_done() also after an error. */
int nas_world_build(struct nas_world *h, struct config_error *e) _must_check_;
void nas_world_done(struct nas_world *h);

/* ---- domain.c --------------------------------------------------------------------------------------------- */
/* Is this entry of allow or deny one of the domain: CORP\anna, @CORP\staff, anna@corp.example.com? */
bool domain_entry(const char *entry);

/* ---- runtime_share.c --------------------------------------------------------------------------------------- */
/* For the tests: called instead of share_check() (apply false) and share_apply(). */
extern int (*nas_test_hook)(const struct share_world *w, bool apply, char *why, size_t why_bytes);
/* The folder of a row, of a pool by its id or name. */
int share_folder_of(const json_t *row, char *buf, size_t buf_bytes);

#endif
