/* SPDX-License-Identifier: GPL-3.0-or-later */
/* identify_ns.c - what Identify says about namespaces.  NVM 1.1 section 4.1.5, Base 2.1 section 5.1.13.
 * The NGUID is the volume's uuid, for ever: hosts know their disks by it.  EUI64 stays 0 (ESXi would
 * prefer it as the name). */
#include "nvme/ops_priv.h"

#include "wire/nvme_identify.h"

#define RESCAP 0xff                      /* PTPL, all six types, IEKEY as of 1.3 */

/* The namespace that is asked for; *ret_r when there is nothing to say about it. */
static const struct ns_slot *asked(struct job *j, enum nvme_result *ret_r)
{
	uint32_t nsid = le32_get(job_sqe(j)->nsid);
	const struct ns_slot *s = map_find(j->view->map, nsid);
	*ret_r = RES_OK;                 /* not active: all zeroes */
	if (!s && (!nsid || nsid > NVME_NSID_MAX)) {
		(void)job_field(j, offsetof(struct nvme_sqe, nsid), 0);
		*ret_r = RES_INVALID_NS;
	}
	return s;
}

static le16 blocks_0based(const struct ns *s, uint64_t bytes)
{
	uint64_t n = bytes >> s->block_shift;
	return le16_of((uint16_t)(n ? min_u64(n, 65536) - 1 : 0));
}

static uint8_t nsfeat(const struct volume_limits *l)
{
	return (uint8_t)((l->thin ? NVME_NSFEAT_THIN : 0) | NVME_NSFEAT_UIDREUSE | NVME_NSFEAT_OPTPERF);
}

static uint64_t used_blocks(const struct ns *s, const struct volume_limits *l)
{
	uint64_t bytes, total = ns_blocks(s);
	if (!l->thin || volume_used_bytes(s->volume, &bytes))
		return total;
	return min_u64((bytes + (1u << s->block_shift) - 1) >> s->block_shift, total);
}

static void put_formats(struct nvme_id_ns *d, unsigned block_shift)
{
	d->lbaf[0] = (struct nvme_lbaf){ .ms = le16_of(0), .lbads = (uint8_t)block_shift, .rp = 0 };
}

static void put_ns(struct nvme_id_ns *d, const struct ns_slot *slot, bool accessible)
{
	const struct ns *s = slot->ns;
	struct volume_limits l;
	volume_limits(s->volume, &l);
	d->nmic = NVME_NMIC_SHARED;
	d->rescap = RESCAP;
	d->msrc = COPY_MAX_RANGES - 1;
	put_formats(d, s->block_shift);
	d->nsze = d->ncap = le64_of(ns_blocks(s));
	/* Base 8.1.1: by a path that is none, nothing is told of what is used. */
	d->nuse = le64_of(accessible ? used_blocks(s, &l) : 0);
	d->nsfeat = nsfeat(&l);
	if (l.unmap_granularity_bytes)
		d->dlfeat = (uint8_t)(NVME_DLFEAT_WZ_DEAC | (l.unmap_zeroes ? NVME_DLFEAT_ZEROES : 0));
	d->npwg = d->npwa = blocks_0based(s, l.physical_bytes);
	/* Not above 1 MiB: ESXi would not deallocate at all. */
	d->npdg = d->npda = blocks_0based(s, min_u64(l.unmap_granularity_bytes, 1u << 20));
	uint64_t size = volume_size_bytes(s->volume);
	le64 capacity = le64_of(accessible ? size : 0);
	memcpy(d->nvmcap, &capacity, sizeof(capacity));
	d->mssrl = le16_of((uint16_t)min_u64(limit_blocks(s, COPY_RANGE_MAX_BYTES), 65535));
	d->mcl = le32_of((uint32_t)limit_blocks(s, COPY_MAX_BYTES));
	d->nacwu = le16_of(FUSED_MAX_BLOCKS - 1);
	d->anagrpid = le32_of(slot->ana_group);
	d->nsattr = slot_is_protected(slot) ? NVME_NSATTR_PROTECTED : 0;
	memcpy(d->nguid, volume_uuid(s->volume), sizeof(d->nguid));
}

enum nvme_result identify_ns(struct job *j, struct out *o)
{
	struct nvme_id_ns d;
	enum nvme_result r = RES_OK;
	memset(&d, 0, sizeof(d));
	const struct ns_slot *s = asked(j, &r);  /* FFFFFFFFh is for those who can make namespaces */
	if (s)
		put_ns(&d, s, !ctrl_ana_result(j->queue->ctrl));
	if (!r)
		out_bytes(o, &d, sizeof(d));
	return r;
}

/* No protection information, no storage tags: all zero, NVM figure 118. */
enum nvme_result identify_ns_nvm(struct job *j, struct out *o)
{
	enum nvme_result r;
	(void)o;
	(void)asked(j, &r);
	return r;
}

enum nvme_result identify_ns_independent(struct job *j, struct out *o)
{
	enum nvme_result r;
	const struct ns_slot *s = asked(j, &r);
	if (!s)
		return r;
	struct volume_limits l;
	volume_limits(s->ns->volume, &l);
	struct nvme_id_ns_independent d = {
		.nsfeat = (uint8_t)(NVME_NSFEAT_UIDREUSE | (l.rotational ? 0x10 : 0)), .nmic = NVME_NMIC_SHARED,
		.rescap = RESCAP, .anagrpid = le32_of(s->ana_group),
		.nsattr = slot_is_protected(s) ? NVME_NSATTR_PROTECTED : 0,
		.nstat = volume_state(s->ns->volume) == VOLUME_ONLINE ? NVME_NSTAT_READY : 0,
	};
	out_bytes(o, &d, sizeof(d));
	return RES_OK;
}

static void put_desc(struct out *o, uint8_t type, const void *value, uint8_t len_bytes)
{
	struct nvme_ns_desc d = { .type = type, .len_bytes = len_bytes };
	out_bytes(o, &d, sizeof(d));
	out_bytes(o, value, len_bytes);
}

enum nvme_result identify_ns_desc(struct job *j, struct out *o)
{
	const struct ns_slot *s = map_find(j->view->map, le32_get(job_sqe(j)->nsid));
	static const uint8_t nvm = NVME_CSI_NVM;
	if (!s) {
		(void)job_field(j, offsetof(struct nvme_sqe, nsid), 0);
		return RES_INVALID_NS;
	}
	put_desc(o, NVME_NIDT_NGUID, volume_uuid(s->ns->volume), 16);
	put_desc(o, NVME_NIDT_UUID, volume_uuid(s->ns->volume), 16);
	put_desc(o, NVME_NIDT_CSI, &nvm, 1);
	return RES_OK;
}

enum nvme_result identify_active(struct job *j, struct out *o)
{
	const struct nvme_ns_map *m = j->view->map;
	uint32_t after = le32_get(job_sqe(j)->nsid);
	if (after >= NVME_NSID_ALL - 1) {
		(void)job_field(j, offsetof(struct nvme_sqe, nsid), 0);
		return RES_INVALID_NS;
	}
	for (size_t i = 0, n = 0; i < m->count && n < NVME_IDENTIFY_BYTES / 4; i++)
		if (m->entry[i].nsid > after) {
			out_le32(o, m->entry[i].nsid);
			n++;
		}
	return RES_OK;
}
