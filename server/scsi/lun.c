/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lun.c - LUNs on the wire, and the immutable map from a LUN to its unit.  SAM-5 4.7. */
#include "scsi/scsi_priv.h"

#include <string.h>

int lun_decode(const uint8_t wire[8], uint16_t *ret_lun)
{
	static const uint8_t zero[6];
	if (memcmp(wire + 2, zero, sizeof(zero)))
		return -EINVAL;          /* second and later levels: we have one */
	switch (wire[0] >> 6) {
	case SCSI_LUN_PERIPHERAL:
		if (wire[0])
			return -EINVAL;  /* a bus behind us */
		*ret_lun = wire[1];
		return 0;
	case SCSI_LUN_FLAT:
		*ret_lun = (uint16_t)((wire[0] & 0x3fu) << 8 | wire[1]);
		return 0;
	default:
		return -EINVAL;
	}
}

void lun_encode(uint16_t lun, uint8_t wire[8])
{
	memset(wire, 0, 8);
	wire[0] = (uint8_t)(lun >> 8);
	wire[1] = (uint8_t)lun;
	if (lun > 255)
		wire[0] |= SCSI_LUN_FLAT << 6;
}

static void map_free(struct scsi_lun_map *m)
{
	for (size_t i = 0; m->entry && i < m->count; i++)
		scsi_unit_unref(m->entry[i].unit);
	free(m->entry);
	free(m->slot);
	free(m->path);
	free(m);
}
DEFINE_FREEP(struct scsi_lun_map, map_free)

static int by_lun(const void *a, const void *b)
{
	const struct scsi_lun_entry *x = a, *y = b;
	return (x->lun > y->lun) - (x->lun < y->lun);
}

int scsi_lun_map_new(const struct scsi_lun_entry *e, size_t count, struct scsi_lun_map **ret_map)
{
	_cleanup_(map_freep) struct scsi_lun_map *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	atomic_init(&m->refs, 1);
	if (count > SCSI_LUN_MAX + 1)
		return -EINVAL;
	if (count) {
		m->entry = calloc(count, sizeof(*m->entry));
		if (!m->entry)
			return -ENOMEM;
		for (size_t i = 0; i < count; i++) {
			if (!e[i].unit || e[i].lun > SCSI_LUN_MAX)
				return -EINVAL;
			m->entry[i] = e[i];
			scsi_unit_ref(e[i].unit);
			m->count = i + 1;
		}
		qsort(m->entry, count, sizeof(*m->entry), by_lun);
		for (size_t i = 1; i < count; i++)
			if (m->entry[i].lun == m->entry[i - 1].lun)
				return -EINVAL;
		m->slot_count = (uint16_t)(m->entry[count - 1].lun + 1);
		m->slot = calloc(m->slot_count, sizeof(*m->slot));
		if (!m->slot)
			return -ENOMEM;
		for (size_t i = 0; i < count; i++)
			m->slot[m->entry[i].lun] = (uint16_t)(i + 1);
	}
	*ret_map = TAKE(m);
	return 0;
}

struct scsi_lun_map *scsi_lun_map_ref(struct scsi_lun_map *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void scsi_lun_map_unref(struct scsi_lun_map *m)
{
	if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
		map_free(m);
}

size_t scsi_lun_map_count(const struct scsi_lun_map *m)
{
	return m->count;
}

static int by_group(const void *a, const void *b)
{
	const struct scsi_path *x = a, *y = b;
	return (x->group > y->group) - (x->group < y->group);
}

int scsi_lun_map_set_paths(struct scsi_lun_map *m, const struct scsi_path *p, size_t count)
{
	struct scsi_path *copy = calloc(count + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		copy[i] = p[i];
	qsort(copy, count, sizeof(*copy), by_group);
	free(m->path);
	m->path = copy;
	m->path_count = count;
	return 0;
}

void scsi_lun_map_let_hosts_set_paths(struct scsi_lun_map *m)
{
	m->hosts_set_paths = true;
}

bool scsi_lun_map_same_paths(const struct scsi_lun_map *a, const struct scsi_lun_map *b)
{
	if (a->hosts_set_paths != b->hosts_set_paths || !lun_map_same_states(a, b))
		return false;
	for (size_t i = 0; i < a->path_count; i++)
		if (a->path[i].by_host != b->path[i].by_host)
			return false;
	return true;
}

bool lun_map_same_states(const struct scsi_lun_map *a, const struct scsi_lun_map *b)
{
	if (a->path_count != b->path_count)
		return false;
	for (size_t i = 0; i < a->path_count; i++)
		if (a->path[i].group != b->path[i].group || a->path[i].state != b->path[i].state)
			return false;
	return true;
}

uint8_t lun_map_path_state(const struct scsi_lun_map *m, uint16_t group)
{
	for (size_t i = 0; i < m->path_count; i++)
		if (m->path[i].group == group)
			return m->path[i].state;
	return SCSI_PATH_OPTIMIZED;
}

int lun_map_find(const struct scsi_lun_map *m, uint16_t lun)
{
	return lun < m->slot_count ? m->slot[lun] - 1 : -1;
}

bool lun_map_has_unit(const struct scsi_lun_map *m, const struct scsi_unit *u)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->entry[i].unit == u)
			return true;
	return false;
}
