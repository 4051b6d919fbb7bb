/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_sense.c - LOG SENSE: counters, and the fill level of a thin volume.  SPC-4 6.8, 7.3, SBC-3 6.4.
 * What a volume has not (a temperature, a motor, flash that wears out) is said to be unknown or none. */
#include "scsi/ops_priv.h"

#include "scsi/out.h"

enum { LOG_SUPPORTED = 0x00, LOG_PROVISIONING = 0x0c, LOG_TEMPERATURE = 0x0d, LOG_START_STOP = 0x0e, LOG_SOLID_STATE = 0x11,
       LOG_STATISTICS = 0x19, LOG_SUB_ALL = 0xff, LOG_SPF = 0x40, LOG_DS = 0x80 };
enum { ASCII_LIST = 0x01, BINARY_LIST = 0x03 };
#define SCOPE_DEDICATED 0x01
#define SCOPE_SHARED 0x02

static void write_supported(const struct task *p, struct out *o);
static void write_temperature(const struct task *p, struct out *o);
static void write_start_stop(const struct task *p, struct out *o);
static void write_solid_state(const struct task *p, struct out *o);
static void write_provisioning(const struct task *p, struct out *o);
static void write_statistics(const struct task *p, struct out *o);

static const struct log_row {
	uint8_t page;
	uint16_t last;                   /* highest parameter */
	bool disk, thin;                 /* only of a disk, only on volumes that can unmap */
	void (*write)(const struct task *p, struct out *o);
} logs[] = {
	{ LOG_SUPPORTED, 0, false, false, write_supported },
	{ LOG_PROVISIONING, SCSI_LBP_USED, true, true, write_provisioning },
	{ LOG_TEMPERATURE, 1, false, false, write_temperature },
	{ LOG_START_STOP, 4, true, false, write_start_stop },
	{ LOG_SOLID_STATE, 1, true, false, write_solid_state },
	{ LOG_STATISTICS, 3, false, false, write_statistics },
};

static bool log_is_here(const struct log_row *r, const struct scsi_unit *u)
{
	return !(r->disk && u->device == SCSI_CDROM) && !(r->thin && !atomic_load(&u->can_unmap));
}

static const struct log_row *log_find(const struct scsi_unit *u, unsigned page)
{
	for (size_t i = 0; i < ARRAY_COUNT(logs); i++)
		if (logs[i].page == page && log_is_here(&logs[i], u))
			return &logs[i];
	return NULL;
}

enum scsi_result parse_log_sense(struct scsi_task *t, struct task *p)
{
	unsigned page = t->cdb[2] & 0x3f, sub = t->cdb[3], pointer = (unsigned)(t->cdb[5] << 8 | t->cdb[6]);
	if (t->cdb[1] & 0x01)
		return cdb_field(p, 1, 0);       /* SP: nothing is saved */
	const struct log_row *r = log_find(task_unit(p), page);
	if (!r)
		return cdb_field(p, 2, 5);
	if (sub && !(page == LOG_SUPPORTED && sub == LOG_SUB_ALL))
		return cdb_field(p, 3, -1);
	if (pointer > r->last)
		return cdb_field(p, 5, -1);
	return parse_data_in(p, (uint32_t)(t->cdb[7] << 8 | t->cdb[8]));
}

static void write_supported(const struct task *p, struct out *o)
{
	bool subpages = p->t->cdb[3] == LOG_SUB_ALL;
	for (size_t i = 0; i < ARRAY_COUNT(logs); i++) {
		if (!log_is_here(&logs[i], task_unit(p)))
			continue;
		out_8(o, logs[i].page);
		if (subpages)
			out_8(o, 0);
		if (subpages && logs[i].page == LOG_SUPPORTED) {
			out_8(o, LOG_SUPPORTED);
			out_8(o, LOG_SUB_ALL);
		}
	}
}

/* Parameters before the one that the CDB points to are left out. */
static bool parameter(const struct task *p, struct out *o, unsigned code, unsigned format, unsigned len)
{
	if (code < (unsigned)(p->t->cdb[5] << 8 | p->t->cdb[6]))
		return false;
	out_16(o, code);
	out_8(o, format);
	out_8(o, len);
	return true;
}

