/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode_priv.h - rows of mode_pages.c, read by mode_sense.c and mode_select.c. */
#ifndef HOLDFAST_SCSI_MODE_PRIV_H
#define HOLDFAST_SCSI_MODE_PRIV_H

#include "scsi/ops_priv.h"

enum mode_values { MODE_CURRENT = 0, MODE_CHANGEABLE = 1, MODE_DEFAULT = 2, MODE_SAVED = 3 };
struct mode_page {
	uint8_t code, subpage, len_bytes;        /* length with its header of 2 or 4 bytes */
	bool thin, cd;                           /* only on volumes that can unmap; only CD-ROM drives */
	bool cache;                              /* changeable only where the backend has a cache */
	uint8_t changeable[MODE_PAGE_MAX];       /* which bits a host may change */
	void (*fill)(const struct scsi_unit *u, bool defaults, uint8_t *page);
	void (*apply)(struct scsi_unit *u, const uint8_t *page);         /* those that have it can be saved */
	void (*reset)(struct scsi_unit *u);      /* to the default; NULL: apply() does it */
};
extern const struct mode_page mode_pages[];
extern const size_t mode_page_count;
void mode_page_read(const struct mode_page *m, const struct scsi_unit *u, enum mode_values which,
		    uint8_t to[MODE_PAGE_MAX]);
bool mode_page_is_here(const struct mode_page *m, const struct scsi_unit *u);
uint8_t mode_page_changeable(const struct mode_page *m, const struct scsi_unit *u, unsigned byte);
/* Mode parameters as after power on: saved ones, else defaults. */
void mode_reset(struct scsi_unit *u);
/* A page that begins with 0 is not saved.  The text is pages as MODE SELECT has them, in hexadecimal. */
void mode_saved_set(struct scsi_unit *u, const uint8_t pages[MODE_PAGES][MODE_PAGE_MAX]);
#define MODE_SAVED_TEXT (2 * MODE_PAGES * MODE_PAGE_MAX + 1)
void mode_saved_write(const uint8_t pages[MODE_PAGES][MODE_PAGE_MAX], char text[MODE_SAVED_TEXT]);
int mode_saved_load(struct scsi_unit *u, const char *text) _must_check_; /* and makes them current; -EINVAL */

#endif
