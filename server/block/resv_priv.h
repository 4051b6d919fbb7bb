/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resv_priv.h - reservations inside of block/: an immutable table, the rules that make the next
 * one, its text form, and the queue of requests per volume. */
#ifndef HOLDFAST_BLOCK_RESV_PRIV_H
#define HOLDFAST_BLOCK_RESV_PRIV_H

#include "block/block_priv.h"

#define RESV_REGISTRANTS_MAX 1024

struct resv_table {                      /* never changed once it is in force */
	uint32_t generation;
	enum resv_type type;
	bool aptpl;
	size_t count;
	struct resv_registrant reg[];    /* holder: only the holder of types 1, 3, 5, 6 is marked */
};
struct resv_changes {
	struct resv_change *list;        /* owned */
	size_t count;
};

/* The rules, pure.  0: *ret_next is the new table (owned), or NULL when nothing changes.
 * -EACCES conflict, -EINVAL, -ENOSPC, -ENOMEM. */
int resv_apply(const struct resv_table *now, const struct resv_request *rq, struct resv_table **ret_next,
	       struct resv_changes *ret_changes);
bool resv_type_is_valid(enum resv_type t);
static inline bool resv_type_is_all(enum resv_type t)
{
	return t == RESV_WRITE_EXCLUSIVE_ALL_REG || t == RESV_EXCLUSIVE_ACCESS_ALL_REG;
}
bool resv_id_equal(const struct resv_id *a, const struct resv_id *b);
const struct resv_registrant *resv_find(const struct resv_table *t, const struct resv_id *id);
bool resv_is_holder(const struct resv_table *t, const struct resv_registrant *r);
bool resv_table_allows(const struct resv_table *t, const struct resv_id *id, enum resv_access a);

/* Text form; "" when there is nothing to keep.  Returns owned. */
char *resv_to_text(const struct resv_table *t);
int resv_from_text(const char *text, struct resv_table **ret_table);

#endif
