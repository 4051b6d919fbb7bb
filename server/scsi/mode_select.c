/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mode_select.c - MODE SELECT(6) and (10): checked whole, then applied, with SP saved first.  SPC-4 6.10, 6.11, 7.5.4.
 *
 * The command goes to its end once it has begun.  A cache that is turned off is off first, then what was in it
 * becomes durable, then the host hears GOOD. */
#include "scsi/mode_priv.h"

#include <string.h>

#include "core/bytes.h"

static enum scsi_result parse_common(struct scsi_task *t, struct task *p, uint32_t len, unsigned header)
{
	if (!(t->cdb[1] & SCSI_MODE_PF))
		return cdb_field(p, 1, 4);       /* vendor's own format: we have none */
	if (len && len < header)
		return RES_PARAM_LIST_LENGTH;
	return parse_data_out(p, len);
}

enum scsi_result parse_mode_select_6(struct scsi_task *t, struct task *p)
{
	return parse_common(t, p, t->cdb[4], 4);
}

enum scsi_result parse_mode_select_10(struct scsi_task *t, struct task *p)
{
	return parse_common(t, p, (uint32_t)(t->cdb[7] << 8 | t->cdb[8]), 8);
}

/* The only descriptor that is taken says what is so already: the format cannot be changed. */
static bool descriptor_fits(const struct task *p, const uint8_t *d, bool is_long)
{
	uint64_t count = volume_block_count(task_volume(p)), said;
	uint32_t block = 1u << task_unit(p)->block_shift, said_block;
	if (is_long) {
		be64 c;
		be32 b;
		memcpy(&c, d, sizeof(c));
		memcpy(&b, d + 12, sizeof(b));
		said = be64_get(c);
		said_block = be32_get(b);
		return (said == count || said == 0 || said == UINT64_MAX) && said_block == block;
	}
	be32 c;
	be24 b;
	memcpy(&c, d, sizeof(c));
	memcpy(&b, d + 5, sizeof(b));
	said = be32_get(c);
	said_block = be24_get(b);
	return (said == 0 || said == UINT32_MAX || said == count) && said_block == block;
}

static const struct mode_page *page_find(const struct scsi_unit *u, unsigned code, unsigned sub)
{
	for (size_t i = 0; i < mode_page_count; i++)
		if (mode_pages[i].code == code && mode_pages[i].subpage == sub && mode_page_is_here(&mode_pages[i], u))
			return &mode_pages[i];
	return NULL;
}

/* One page at b[at]: checks it and, when asked, applies it.  Returns its length; 0: refused. */
static unsigned take_page(struct task *p, const uint8_t *b, unsigned at, unsigned len, bool apply, bool *ret_changed)
{
	struct scsi_unit *u = task_unit(p);
	bool has_sub = b[at] & SCSI_MP_SPF;
	unsigned header = has_sub ? 4 : 2;
	if (len - at < header) {
		(void)task_fail(p, RES_PARAM_LIST_LENGTH);
		return 0;
	}
	const struct mode_page *m = page_find(u, b[at] & 0x3f, has_sub ? b[at + 1] : 0);
	unsigned said = header + (has_sub ? (unsigned)(b[at + 2] << 8 | b[at + 3]) : b[at + 1]);
	if (!m) {
		(void)task_fail_param(p, at, 5);
		return 0;
	}
	if (said != m->len_bytes) {
		(void)task_fail_param(p, at + (has_sub ? 2 : 1), -1);
		return 0;
	}
	if (len - at < said) {
		(void)task_fail(p, RES_PARAM_LIST_LENGTH);
		return 0;
	}
	uint8_t now[MODE_PAGE_MAX];
	mode_page_read(m, u, MODE_CURRENT, now);
	for (unsigned i = header; i < said; i++) {
		uint8_t differs = b[at + i] ^ now[i];
		uint8_t wrong = differs & (uint8_t)~mode_page_changeable(m, u, i);
		if (wrong) {
			(void)task_fail_param(p, at + i, 31 - __builtin_clz(wrong));
			return 0;
		}
		*ret_changed |= differs != 0;
	}
	if (apply && m->apply)
		m->apply(u, b + at);
	return said;
}

