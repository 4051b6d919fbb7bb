/* SPDX-License-Identifier: GPL-3.0-or-later */
/* result.c - how handlers say what came of a command. */
#include "scsi/scsi_priv.h"

#include "scsi/out.h"

enum step task_fail(struct task *p, enum scsi_result r)
{
	p->result = (uint8_t)r;
	return STEP_END;
}

enum step task_fail_info(struct task *p, enum scsi_result r, uint64_t information)
{
	p->sense.has_info = true;
	p->sense.info = information;
	return task_fail(p, r);
}

enum step task_fail_param(struct task *p, unsigned byte, int bit)
{
	(void)cdb_field(p, byte, bit);
	p->sense.pointer_in_cdb = false;
	return task_fail(p, RES_INVALID_PARAM_FIELD);
}

enum step task_fail_at(struct task *p, enum scsi_result r, unsigned byte)
{
	(void)task_fail_param(p, byte, -1);
	return task_fail(p, r);
}

/* The one table from the inside's errno to results. */
enum step task_fail_errno(struct task *p, int err, bool writing, uint64_t lba)
{
	switch (err) {
	case -EIO:
		return task_fail_info(p, writing ? RES_WRITE_ERROR : RES_READ_ERROR, lba);
	case -ENOSPC:
		return task_fail(p, RES_NO_SPACE);
	case -ESHUTDOWN:
		return task_fail(p, RES_NOT_READY);
	case -EINPROGRESS:               /* it began after this command */
		return task_fail(p, RES_SANITIZING);
	case -EROFS:
		return task_fail(p, RES_WRITE_PROTECTED);
	case -ERANGE:
		return task_fail_info(p, RES_LBA_RANGE, lba);
	case -EILSEQ:
		return task_fail_info(p, RES_MISCOMPARE, p->io.miscompare_bytes);
	case -ENOMEM:
		return task_fail(p, RES_RESOURCES);
	case -EAGAIN:
		return task_fail(p, RES_BUSY);
	default:
		return task_fail(p, RES_INTERNAL);
	}
}

struct out task_out(struct task *p)
{
	return (struct out){
		.p = p->piece_count ? p->piece[0].iov_base : NULL,
		.room = p->piece_count ? p->piece[0].iov_len : 0,
	};
}

enum step task_out_end(struct task *p, const struct out *o)
{
	p->t->data_in_bytes = o->len < o->room ? o->len : o->room;
	return STEP_END;
}
