/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode_pages.c - the mode pages: one row each, with what it says and what a host may change.
 * SPC-4 7.5, SBC-3 6.5.  What a host may change it may also save: then it is so after a reset of the unit and a
 * restart, too.  Of what was saved only the changeable bits count. */
#include "scsi/mode_priv.h"

#include <string.h>

#include "core/hex.h"

/* 08h, SBC-3 6.5.5.  WCE says whether a write may be lost by a power cut before a flush.  Where the backend has such
 * a cache a host may turn it off: then every write is durable before it is answered, whoever writes. */
static bool has_cache(const struct scsi_unit *u)
{
	struct volume_limits l;
	volume_limits(u->volume, &l);
	return l.volatile_cache;
}

static void fill_caching(const struct scsi_unit *u, bool defaults, uint8_t *b)
{
	b[2] = has_cache(u) && (defaults || !volume_write_through(u->volume)) ? SCSI_CACHE_WCE : 0;
}

static void apply_caching(struct scsi_unit *u, const uint8_t *b)
{
	volume_set_write_through(u->volume, !(b[2] & SCSI_CACHE_WCE) && has_cache(u));
}

/* 0Ah, SPC-4 7.5.8.  A task set per nexus, unrestricted reordering, QErr 0: an error aborts nobody else. */
static void fill_control(const struct scsi_unit *u, bool defaults, uint8_t *b)
{
	b[2] = SCSI_CTRL_TST_NEXUS | SCSI_CTRL_GLTSD;
	b[3] = 0x10;
	if (defaults)
		return;
	b[2] |= atomic_load(&u->d_sense) ? SCSI_CTRL_D_SENSE : 0;
	b[4] = atomic_load(&u->swp) ? SCSI_CTRL_SWP : 0;
	b[5] = atomic_load(&u->tas) ? SCSI_CTRL_TAS : 0;
}

static void apply_control(struct scsi_unit *u, const uint8_t *b)
{
	atomic_store(&u->d_sense, b[2] & SCSI_CTRL_D_SENSE);
	atomic_store(&u->swp, b[4] & SCSI_CTRL_SWP);
	atomic_store(&u->tas, b[5] & SCSI_CTRL_TAS);
}

/* 0Ah/01h, SPC-4 7.5.9: IALUAE, the target may change access states by itself */
static void fill_control_ext(const struct scsi_unit *u, bool defaults, uint8_t *b)
{
	(void)u;
	(void)defaults;
	b[4] = 0x01;
}

/* 1Ch, SPC-4 7.5.11: DEXCPT, no informational exceptions are reported */
static void fill_exceptions(const struct scsi_unit *u, bool defaults, uint8_t *b)
{
	(void)u;
	(void)defaults;
	b[2] = 0x08;
}

/* 1Ch/02h, SBC-3 6.5.9: one unit attention for all nexuses; one threshold, of what is still available */
enum { LBP_DESCRIPTOR = 16 };
static void fill_lbp(const struct scsi_unit *u, bool defaults, uint8_t *b)
{
	uint32_t sets;
	bool on = thin_threshold(u, defaults, &sets);
	be32 count = be32_of(sets);
	b[4] = SCSI_LBP_SITUA;
	b[LBP_DESCRIPTOR] = on ? SCSI_LBP_ENABLED : 0;
	b[LBP_DESCRIPTOR + 1] = SCSI_LBP_AVAILABLE;
	memcpy(b + LBP_DESCRIPTOR + 4, &count, sizeof(count));
}

static void apply_lbp(struct scsi_unit *u, const uint8_t *b)
{
	be32 count;
	memcpy(&count, b + LBP_DESCRIPTOR + 4, sizeof(count));
	thin_threshold_set(u, b[LBP_DESCRIPTOR] & SCSI_LBP_ENABLED, be32_get(count));
}

/* 2Ah, MMC-3 5.5.10: reads CD-R, CD-RW and DVD-ROM; a tray that opens and locks; 8x */
static void fill_cd(const struct scsi_unit *u, bool defaults, uint8_t *b)
{
	(void)defaults;
	b[2] = 0x0b;
	b[6] = (uint8_t)(0x29 | (atomic_load(&u->prevents) ? 0x02 : 0));
	b[8] = b[14] = 0x05;
	b[9] = b[15] = 0x80;
}

const struct mode_page mode_pages[] = {
	{ .code = SCSI_MP_RECOVERY, .len_bytes = 12 },
	{ .code = SCSI_MP_CACHING, .len_bytes = 20, .fill = fill_caching, .apply = apply_caching, .cache = true,
	  .changeable = { [2] = SCSI_CACHE_WCE } },
	{ .code = SCSI_MP_CONTROL, .len_bytes = 12, .fill = fill_control, .apply = apply_control,
	  .changeable = { [2] = SCSI_CTRL_D_SENSE, [4] = SCSI_CTRL_SWP, [5] = SCSI_CTRL_TAS } },
	{ .code = SCSI_MP_CONTROL, .subpage = SCSI_MSP_CONTROL_EXT, .len_bytes = 32, .fill = fill_control_ext },
	{ .code = SCSI_MP_EXCEPTIONS, .len_bytes = 12, .fill = fill_exceptions },
	{ .code = SCSI_MP_EXCEPTIONS, .subpage = SCSI_MSP_LBP, .len_bytes = 24, .thin = true, .fill = fill_lbp, .apply = apply_lbp,
	  .reset = thin_threshold_reset,
	  .changeable = { [LBP_DESCRIPTOR] = SCSI_LBP_ENABLED, [LBP_DESCRIPTOR + 4] = 0xff, 0xff, 0xff, 0xff } },
	{ .code = SCSI_MP_CD, .len_bytes = 22, .cd = true, .fill = fill_cd },
};
const size_t mode_page_count = ARRAY_COUNT(mode_pages);
static_assert(ARRAY_COUNT(mode_pages) <= MODE_PAGES, "scsi_priv.h");

