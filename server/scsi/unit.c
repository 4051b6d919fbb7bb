/* SPDX-License-Identifier: GPL-3.0-or-later */
/* unit.c - logical units: identity, mode parameters, and the events that every nexus must hear. */
#include "scsi/scsi_priv.h"

#include <string.h>

#include "scsi/copy_priv.h"
#include "scsi/mode_priv.h"

void unit_limits_refresh(struct scsi_unit *u)
{
	struct volume_limits l;
	volume_limits(u->volume, &l);
	uint32_t block = 1u << u->block_shift, most = l.max_io_bytes & ~(block - 1);
	atomic_store_explicit(&u->max_io_bytes, most ? most : block, memory_order_relaxed);
	atomic_store_explicit(&u->read_only, l.read_only || u->device == SCSI_CDROM, memory_order_relaxed);
	atomic_store_explicit(&u->unmap_zeroes, l.unmap_zeroes, memory_order_relaxed);
	atomic_store_explicit(&u->can_unmap, l.unmap_granularity_bytes != 0 && u->device != SCSI_CDROM, memory_order_relaxed);
}

/* ---- events, from any thread to every nexus ------------------------------------------------------ */
static void itl_hear(struct itl *i, unsigned events)
{
	if (events & EVENT_CAPACITY)
		ua_push(i, SCSI_ASC_CAPACITY_CHANGED);
	if (events & EVENT_MODE)
		ua_push(i, SCSI_ASC_MODE_CHANGED);
	if (events & EVENT_THIN)
		ua_push(i, SCSI_ASC_THIN_SOFT_LIMIT);
	if (events & EVENT_RESV_LOST)
		ua_push(i, SCSI_ASC_RESV_PREEMPTED);
	if (events & EVENT_MEDIUM)
		ua_push(i, SCSI_ASC_MEDIUM_CHANGED);
	if (events & EVENT_CLOCK)
		ua_push(i, SCSI_ASC_CLOCK_CHANGED);
	if (events & EVENT_INQUIRY)
		ua_push(i, SCSI_ASC_INQUIRY_CHANGED);
}

static void tell_here(const struct scsi_unit *u, unsigned events, const struct scsi_nexus *but)
{
	struct scsi_nexus *n;
	list_for_each(n, &home_here()->nexuses, link)
		for_each_itl(i, n)
			if (i->unit == u && n != but)
				itl_hear(i, events);
}

static bool events_visit(struct fan *f)
{
	struct scsi_unit *u = container_of(f, struct scsi_unit, fan);
	tell_here(u, u->fan_events, NULL);
	return true;
}

/* ---- events that a command causes: told before it is answered ------------------------------------ */
static bool tell_visit(struct fan *f)
{
	struct task *p = container_of(f, struct task, hold.fan);
	tell_here(task_unit(p), (unsigned)p->mark, p->itl->nexus);
	return true;
}

static void tell_over(struct fan *f)
{
	task_continue(container_of(f, struct task, hold.fan), 0);
}

static enum step told(struct scsi_task *t, struct task *p, int status)
{
	(void)t;
	(void)p;
	(void)status;
	return STEP_END;
}

enum step unit_tell_others(struct task *p, unsigned events)
{
	p->mark = events;
	p->next = told;
	p->hold.fan = (struct fan){ .home = p->itl->nexus->reactor, .visit = tell_visit, .over = tell_over };
	fan_start(&p->hold.fan);
	return STEP_WAIT;
}

bool unit_try_ref(struct scsi_unit *u)
{
	unsigned refs = atomic_load(&u->refs);
	while (refs)
		if (atomic_compare_exchange_weak(&u->refs, &refs, refs + 1))
			return true;
	return false;
}

static void events_fly(struct scsi_unit *u);

static void events_over(struct fan *f)
{
	struct scsi_unit *u = container_of(f, struct scsi_unit, fan);
	atomic_store(&u->fan_busy, false);
	events_fly(u);                   /* what came in meanwhile */
	scsi_unit_unref(u);
}

static void events_fly(struct scsi_unit *u)
{
	if (!atomic_load(&u->pending) || atomic_exchange(&u->fan_busy, true))
		return;
	u->fan_events = atomic_exchange(&u->pending, 0);
	if (!u->fan_events) {            /* the one before us took them */
		atomic_store(&u->fan_busy, false);
		if (atomic_load(&u->pending))
			events_fly(u);
		return;
	}
	if (!unit_try_ref(u))
		return;                  /* its last holder is just letting go */
	u->fan = (struct fan){ .visit = events_visit, .over = events_over };
	fan_start(&u->fan);
}

void unit_raise(struct scsi_unit *u, unsigned events)
{
	if (!room_is_open())
		return;
	atomic_fetch_or(&u->pending, events);
	events_fly(u);
}

