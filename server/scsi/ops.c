/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ops.c - finds the row of a command.  The rows are in ops_primary.c (SPC), ops_block.c (SBC) and
 * ops_reserve.c; they are sorted once into a table that a lookup enters by opcode. */
#include "scsi/scsi_priv.h"

#define OPS_MAX 160

static const struct scsi_op *sorted[OPS_MAX];
static size_t sorted_count;
static struct {
	uint8_t first, count;
} by_opcode[256];

static int by_code(const void *a, const void *b)
{
	const struct scsi_op *x = *(const struct scsi_op *const *)a, *y = *(const struct scsi_op *const *)b;
	if (x->opcode != y->opcode)
		return x->opcode < y->opcode ? -1 : 1;
	return (x->action > y->action) - (x->action < y->action);
}

static void add(const struct scsi_op *ops, size_t count)
{
	for (size_t i = 0; i < count && sorted_count < OPS_MAX; i++)
		sorted[sorted_count++] = &ops[i];
}

void ops_index(void)
{
	if (sorted_count)
		return;
	add(scsi_ops_primary, scsi_ops_primary_count);
	add(scsi_ops_block, scsi_ops_block_count);
	add(scsi_ops_reserve, scsi_ops_reserve_count);
	add(scsi_ops_copy, scsi_ops_copy_count);
	add(scsi_ops_cd, scsi_ops_cd_count);
	qsort(sorted, sorted_count, sizeof(sorted[0]), by_code);
	for (size_t i = 0; i < sorted_count; i++) {
		uint8_t code = sorted[i]->opcode;
		if (!by_opcode[code].count++)
			by_opcode[code].first = (uint8_t)i;
	}
}

bool ops_has_action(const struct scsi_op *op)
{
	return op->action != NO_ACTION;
}

const struct scsi_op *ops_find(const uint8_t *cdb, size_t cdb_len, bool *ret_known)
{
	*ret_known = false;
	if (unlikely(!cdb_len))
		return NULL;
	unsigned first = by_opcode[cdb[0]].first, count = by_opcode[cdb[0]].count;
	*ret_known = count;
	if (unlikely(!count))
		return NULL;
	if (!ops_has_action(sorted[first]))
		return sorted[first];
	if (cdb_len < 2)
		return NULL;
	for (unsigned i = first; i < first + count; i++)
		if (sorted[i]->action == (cdb[1] & 0x1f))
			return sorted[i];
	return NULL;
}

size_t ops_count(void)
{
	return sorted_count;
}

const struct scsi_op *ops_at(size_t i)
{
	return sorted[i];
}

bool op_is_supported(const struct scsi_op *op, const struct itl *i)
{
	const struct scsi_unit *u = i->unit;
	if (unlikely(op->flags & (u->device == SCSI_CDROM ? OP_DISK : OP_CD)))
		return false;
	if (unlikely(op->flags & OP_EXPLICIT) && !i->nexus->map->hosts_set_paths)
		return false;
	if (unlikely(op->flags & OP_ENCRYPTED) && !volume_is_encrypted(u->volume))
		return false;
	return !(op->flags & OP_THIN) || atomic_load_explicit(&u->can_unmap, memory_order_relaxed);
}
