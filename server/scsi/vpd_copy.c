/* SPDX-License-Identifier: GPL-3.0-or-later */
/* vpd_copy.c - what our copy manager can do: VPD page 8Fh and RECEIVE COPY OPERATING PARAMETERS.
 * SPC-4 6.22, 7.8.17; SBC-3 6.6.8.  Both are made of the same limits and rows. */
#include "scsi/copy_priv.h"

#include "scsi/out.h"

enum { DESC_BLOCK_ROD = 0x0000, DESC_COMMANDS = 0x0001, DESC_PARAMETERS = 0x0004, DESC_DESCRIPTORS = 0x0008,
       DESC_CSCD_IDS = 0x000c, DESC_ROD_TOKENS = 0x0106, DESC_ROD_TYPES = 0x0108, DESC_GENERAL = 0x8001 };
static const uint8_t descriptors[] = { SEGMENT_BLOCKS, SEGMENT_BYTES, CSCD_IDENTIFICATION };

static size_t desc_start(struct out *o, unsigned type)
{
	out_16(o, type);
	out_16(o, 0);
	return o->len;
}

/* Each is a multiple of four bytes long. */
static void desc_end(struct out *o, size_t start)
{
	out_zero(o, (4 - (o->len - start) % 4) % 4);
	out_patch_16(o, start - 2, o->len - start);
}

static void desc_commands(const struct task *p, struct out *o)
{
	size_t start = desc_start(o, DESC_COMMANDS);
	out_8(o, 0);
	for (size_t i = 0; i < ops_count();) {
		uint8_t opcode = ops_at(i)->opcode;
		if (opcode != SCSI_EXTENDED_COPY && opcode != SCSI_RECEIVE_COPY) {
			i++;
			continue;
		}
		out_8(o, opcode);
		size_t count_at = o->len;
		out_8(o, 0);
		for (; i < ops_count() && ops_at(i)->opcode == opcode; i++)
			if (op_is_supported(ops_at(i), p->itl))
				out_8(o, ops_at(i)->action);
		out_patch_8(o, count_at, o->len - count_at - 1);
	}
	out_patch_8(o, start, o->len - start - 1);
	desc_end(o, start);
}

/* What a token for blocks may be, SBC-3 6.6.8.3 and 6.6.8.4 */
static void desc_tokens(const struct scsi_unit *u, struct out *o)
{
	size_t start = desc_start(o, DESC_ROD_TOKENS);
	out_8(o, 0);                     /* no tokens of other copy managers */
	out_zero(o, 11);
	out_32(o, 1);                    /* lifetime, s: until the data change */
	out_32(o, TOKEN_TIMEOUT_MAX_S);
	out_32(o, TOKEN_TIMEOUT_MAX_S);
	out_zero(o, 18);
	size_t len_at = o->len;
	out_16(o, 0);
	size_t device = o->len;
	out_16(o, 0);                    /* block devices, their length follows */
	out_16(o, 44);
	out_8(o, 0);
	out_8(o, u->block_shift);        /* optimal granularity, log2 of bytes */
	out_16(o, 0);
	out_64(o, TOKEN_MAX_BYTES);
	out_64(o, TOKEN_GOOD_BYTES);
	out_64(o, TOKEN_MAX_BYTES);      /* optimal to and from tokens of one segment */
	out_64(o, TOKEN_GOOD_BYTES);
	out_zero(o, 8);
	out_patch_16(o, len_at, o->len - device);
	desc_end(o, start);
}

static void rod_type(struct out *o, uint32_t type, unsigned flags, unsigned preference)
{
	out_32(o, type);
	out_8(o, flags);
	out_8(o, 0);
	out_16(o, preference);
	out_zero(o, 56);
}

static void desc_rod_types(struct out *o)
{
	enum { TOKEN_OUT = 0x01, TOKEN_IN = 0x02 };
	size_t start = desc_start(o, DESC_ROD_TYPES);
	out_16(o, 0);
	size_t len_at = o->len;
	out_16(o, 0);
	rod_type(o, ROD_CHANGE_VULNERABLE, TOKEN_IN | TOKEN_OUT, 0x8000);
	rod_type(o, ROD_ZERO, TOKEN_IN, 0);
	out_patch_16(o, len_at, o->len - len_at - 2);
	desc_end(o, start);
}

void vpd_third_party(const struct task *p, struct out *o)
{
	const struct scsi_unit *u = task_unit(p);
	size_t at = desc_start(o, DESC_BLOCK_ROD);
	out_zero(o, 6);
	out_16(o, TOKEN_RANGES_MAX);
	out_32(o, TOKEN_TIMEOUT_MAX_S);
	out_32(o, TOKEN_TIMEOUT_S);
	out_64(o, TOKEN_MAX_BYTES >> u->block_shift);
	out_64(o, TOKEN_GOOD_BYTES >> u->block_shift);
	desc_end(o, at);
	desc_commands(p, o);
	at = desc_start(o, DESC_PARAMETERS);
	out_32(o, 0);
	out_16(o, COPY_TARGETS_MAX);
	out_16(o, COPY_SEGMENTS_MAX);
	out_32(o, COPY_LIST_MAX);
	out_32(o, 0);                    /* no inline data */
	out_zero(o, 12);
	desc_end(o, at);
	at = desc_start(o, DESC_DESCRIPTORS);
	out_8(o, sizeof(descriptors));
	out_bytes(o, descriptors, sizeof(descriptors));
	desc_end(o, at);
	at = desc_start(o, DESC_CSCD_IDS);
	out_16(o, 2);
	out_16(o, CSCD_THIS_UNIT);
	desc_end(o, at);
	desc_tokens(u, o);
	desc_rod_types(o);
	at = desc_start(o, DESC_GENERAL);
	out_32(o, COPY_RECORDS_MAX);
	out_32(o, COPY_RECORDS_MAX);
	out_32(o, COPY_SEGMENT_MAX_BYTES);
	out_8(o, u->block_shift);
	out_8(o, 0);
	out_zero(o, 18);
	desc_end(o, at);
}

enum step run_copy_parameters(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	(void)t;
	(void)status;
	out_32(&o, 0);
	out_8(&o, 0x01);                 /* SNLID: list identifier usage 11b */
	out_zero(&o, 3);
	out_16(&o, COPY_TARGETS_MAX);
	out_16(&o, COPY_SEGMENTS_MAX);
	out_32(&o, COPY_LIST_MAX);
	out_32(&o, COPY_SEGMENT_MAX_BYTES);
	out_zero(&o, 14);                /* no inline data, held data, streams */
	out_16(&o, COPY_RECORDS_MAX);
	out_8(&o, COPY_RECORDS_MAX);
	out_8(&o, task_unit(p)->block_shift);
	out_zero(&o, 5);
	out_8(&o, sizeof(descriptors));
	out_bytes(&o, descriptors, sizeof(descriptors));
	out_patch_32(&o, 0, o.len - 4);
	return task_out_end(p, &o);
}
