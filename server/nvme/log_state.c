/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_state.c - log pages about what is served: health, ANA, reservations, discovery. */
#include "nvme/ops_priv.h"

#include "wire/nvme_log.h"

/* ---- health, Base 5.1.12.1.3 ------------------------------------------------------------------------------------ */
static void add(le64 *to, uint64_t v)
{
	*to = le64_of(le64_get(*to) + v);
}

/* In units of 1000 blocks of 512 bytes, rounded up. */
static uint64_t units(uint64_t bytes)
{
	return bytes / 512000 + (bytes % 512000 != 0);
}

static void add_volume(struct nvme_health *d, const struct ns_slot *s)
{
	struct volume_stats v;
	volume_stats(s->ns->volume, &v);
	add(&d->data_read[0], units(v.kind[STATS_READ].bytes));
	add(&d->data_written[0], units(v.kind[STATS_WRITE].bytes));
	add(&d->host_reads[0], v.kind[STATS_READ].ops);
	add(&d->host_writes[0], v.kind[STATS_WRITE].ops);
	add(&d->media_errors[0], v.kind[STATS_READ].errors + v.kind[STATS_WRITE].errors);
}

enum nvme_result log_health(struct job *j, struct out *o)
{
	struct nvme_ctrl *c = j->queue->ctrl;
	const struct nvme_ns_map *m = j->view->map;
	uint32_t nsid = le32_get(job_sqe(j)->nsid);
	const struct ns_slot *one = map_find(m, nsid);
	bool all = !nsid || nsid == NVME_NSID_ALL;
	struct nvme_health d;
	memset(&d, 0, sizeof(d));
	if (!all && !one)
		return RES_INVALID_NS;
	for (size_t i = 0; i < m->count; i++)
		if (all || &m->entry[i] == one) {
			add_volume(&d, &m->entry[i]);
		}
	d.spare = 100;                   /* wear and heat are matters of the backend's own disks */
	d.spare_threshold = 1;
	d.power_on_hours[0] = le64_of((reactor_clock_ns() - nvme_start_ns) / 3600000000000ull);
	pthread_mutex_lock(&c->mutex);
	d.error_entries[0] = le64_of(c->error_count);
	pthread_mutex_unlock(&c->mutex);
	out_bytes(o, &d, sizeof(d));
	return RES_OK;
}

/* ---- ANA, Base 5.1.12.1.13 ---------------------------------------------------------------------------------------- */
/* The lowest group above `after` that the map uses, or 0. */
static uint32_t next_group(const struct nvme_ns_map *m, uint32_t after, uint32_t *ret_count)
{
	uint32_t id = 0;
	*ret_count = 0;
	for (size_t i = 0; i < m->count; i++)
		if (m->entry[i].ana_group > after && (!id || m->entry[i].ana_group < id))
			id = m->entry[i].ana_group;
	for (size_t i = 0; id && i < m->count; i++)
		*ret_count += m->entry[i].ana_group == id;
	return id;
}

enum nvme_result log_ana(struct job *j, struct out *o)
{
	const struct nvme_ctrl *c = j->queue->ctrl;
	const struct nvme_ns_map *m = j->view->map;
	bool groups_only = job_cdw(j, 10) >> 8 & NVME_ANA_LSP_GROUPS_ONLY;
	uint32_t count;
	uint16_t groups = 0;
	for (uint32_t g = next_group(m, 0, &count); g; g = next_group(m, g, &count))
		groups++;
	struct nvme_ana_log head = { .changes = le64_of(c->ana_changes), .group_count = le16_of(groups) };
	out_bytes(o, &head, sizeof(head));
	for (uint32_t g = next_group(m, 0, &count); g; g = next_group(m, g, &count)) {
		struct nvme_ana_group d = { .id = le32_of(g), .nsid_count = le32_of(groups_only ? 0 : count),
					    .changes = le64_of(c->ana_changes),
					    .state = atomic_load_explicit(&((struct nvme_ctrl *)(uintptr_t)c)->ana_state, memory_order_relaxed) };
		out_bytes(o, &d, sizeof(d));
		for (size_t i = 0; !groups_only && i < m->count; i++)
			if (m->entry[i].ana_group == g)
				out_le32(o, m->entry[i].nsid);
	}
	/* nvme-cli reads as much as NANAGRPID and MNAN allow for, piece by piece: the rest is zeroes. */
	uint64_t most = sizeof(head) + sizeof(struct nvme_ana_group) + 4ull * NVME_NSID_MAX;
	o->len = o->len < most ? most : o->len;
	return RES_OK;
}

/* ---- reservation notifications, Base 5.1.12.1.32 --------------------------------------------------------------------- */
enum nvme_result log_resv(struct job *j, struct out *o)
{
	struct nvme_ctrl *c = j->queue->ctrl;
	bool retain = job_cdw(j, 10) >> 15 & 1;
	struct nvme_resv_log d = { .type = NVME_RESV_LOG_EMPTY };
	if (c->resv_news_count) {
		const struct resv_news *n = &c->resv_news[c->resv_news_at];
		d = (struct nvme_resv_log){ .count = le64_of(n->count), .type = n->type, .nsid = le32_of(n->nsid),
					    .available = (uint8_t)(c->resv_news_count - 1) };
		if (!retain) {
			c->resv_news_at = (c->resv_news_at + 1) % RESV_NEWS_MAX;
			c->resv_news_count--;
		}
	}
	out_bytes(o, &d, sizeof(d));
	return RES_OK;
}

/* ---- discovery: its content is the transport's ------------------------------------------------------------------------- */
static struct nvme_discovery_source source;

void nvme_set_discovery_source(const struct nvme_discovery_source *s)
{
	source = s ? *s : (struct nvme_discovery_source){ NULL, NULL };
}

enum nvme_result log_discovery(struct job *j, struct out *o)
{
	const struct nvme_ctrl *c = j->queue->ctrl;
	_cleanup_(freep) uint8_t *log = NULL;
	size_t bytes = 0;
	bool port_local = job_cdw(j, 10) >> 8 & NVME_DISCOVERY_PORT_LOCAL;
	if (!source.log || source.log(source.arg, c->host_nqn, c->portal, port_local, &log, &bytes))
		return RES_INTERNAL;
	out_bytes(o, log, bytes);
	return RES_OK;
}
