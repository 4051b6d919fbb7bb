/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nfs_priv.h - NFS inside share/: from rows to the description that the keeper takes. */
#ifndef HOLDFAST_SHARE_NFS_PRIV_H
#define HOLDFAST_SHARE_NFS_PRIV_H

#include "share/share_priv.h"

/* The description of a world (broker/nfs_priv.h has its words).  A share that cannot be described is left out, and
 * failed() is told why.  identity: what the server calls itself, the same after every start. */
void nfs_describe(struct share_text *t, const struct share_world *w, const char *identity,
		  void (*failed)(const struct share_spec *s, const char *why));
/* "10.0.0.0/24:ro:root" taken apart.  -EINVAL. */
struct nfs_who {
	char who[256];
	bool read_only, read_write, root;
};
int nfs_who_parse(const char *text, struct nfs_who *ret) _must_check_;
/* Is this share described at all? */
bool nfs_is_served(const struct share_spec *s);

/* nfs_session.c: the answer of nfs-clients as sessions, with the names of shares that they use (see there).
 * described: by nfs_describe().  was_used: was anything moved on that export since then? */
void nfs_sessions_append(json_t *array, const char *answer, const char *described, bool (*was_used)(unsigned id, int64_t since_s));
/* Does a client's address fit "10.0.0.0/24", "fd00::1", "*"?  1, 0; -1: a name or a netgroup, so it may. */
int nfs_who_fits(const char *who, const char *address);

#endif