static void volume_event(struct volume_watcher *w, struct volume *v, enum volume_event e)
{
	struct scsi_unit *u = container_of(w, struct scsi_unit, watcher);
	(void)v;
	switch (e) {
	case VOLUME_RESIZED:
		unit_limits_refresh(u);
		unit_raise(u, EVENT_CAPACITY);
		break;
	case VOLUME_LIMITS_CHANGED:
		/* Write protection and cache are mode parameters; the limits are in VPD B0. */
		unit_limits_refresh(u);
		unit_raise(u, EVENT_MODE | EVENT_INQUIRY);
		break;
	case VOLUME_STATE_CHANGED:
		unit_limits_refresh(u);  /* the answer to the next command tells the host */
		break;
	case VOLUME_FULL:
		unit_raise(u, EVENT_THIN);
		break;
	case VOLUME_RESERVATION:
		break;                   /* resv_change says who must hear; pr_out.c */
	case VOLUME_WRITES_LOST:
		break;                   /* flushes say so */
	}
}

/* What our own hosts did is told where it was done, before the answer. */
static void volume_lost(struct volume_watcher *w, struct volume *v, const struct resv_change *c, size_t count)
{
	(void)v;
	if (count && c[0].from != &scsi_resv_mark)
		pr_news_from_elsewhere(container_of(w, struct scsi_unit, watcher), c, count);
}

/* ---- life ------------------------------------------------------------------------------------------ */
static bool is_printable(const char *s, size_t most)
{
	size_t n = strlen(s);
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return n <= most;
}

int scsi_unit_new(const struct scsi_unit_spec *spec, struct scsi_unit **ret_unit)
{
	const char *vendor = spec->vendor ? spec->vendor : "HOLDFAST";
	const char *product = spec->product ? spec->product : "Volume";
	if (!is_printable(vendor, 8) || !is_printable(product, 16) ||
	    (spec->serial && (!*spec->serial || !is_printable(spec->serial, 36))))
		return -EINVAL;
	uint8_t naa[16] = { 0 }, naa_bytes = sizeof(naa);
	if (!spec->naa)
		identity_naa(volume_uuid(spec->volume), naa);
	else if (scsi_naa_parse(spec->naa, naa, &naa_bytes))
		return -EINVAL;
	uint32_t block = volume_block_bytes(spec->volume);
	if (!is_pow2(block) || block < 512 || block > BUF_PIECE_BYTES || (spec->device == SCSI_CDROM && block != 2048))
		return -EINVAL;
	struct scsi_unit *u = calloc(1, sizeof(*u));
	if (!u)
		return -ENOMEM;
	u->tokens = token_store_new();
	if (!u->tokens) {
		free(u);
		return -ENOMEM;
	}
	atomic_init(&u->refs, 1);
	memcpy(u->vendor, vendor, strlen(vendor)); /* lengths were checked above */
	memcpy(u->product, product, strlen(product));
	const uint8_t *uuid = volume_uuid(spec->volume);
	if (spec->serial)
		memcpy(u->serial, spec->serial, strlen(spec->serial));
	else
		for (unsigned i = 0; i < 16; i++) {
			u->serial[2 * i] = "0123456789abcdef"[uuid[i] >> 4];
			u->serial[2 * i + 1] = "0123456789abcdef"[uuid[i] & 15];
		}
	memcpy(u->naa, naa, sizeof(naa));
	u->naa_bytes = naa_bytes;
	u->device = (uint8_t)spec->device;
	u->physical_bytes = spec->physical_bytes > block ? spec->physical_bytes : block;
	u->block_shift = (unsigned)__builtin_ctz(block);
	u->volume = volume_ref(spec->volume);
	atomic_init(&u->sanitize, volume_wipe(u->volume) ? SANITIZE_FAILED : SANITIZE_NONE);
	unit_limits_refresh(u);
	pthread_mutex_init(&u->saved.lock, NULL);
	pthread_mutex_init(&u->saved.saving, NULL);
	if (spec->modes && *spec->modes && mode_saved_load(u, spec->modes))
		log_error(&log_scsi, "saved mode pages cannot be read, continuing with the defaults", "volume=%s", volume_name(u->volume));
	u->watcher.event = volume_event;
	u->watcher.lost = volume_lost;
	volume_watch(u->volume, &u->watcher);
	*ret_unit = u;
	return 0;
}

struct scsi_unit *scsi_unit_ref(struct scsi_unit *u)
{
	atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
	return u;
}

void scsi_unit_unref(struct scsi_unit *u)
{
	if (!u || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
		return;
	token_store_free(u);
	volume_unwatch(u->volume, &u->watcher);
	volume_unref(u->volume);
	pthread_mutex_destroy(&u->saved.lock);
	pthread_mutex_destroy(&u->saved.saving);
	free(u);
}

struct volume *scsi_unit_volume(struct scsi_unit *u)
{
	return u->volume;
}
