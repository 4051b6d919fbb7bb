/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vpd.c - vital product data pages: one row per page.  SPC-4 7.8, SBC-3 6.6.
 * Page 00h lists the rows, so what is listed is what is served. */
#include "scsi/ops_priv.h"

#include <string.h>

#include "scsi/out.h"

static int supported_page(const struct task *p, size_t i);

static void page_supported(const struct task *p, struct out *o)
{
	for (size_t i = 0; supported_page(p, i) >= 0; i++)
		out_8(o, (unsigned)supported_page(p, i));
}

static void page_serial(const struct task *p, struct out *o)
{
	out_bytes(o, task_unit(p)->serial, strlen(task_unit(p)->serial));
}

/* ---- 83h, device identification, SPC-4 7.8.6 ------------------------------------------------------- */
static size_t designator(struct out *o, unsigned code, unsigned type)
{
	out_8(o, (type & SCSI_DESIG_PIV ? SCSI_PROTOCOL_ISCSI << 4 : 0) | code);
	out_8(o, type);
	out_8(o, 0);
	out_8(o, 0);
	return o->len;
}

static void designator_end(struct out *o, size_t start)
{
	out_patch_8(o, start - 1, o->len - start);
}

/* NUL-terminated, filled with NUL to a multiple of four, SPC-4 7.8.6.11 */
static void out_name(struct out *o, const char *name)
{
	size_t len = strlen(name) + 1, fill = (4 - len % 4) % 4;
	out_bytes(o, name, len);
	out_zero(o, fill);
}

static void designate_name(struct out *o, unsigned association, const char *name)
{
	if (strlen(name) > 251)          /* cannot be said in this format */
		return;
	size_t at = designator(o, SCSI_CODE_UTF8, SCSI_DESIG_PIV | association | SCSI_DESIG_NAME);
	out_name(o, name);
	designator_end(o, at);
}

static void page_identification(const struct task *p, struct out *o)
{
	const struct scsi_unit *u = task_unit(p);
	const struct scsi_nexus *n = p->itl->nexus;
	/* Hosts name the disk by the first one that they like: NAA leads. */
	size_t at = designator(o, SCSI_CODE_BINARY, SCSI_ASSOC_UNIT | SCSI_DESIG_NAA);
	out_bytes(o, u->naa, u->naa_bytes);
	designator_end(o, at);
	at = designator(o, SCSI_CODE_ASCII, SCSI_ASSOC_UNIT | SCSI_DESIG_T10);
	out_padded(o, u->vendor, 8);
	out_bytes(o, u->serial, strlen(u->serial));
	designator_end(o, at);
	at = designator(o, SCSI_CODE_BINARY, SCSI_DESIG_PIV | SCSI_ASSOC_PORT | SCSI_DESIG_REL_PORT);
	out_16(o, 0);
	out_16(o, n->relative_port_id);
	designator_end(o, at);
	at = designator(o, SCSI_CODE_BINARY, SCSI_DESIG_PIV | SCSI_ASSOC_PORT | SCSI_DESIG_PORT_GROUP);
	out_16(o, 0);
	out_16(o, n->port_group);
	designator_end(o, at);
	if (n->map->hosts_set_paths) {   /* all units of the target change state together */
		at = designator(o, SCSI_CODE_BINARY, SCSI_ASSOC_UNIT | SCSI_DESIG_UNIT_GROUP);
		out_16(o, 0);
		out_16(o, 1);
		designator_end(o, at);
	}
	designate_name(o, SCSI_ASSOC_PORT, n->target_port);
	designate_name(o, SCSI_ASSOC_DEVICE, n->target_device);
}

/* 86h, extended INQUIRY, SPC-4 7.8.7 */
static void page_extended(const struct task *p, struct out *o)
{
	(void)p;
	out_8(o, 0);
	out_8(o, SCSI_EXT_HEADSUP | SCSI_EXT_ORDSUP | SCSI_EXT_SIMPSUP);
	out_8(o, 0);                     /* V_SUP: READ FUA does not pass a volatile cache by */
	out_8(o, SCSI_EXT_LUICLR);
	out_zero(o, 56);
}

