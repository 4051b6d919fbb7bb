/* SPDX-License-Identifier: GPL-3.0-or-later */
/* map.c - the immutable map from NSID to namespace. */
#include "nvme/nvme_priv.h"

static void map_free(struct nvme_ns_map *m)
{
	for (size_t i = 0; m->entry && i < m->count; i++)
		ns_put(m->entry[i].ns);
	free(m->entry);
	free(m->slot);
	free(m);
}
DEFINE_FREEP(struct nvme_ns_map, map_free)

static int by_nsid(const void *a, const void *b)
{
	const struct ns_slot *x = a, *y = b;
	return (x->nsid > y->nsid) - (x->nsid < y->nsid);
}

int nvme_ns_map_new(const struct nvme_ns_entry *e, size_t count, struct nvme_ns_map **ret_map)
{
	_cleanup_(map_freep) struct nvme_ns_map *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	atomic_init(&m->refs, 1);
	if (count > NVME_NSID_MAX)
		return -EINVAL;
	if (count) {
		m->entry = calloc(count, sizeof(*m->entry));
		if (!m->entry)
			return -ENOMEM;
		for (size_t i = 0; i < count; i++) {
			if (!e[i].volume || !e[i].nsid || e[i].nsid > NVME_NSID_MAX)
				return -EINVAL;
			struct ns *s;
			int r = ns_get(e[i].volume, &s);
			if (r)
				return r;
			m->entry[i] = (struct ns_slot){ .nsid = e[i].nsid, .read_only = e[i].read_only, .ns = s,
							.ana_group = e[i].ana_group ? e[i].ana_group : 1 };
			m->count = i + 1;
		}
		qsort(m->entry, count, sizeof(*m->entry), by_nsid);
		for (size_t i = 1; i < count; i++)
			if (m->entry[i].nsid == m->entry[i - 1].nsid)
				return -EINVAL;
		m->slot_count = m->entry[count - 1].nsid + 1;
		m->slot = calloc(m->slot_count, sizeof(*m->slot));
		if (!m->slot)
			return -ENOMEM;
		for (size_t i = 0; i < count; i++)
			m->slot[m->entry[i].nsid] = (uint16_t)(i + 1);
	}
	*ret_map = TAKE(m);
	return 0;
}

struct nvme_ns_map *nvme_ns_map_ref(struct nvme_ns_map *m)
{
	atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
	return m;
}

void nvme_ns_map_unref(struct nvme_ns_map *m)
{
	if (m && atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) == 1)
		map_free(m);
}