static bool take_pages(struct task *p, const uint8_t *b, unsigned at, unsigned len, bool apply, bool *ret_changed)
{
	while (at < len) {
		unsigned some = take_page(p, b, at, len, apply, ret_changed);
		if (!some)
			return false;
		at += some;
	}
	return true;
}

/* ---- saved ------------------------------------------------------------------------------------------------ */
static struct {
	pthread_mutex_t mutex;
	scsi_save_modes_fn *fn;
	void *arg;
} keeper = { .mutex = PTHREAD_MUTEX_INITIALIZER };

void scsi_on_save_modes(scsi_save_modes_fn *fn, void *arg)
{
	pthread_mutex_lock(&keeper.mutex);
	keeper.fn = fn;
	keeper.arg = arg;
	pthread_mutex_unlock(&keeper.mutex);
}

/* Where pages begin in a list that was checked, and how long the one at b is. */
static unsigned pages_at(const struct task *p)
{
	const uint8_t *b = p->piece[0].iov_base;
	bool ten = p->t->cdb[0] == SCSI_MODE_SELECT_10;
	if (!p->t->data_len_bytes)
		return 0;
	return ten ? 8 + (unsigned)(b[6] << 8 | b[7]) : 4u + b[3];
}

static unsigned page_bytes(const uint8_t *b)
{
	return b[0] & SCSI_MP_SPF ? 4u + (unsigned)(b[2] << 8 | b[3]) : 2u + b[1];
}

static bool is_page(const struct mode_page *m, const uint8_t *b)
{
	return (b[0] & 0x3f) == m->code && (b[0] & SCSI_MP_SPF ? b[1] : 0) == m->subpage;
}

/* What will be current once the list is applied.  A page that is as by default is not kept: another default counts then. */
static void fill_saved(const struct task *p, uint8_t pages[MODE_PAGES][MODE_PAGE_MAX])
{
	const struct scsi_unit *u = task_unit(p);
	const uint8_t *b = p->piece[0].iov_base;
	for (size_t k = 0; k < mode_page_count; k++) {
		const struct mode_page *m = &mode_pages[k];
		uint8_t defaults[MODE_PAGE_MAX];
		if (!m->apply || !mode_page_is_here(m, u))
			continue;
		mode_page_read(m, u, MODE_CURRENT, pages[k]);
		mode_page_read(m, u, MODE_DEFAULT, defaults);
		for (unsigned at = pages_at(p); at < p->t->data_len_bytes; at += page_bytes(b + at))
			if (is_page(m, b + at))
				memcpy(pages[k] + 1, b + at + 1, m->len_bytes - 1u);
		if (memcmp(pages[k], defaults, m->len_bytes) == 0)
			memset(pages[k], 0, MODE_PAGE_MAX);
	}
}

/* p->mark2: the error of making it durable. */
static void save(struct work *w)
{
	struct task *p = container_of(w, struct task, work);
	struct scsi_unit *u = task_unit(p);
	uint8_t pages[MODE_PAGES][MODE_PAGE_MAX] = { 0 };
	char text[MODE_SAVED_TEXT];
	pthread_mutex_lock(&keeper.mutex);
	scsi_save_modes_fn *fn = keeper.fn;
	void *arg = keeper.arg;
	pthread_mutex_unlock(&keeper.mutex);
	pthread_mutex_lock(&u->saved.saving);
	fill_saved(p, pages);
	mode_saved_write(pages, text);
	int r = fn ? fn(arg, volume_uuid_text(u->volume), text) : 0;
	if (!r)
		mode_saved_set(u, pages);
	pthread_mutex_unlock(&u->saved.saving);
	p->mark2 = (uint64_t)-r;
}