/* 87h, mode page policy, SPC-4 7.8.9: every page is shared by all nexuses */
static void page_mode_policy(const struct task *p, struct out *o)
{
	(void)p;
	out_8(o, SCSI_MP_ALL);
	out_8(o, SCSI_MP_SUB_ALL);
	out_16(o, 0);
}

/* 88h, SCSI ports, SPC-4 7.8.10: one per portal group that the target is reached by */
static void out_port(struct out *o, uint16_t relative_port_id, const char *name)
{
	out_16(o, 0);
	out_16(o, relative_port_id);
	out_16(o, 0);
	out_16(o, 0);                    /* no initiator port transport id */
	out_16(o, 0);
	size_t len_at = o->len;
	out_16(o, 0);
	size_t start = o->len;
	designate_name(o, SCSI_ASSOC_PORT, name);
	out_patch_16(o, len_at, o->len - start);
}

static void page_ports(const struct task *p, struct out *o)
{
	const struct scsi_nexus *n = p->itl->nexus;
	char name[PORT_NAME_MAX];
	out_port(o, n->relative_port_id, n->target_port);
	for (size_t i = 0; i < n->map->path_count; i++) {
		uint16_t group = n->map->path[i].group;
		if (group == n->port_group)
			continue;
		nexus_port_name(n, group, name);
		out_port(o, group, name);
	}
}

/* ---- block devices -------------------------------------------------------------------------------------- */
uint32_t limit_transfer_blocks(const struct scsi_unit *u)
{
	return TRANSFER_MAX_BYTES >> u->block_shift;
}

uint64_t limit_same_blocks(const struct scsi_unit *u)
{
	struct volume_limits l;
	volume_limits(u->volume, &l);
	/* Bounded, so that none holds the others up for long where zeroes have to be written. */
	uint64_t most = min_u64(l.max_zero_bytes ? l.max_zero_bytes : SAME_MAX_BYTES, SAME_MAX_BYTES);
	most >>= u->block_shift;
	return most < 1 ? 1 : most;
}

uint32_t limit_unmap_blocks(const struct scsi_unit *u)
{
	return (uint32_t)(UNMAP_MAX_BYTES >> u->block_shift);
}

/* VMFS unmaps by itself only where this divides 1 MiB. */
static uint32_t unmap_granularity_blocks(const struct scsi_unit *u, const struct volume_limits *l)
{
	uint32_t bytes = l->unmap_granularity_bytes;
	if (bytes > BUF_PIECE_BYTES || !is_pow2(bytes))
		bytes = BUF_PIECE_BYTES;
	return bytes >> u->block_shift ? bytes >> u->block_shift : 1;
}

/* B0h, block limits, SBC-3 6.6.3 */
static void page_limits(const struct task *p, struct out *o)
{
	const struct scsi_unit *u = task_unit(p);
	struct volume_limits l;
	volume_limits(u->volume, &l);
	out_8(o, 0x01);                  /* WSNZ: WRITE SAME of 0 blocks is refused */
	out_8(o, CAW_MAX_BLOCKS);
	uint32_t granule = (l.physical_bytes > 1u << u->block_shift ? l.physical_bytes : 1u << u->block_shift);
	out_16(o, min_u64(granule >> u->block_shift, UINT16_MAX) & UINT16_MAX);
	out_32(o, limit_transfer_blocks(u));
	out_32(o, BUF_PIECE_BYTES >> u->block_shift);        /* optimal: one piece of memory */
	out_32(o, 0);                                    /* no XDREAD and the like */
	if (atomic_load(&u->can_unmap)) {
		out_32(o, limit_unmap_blocks(u));
		out_32(o, UNMAP_MAX_DESCRIPTORS);
		out_32(o, unmap_granularity_blocks(u, &l));
		out_32(o, 0x80000000);                   /* UGAVALID, alignment 0 */
	} else {
		out_zero(o, 16);
	}
	out_64(o, limit_same_blocks(u));
	out_32(o, ATOMIC_MAX_BYTES >> u->block_shift);
	out_32(o, 0);                    /* any alignment .. */
	out_32(o, 0);                    /* .. and granularity */
	out_32(o, 0);                    /* no boundaries within a write */
	out_32(o, 0);
}

