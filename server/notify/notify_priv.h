/* SPDX-License-Identifier: GPL-3.0-or-later */
/* notify_priv.h - what the files of notify/ share: a text that grows. */
#ifndef HOLDFAST_NOTIFY_PRIV_H
#define HOLDFAST_NOTIFY_PRIV_H

#include "notify/notify.h"

/* Zeroed is empty; running out of memory is remembered and told once, by buf_take(). */
struct buf {
	char *p;
	size_t len, room;
	bool is_bad;
};
void buf_add(struct buf *b, const char *p, size_t len);
void buf_text(struct buf *b, const char *s);
void buf_print(struct buf *b, const char *fmt, ...) _printf_(2, 3);
char *buf_take(struct buf *b);           /* owned; NULL: no memory */

#endif