uint8_t mode_page_changeable(const struct mode_page *m, const struct scsi_unit *u, unsigned byte)
{
	return m->cache && !has_cache(u) ? 0 : m->changeable[byte];
}

/* ---- what was saved ------------------------------------------------------------------------------------- */
/* False: nothing was, the page is as it came to us. */
static bool overlay_saved(const struct mode_page *m, const struct scsi_unit *u, uint8_t *page)
{
	struct mode_saved *s = (struct mode_saved *)(uintptr_t)&u->saved;
	size_t at = (size_t)(m - mode_pages);
	pthread_mutex_lock(&s->lock);
	bool found = s->has[at];
	for (unsigned i = 0; found && i < m->len_bytes; i++) {
		uint8_t may = mode_page_changeable(m, u, i);
		page[i] = (uint8_t)((page[i] & ~may) | (s->page[at][i] & may));
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

void mode_saved_set(struct scsi_unit *u, const uint8_t pages[MODE_PAGES][MODE_PAGE_MAX])
{
	pthread_mutex_lock(&u->saved.lock);
	for (size_t k = 0; k < mode_page_count; k++) {
		u->saved.has[k] = pages[k][0];
		memcpy(u->saved.page[k], pages[k], MODE_PAGE_MAX);
	}
	pthread_mutex_unlock(&u->saved.lock);
}

void mode_saved_write(const uint8_t pages[MODE_PAGES][MODE_PAGE_MAX], char text[MODE_SAVED_TEXT])
{
	*text = '\0';
	for (size_t k = 0; k < mode_page_count; k++)
		if (pages[k][0]) {
			hex_write(pages[k], mode_pages[k].len_bytes, text);
			text += 2u * mode_pages[k].len_bytes;
		}
}

int mode_saved_load(struct scsi_unit *u, const char *text)
{
	uint8_t pages[MODE_PAGES][MODE_PAGE_MAX] = { 0 }, b[MODE_SAVED_TEXT / 2];
	size_t len;
	if (hex_read_some(text, b, sizeof(b), &len))
		return -EINVAL;
	for (size_t at = 0; at < len;) {
		bool has_sub = b[at] & SCSI_MP_SPF;
		size_t header = has_sub ? 4 : 2, k;
		if (len - at < header)
			return -EINVAL;
		size_t said = header + (has_sub ? (size_t)(b[at + 2] << 8 | b[at + 3]) : b[at + 1]);
		if (len - at < said)
			return -EINVAL;
		for (k = 0; k < mode_page_count; k++)
			if (mode_pages[k].code == (b[at] & 0x3f) && mode_pages[k].subpage == (has_sub ? b[at + 1] : 0) && mode_pages[k].len_bytes == said)
				memcpy(pages[k], b + at, said);
		at += said;              /* a page that we no longer have is left out */
	}
	mode_saved_set(u, pages);
	mode_reset(u);
	return 0;
}

void mode_page_read(const struct mode_page *m, const struct scsi_unit *u, enum mode_values which,
		    uint8_t to[MODE_PAGE_MAX])
{
	memset(to, 0, MODE_PAGE_MAX);
	if (which == MODE_CHANGEABLE)
		for (unsigned i = 0; i < m->len_bytes; i++)
			to[i] = mode_page_changeable(m, u, i);
	else if (m->fill)
		m->fill(u, which != MODE_CURRENT, to);
	if (which == MODE_SAVED)
		(void)overlay_saved(m, u, to);
	if (m->subpage) {
		to[0] = m->code | SCSI_MP_SPF;
		to[1] = m->subpage;
		to[2] = 0;
		to[3] = (uint8_t)(m->len_bytes - 4);
	} else {
		to[0] = m->code;
		to[1] = (uint8_t)(m->len_bytes - 2);
	}
	to[0] |= m->apply ? SCSI_MP_PS : 0;
}

bool mode_page_is_here(const struct mode_page *m, const struct scsi_unit *u)
{
	return (!m->thin || atomic_load(&u->can_unmap)) && (!m->cd || u->device == SCSI_CDROM);
}

void mode_reset(struct scsi_unit *u)
{
	for (size_t k = 0; k < mode_page_count; k++) {
		const struct mode_page *m = &mode_pages[k];
		uint8_t page[MODE_PAGE_MAX];
		if (!m->apply)
			continue;
		mode_page_read(m, u, MODE_DEFAULT, page);
		if (overlay_saved(m, u, page) || !m->reset)
			m->apply(u, page);
		else
			m->reset(u);
	}
}