/* B1h, block device characteristics, SBC-3 6.6.2 */
static void page_characteristics(const struct task *p, struct out *o)
{
	struct volume_limits l;
	volume_limits(task_volume(p), &l);
	out_16(o, l.rotational ? 0 : 1); /* rate not reported; or non-rotating */
	out_8(o, 0);
	/* WABEREQ, WACEREQ 01b: what SANITIZE has erased reads without an error */
	out_8(o, (atomic_load(&task_unit(p)->can_unmap) ? 0x40 : 0) | (volume_is_encrypted(task_volume(p)) ? 0x10 : 0));
	out_zero(o, 56);
}

/* B2h, logical block provisioning, SBC-3 6.6.4 */
static void page_provisioning(const struct task *p, struct out *o)
{
	struct volume_limits l;
	volume_limits(task_volume(p), &l);
	bool unmaps = atomic_load(&task_unit(p)->can_unmap);
	/* Space and thresholds are counted in sets of 1 MiB: log page 0Ch, mode page 1Ch/02h. */
	out_8(o, unmaps ? 20 - task_unit(p)->block_shift : 0);
	out_8(o, unmaps ? SCSI_LBP_LBPU | SCSI_LBP_LBPWS | SCSI_LBP_LBPWS10 |
			  (l.unmap_zeroes ? SCSI_LBP_LBPRZ : 0) : 0);
	out_8(o, unmaps ? SCSI_LBP_THIN : 0);
	out_8(o, 0);
}

static const struct vpd_row {
	uint8_t code;
	void (*write)(const struct task *p, struct out *o);
	bool disk;                       /* not of a CD-ROM drive */
} pages[] = {
	{ SCSI_VPD_SUPPORTED, page_supported, false },
	{ SCSI_VPD_SERIAL, page_serial, false },
	{ SCSI_VPD_IDENTIFICATION, page_identification, false },
	{ SCSI_VPD_EXTENDED, page_extended, false },
	{ SCSI_VPD_MODE_POLICY, page_mode_policy, false },
	{ SCSI_VPD_PORTS, page_ports, false },
	{ SCSI_VPD_THIRD_PARTY, vpd_third_party, true },
	{ SCSI_VPD_LIMITS, page_limits, true },
	{ SCSI_VPD_CHARACTERISTICS, page_characteristics, true },
	{ SCSI_VPD_PROVISIONING, page_provisioning, true },
};

static bool page_is_here(const struct task *p, const struct vpd_row *r)
{
	return !r->disk || task_unit(p)->device != SCSI_CDROM;
}

/* The i-th one that this unit has; -1: there are no more. */
static int supported_page(const struct task *p, size_t i)
{
	for (size_t k = 0; k < ARRAY_COUNT(pages); k++)
		if (page_is_here(p, &pages[k]) && !i--)
			return pages[k].code;
	return -1;
}

bool vpd_page(uint8_t code, const struct task *p, struct out *o)
{
	if (!task_unit(p)) {             /* nothing is here to describe */
		if (code != SCSI_VPD_SUPPORTED)
			return false;
		out_8(o, SCSI_PQ_NO_LUN);
		out_zero(o, 2);
		out_8(o, 1);
		out_8(o, SCSI_VPD_SUPPORTED);
		return true;
	}
	for (size_t i = 0; i < ARRAY_COUNT(pages); i++) {
		if (pages[i].code != code || !page_is_here(p, &pages[i]))
			continue;
		out_8(o, task_unit(p)->device == SCSI_CDROM ? 0x05 : 0x00);
		out_8(o, code);
		out_16(o, 0);
		pages[i].write(p, o);
		out_patch_16(o, 2, o->len - 4);
		return true;
	}
	return false;
}
