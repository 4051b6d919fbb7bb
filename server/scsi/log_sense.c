/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_sense.c - LOG SENSE: the list of pages and the fill level of a thin volume.
 * SPC-4 6.8, 7.3.18, SBC-3 6.4.4. */
#include "scsi/ops_priv.h"

#include "scsi/out.h"

enum { LOG_SUPPORTED = 0x00, LOG_PROVISIONING = 0x0c, LOG_SUB_ALL = 0xff, LOG_SPF = 0x40, LOG_DS = 0x80 };
#define USED_RESOURCES 0x0002
#define SCOPE_DEDICATED 0x01

enum scsi_result parse_log_sense(struct scsi_task *t, struct task *p)
{
	unsigned page = t->cdb[2] & 0x3f, sub = t->cdb[3], pointer = (unsigned)(t->cdb[5] << 8 | t->cdb[6]);
	if (t->cdb[1] & 0x01)
		return cdb_field(p, 1, 0);       /* SP: nothing is saved */
	bool thin = atomic_load(&task_unit(p)->can_unmap);
	if (page != LOG_SUPPORTED && !(page == LOG_PROVISIONING && thin))
		return cdb_field(p, 2, 5);
	if (sub && !(page == LOG_SUPPORTED && sub == LOG_SUB_ALL))
		return cdb_field(p, 3, -1);
	if (pointer > (page == LOG_PROVISIONING ? USED_RESOURCES : 0))
		return cdb_field(p, 5, -1);
	return parse_data_in(p, (uint32_t)(t->cdb[7] << 8 | t->cdb[8]));
}

static void supported(const struct task *p, struct out *o, bool subpages)
{
	out_8(o, subpages ? LOG_SUPPORTED | LOG_SPF | LOG_DS : LOG_SUPPORTED);
	out_8(o, subpages ? LOG_SUB_ALL : 0);
	out_16(o, 0);
	out_8(o, LOG_SUPPORTED);
	if (subpages) {
		out_8(o, 0);
		out_8(o, LOG_SUPPORTED);
		out_8(o, LOG_SUB_ALL);
	}
	if (atomic_load(&task_unit(p)->can_unmap)) {
		out_8(o, LOG_PROVISIONING);
		if (subpages)
			out_8(o, 0);
	}
	out_patch_16(o, 2, o->len - 4);
}

/* Asking the file system takes time: on a worker.  mark: bytes used; mark2: whether they are known. */
static void ask_used(struct work *w)
{
	struct task *p = container_of(w, struct task, work);
	p->mark2 = volume_used_bytes(task_volume(p), &p->mark) == 0;
}

static void asked_used(struct work *w)
{
	task_continue(container_of(w, struct task, work), 0);
}

static enum step provisioning(struct scsi_task *t, struct task *p, int status)
{
	struct out o = task_out(p);
	(void)t;
	(void)status;
	out_8(&o, LOG_PROVISIONING | LOG_DS);
	out_8(&o, 0);
	out_16(&o, 0);
	if (p->mark2) {
		uint64_t sets = (p->mark + BUF_PIECE_BYTES - 1) / BUF_PIECE_BYTES;       /* VPD B2: threshold exponent */
		out_16(&o, USED_RESOURCES);
		out_8(&o, 0x03);         /* binary list */
		out_8(&o, 8);
		out_32(&o, sets > UINT32_MAX ? UINT32_MAX : (uint32_t)sets);
		out_8(&o, SCOPE_DEDICATED);
		out_24(&o, 0);
	}
	out_patch_16(&o, 2, o.len - 4);
	return task_out_end(p, &o);
}

enum step run_log_sense(struct scsi_task *t, struct task *p, int status)
{
	(void)status;
	if ((t->cdb[2] & 0x3f) == LOG_SUPPORTED) {
		struct out o = task_out(p);
		supported(p, &o, t->cdb[3] == LOG_SUB_ALL);
		return task_out_end(p, &o);
	}
	p->next = provisioning;
	p->work = (struct work){ .work = ask_used, .done = asked_used };
	reactor_work(p->itl->nexus->reactor, &p->work);
	return STEP_WAIT;
}