static void write_temperature(const struct task *p, struct out *o)
{
	for (unsigned code = 0; code <= 1; code++)       /* as it is, as it may be */
		if (parameter(p, o, code, BINARY_LIST, 2))
			out_16(o, 0x00ff);       /* it cannot be told */
}

static void write_start_stop(const struct task *p, struct out *o)
{
	for (unsigned code = 1; code <= 2; code++)       /* when it was made and put into service: not known */
		if (parameter(p, o, code, ASCII_LIST, 6))
			out_padded(o, "", 6);
	for (unsigned code = 3; code <= 4; code++)       /* cycles it may make, cycles it has made: no motor */
		if (parameter(p, o, code, BINARY_LIST, 4))
			out_32(o, 0);
}

static void write_solid_state(const struct task *p, struct out *o)
{
	if (parameter(p, o, 1, BINARY_LIST, 4))
		out_32(o, 0);            /* per cent of its life that are used up */
}

static void write_sets(const struct task *p, struct out *o, unsigned code, uint64_t sets, unsigned scope)
{
	if (!parameter(p, o, code, BINARY_LIST, 8))
		return;
	out_32(o, sets > UINT32_MAX ? UINT32_MAX : (uint32_t)sets);
	out_8(o, scope);
	out_24(o, 0);
}

/* In threshold sets of 1 MiB, VPD B2. */
static void write_provisioning(const struct task *p, struct out *o)
{
	uint32_t left;
	if (thin_free_sets(task_unit(p), &left))
		write_sets(p, o, SCSI_LBP_AVAILABLE, left, SCOPE_SHARED);
	if (p->mark2)
		write_sets(p, o, SCSI_LBP_USED, (p->mark + BUF_PIECE_BYTES - 1) / BUF_PIECE_BYTES, SCOPE_DEDICATED);
}

/* SPC-4 7.3.9: of the volume, whatever protocol the hosts speak, since the daemon began to serve it. */
static void write_statistics(const struct task *p, struct out *o)
{
	enum { US = 1000, NEGATIVE_EXPONENT = 6 };
	unsigned shift = task_unit(p)->block_shift;
	struct volume_stats s;
	volume_stats(task_volume(p), &s);
	const uint64_t reads = s.kind[STATS_READ].ops, writes = s.kind[STATS_WRITE].ops;
	const uint64_t read_us = s.kind[STATS_READ].latency.sum_ns / US, write_us = s.kind[STATS_WRITE].latency.sum_ns / US;
	if (parameter(p, o, 1, BINARY_LIST, 64)) {
		out_64(o, reads);
		out_64(o, writes);
		out_64(o, s.kind[STATS_WRITE].bytes >> shift);   /* blocks received */
		out_64(o, s.kind[STATS_READ].bytes >> shift);    /* blocks transmitted */
		out_64(o, read_us);
		out_64(o, write_us);
		out_64(o, reads + writes);       /* weighted: alike */
		out_64(o, read_us + write_us);
	}
	if (parameter(p, o, 3, BINARY_LIST, 8)) {        /* an interval is a microsecond */
		out_32(o, NEGATIVE_EXPONENT);
		out_32(o, 1);
	}
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

static enum step answer(struct scsi_task *t, struct task *p, int status)
{
	const struct log_row *r = log_find(task_unit(p), t->cdb[2] & 0x3f);
	bool subpages = t->cdb[3] == LOG_SUB_ALL;
	struct out o = task_out(p);
	(void)status;
	if (!r)                          /* it was here when the command came */
		return task_fail(p, RES_INVALID_CDB_FIELD);
	out_8(&o, r->page | (subpages ? LOG_SPF : 0) | (r->page == LOG_SUPPORTED && !subpages ? 0 : LOG_DS));
	out_8(&o, subpages ? LOG_SUB_ALL : 0);
	out_16(&o, 0);
	r->write(p, &o);
	out_patch_16(&o, 2, o.len - 4);
	return task_out_end(p, &o);
}

enum step run_log_sense(struct scsi_task *t, struct task *p, int status)
{
	if ((t->cdb[2] & 0x3f) != LOG_PROVISIONING)
		return answer(t, p, status);
	p->next = answer;
	p->work = (struct work){ .work = ask_used, .done = asked_used };
	reactor_work(p->itl->nexus->reactor, &p->work);
	return STEP_WAIT;
}
