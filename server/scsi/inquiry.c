/* SPDX-License-Identifier: GPL-3.0-or-later */
/* inquiry.c - INQUIRY: who is there.  SPC-4 6.6. */
#include "scsi/ops_priv.h"

#include "config.h"
#include "scsi/out.h"
#include "wire/scsi_data.h"

enum scsi_result parse_inquiry(struct scsi_task *t, struct task *p)
{
	p->flags = t->cdb[1];
	if (!(p->flags & SCSI_INQUIRY_EVPD) && t->cdb[2])
		return cdb_field(p, 2, -1);      /* a page without EVPD */
	return parse_data_in(p, (uint32_t)(t->cdb[3] << 8 | t->cdb[4]));
}

static void standard(const struct task *p, struct out *o)
{
	const struct scsi_unit *u = task_unit(p);
	struct scsi_inquiry q = {
		.peripheral = !u ? SCSI_PQ_NO_LUN : u->device == SCSI_CDROM ? 0x05 : 0x00,
		.removable = u && u->device != SCSI_DISK ? 0x80 : 0,
		.version = SCSI_VERSION_SPC4,
		.format = SCSI_INQ_HISUP | SCSI_INQ_FORMAT,
		.additional_len = sizeof(q) - 5,
		.flags5 = SCSI_INQ_TPGS_IMPLICIT | (u && p->itl->nexus->map->hosts_set_paths ? SCSI_INQ_TPGS_EXPLICIT : 0) |
			   (u && u->device != SCSI_CDROM ? SCSI_INQ_3PC : 0),
		.flags6 = SCSI_INQ_MULTIP,
		.flags7 = SCSI_INQ_CMDQUE,
		.version_descriptor = {
			be16_of(SCSI_VD_SAM5), be16_of(SCSI_VD_SPC4), be16_of(SCSI_VD_SBC3),
			be16_of(SCSI_VD_ISCSI),
		},
	};
	struct out f = { q.vendor, sizeof(q.vendor), 0 };
	out_padded(&f, u ? u->vendor : "HOLDFAST", sizeof(q.vendor));
	f = (struct out){ q.product, sizeof(q.product), 0 };
	out_padded(&f, u ? u->product : "Volume", sizeof(q.product));
	f = (struct out){ q.revision, sizeof(q.revision), 0 };
	out_padded(&f, PACKAGE_VERSION, sizeof(q.revision));
	out_bytes(o, &q, sizeof(q));
}

enum step run_inquiry(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	(void)status;
	if (!(p->flags & SCSI_INQUIRY_EVPD)) {
		standard(p, &o);
	} else if (!vpd_page(t->cdb[2], p, &o)) {
		(void)cdb_field(p, 2, -1);
		return task_fail(p, RES_INVALID_CDB_FIELD);
	}
	return task_out_end(p, &o);
}