static void saved(struct work *w)
{
	task_continue(container_of(w, struct task, work), 0);
}

/* ---- the command -------------------------------------------------------------------------------------------- */
enum { CHANGES = 1, CACHE_GOES = 2 };    /* p->mark */

static enum step give_up(struct task *p, enum scsi_result r)
{
	if (p->mark & CACHE_GOES)
		volume_set_write_through(task_volume(p), false);
	return task_fail(p, r);
}

static enum step apply(struct scsi_task *t, struct task *p, int status)
{
	bool ignored = false;
	(void)status;
	if (t->cdb[1] & SCSI_MODE_SP && p->mark2)
		return give_up(p, RES_INTERNAL);
	if (!(p->mark & CHANGES))
		return STEP_END;
	(void)take_pages(p, p->piece[0].iov_base, pages_at(p), (unsigned)t->data_len_bytes, true, &ignored);
	return unit_tell_others(p, EVENT_MODE);
}

static enum step save_or_apply(struct scsi_task *t, struct task *p)
{
	if (!(t->cdb[1] & SCSI_MODE_SP))
		return apply(t, p, 0);
	p->next = apply;
	p->work = (struct work){ .work = save, .done = saved };
	reactor_work(p->itl->nexus->reactor, &p->work);
	return STEP_WAIT;
}

static enum step cache_is_empty(struct scsi_task *t, struct task *p, int status)
{
	return status ? give_up(p, RES_WRITE_ERROR) : save_or_apply(t, p);
}

static enum step nothing_in_flight(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)status;
	p->io.op = VOLUME_FLUSH;
	p->io.flags = 0;
	p->io.iov_count = 0;
	p->io.lba = p->io.count_blocks = 0;
	return task_io(p, cache_is_empty);
}

static void barrier_over(struct volume_barrier *b)
{
	task_continue(container_of(b, struct task, barrier), 0);
}

/* Does the list turn the cache off? */
static bool cache_goes(const struct task *p)
{
	const uint8_t *b = p->piece[0].iov_base;
	bool goes = false;
	for (unsigned at = pages_at(p); at < p->t->data_len_bytes; at += page_bytes(b + at))
		if ((b[at] & 0x3f) == SCSI_MP_CACHING) {
			uint8_t now[MODE_PAGE_MAX];
			mode_page_read(page_find(task_unit(p), SCSI_MP_CACHING, 0), task_unit(p), MODE_CURRENT, now);
			goes = now[2] & ~b[at + 2] & SCSI_CACHE_WCE;     /* the last one counts */
		}
	return goes;
}

enum step run_mode_select(struct scsi_task *t, struct task *p, int status)
{
	bool ten = t->cdb[0] == SCSI_MODE_SELECT_10;
	unsigned header = ten ? 8 : 4, len = (unsigned)t->data_len_bytes;
	(void)status;
	p->mark = p->mark2 = 0;
	if (!len)
		return save_or_apply(t, p);
	const uint8_t *b = p->piece[0].iov_base;
	unsigned desc = ten ? (unsigned)(b[6] << 8 | b[7]) : b[3];
	bool is_long = ten && b[4] & 1;
	if (desc > len - header)
		return task_fail(p, RES_PARAM_LIST_LENGTH);
	if (desc && desc != (is_long ? 16 : 8))
		return task_fail_param(p, ten ? 6 : 3, -1);
	if (desc && !descriptor_fits(p, b + header, is_long))
		return task_fail_param(p, header, -1);
	bool changed = false;
	if (!take_pages(p, b, header + desc, len, false, &changed))
		return STEP_END;
	p->mark = changed ? CHANGES : 0;
	if (!cache_goes(p))
		return save_or_apply(t, p);
	p->mark |= CACHE_GOES;
	volume_set_write_through(task_volume(p), true);
	p->next = nothing_in_flight;
	p->barrier = (struct volume_barrier){ .done = barrier_over };
	volume_barrier(task_volume(p), &p->barrier);
	return STEP_WAIT;
}
