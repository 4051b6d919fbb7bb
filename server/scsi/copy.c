/* SPDX-License-Identifier: GPL-3.0-or-later */
/* copy.c - runs a third-party copy: segment by segment, in pieces.  SPC-4 5.17.
 *
 * Before each piece everything is asked again that may have changed since the last one: whether this
 * nexus still sees both disks, reservations and write protection on each, whether the token still
 * stands for what it did, whether somebody wants the copy to stop.  A piece is a COPY of the volume, which
 * locks step by step, so COMPARE AND WRITE is atomic against it as against any write. */
#include "scsi/copy_priv.h"

struct copy *copy_new(size_t segments)
{
	return calloc(1, sizeof(struct copy) + segments * sizeof(struct copy_segment));
}

void copy_free(struct copy *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->unit_count; i++)
		scsi_unit_unref(c->unit[i]);
	token_unref(c->token);
	free(c);
}
DEFINE_FREEP(struct copy, copy_free)

static void copy_over(struct task *p)
{
	_cleanup_(copy_freep) struct copy *c = p->heap;
	p->heap = NULL;
	if (c->token && !p->result)
		token_touch(c->token);
	if (c->deletes_token && !p->result && !p->aborting && !c->is_partial)
		token_delete(c->unit[1], c->token);
	copy_record_end(c->record, p, p->aborting ? COPY_TERMINATED :
					     p->result ? COPY_ERROR :
					     c->is_partial ? COPY_PARTIAL : COPY_DONE);
}

/* Points at the segment: its place in the list, and its number in INFORMATION, SPC-4 5.17.7.4. */
static enum step segment_fail(struct task *p, const struct copy *c, enum scsi_result r)
{
	const struct copy_segment *s = &c->segment[c->at];
	if (c->is_token_write)
		return task_fail(p, r);
	(void)task_fail_info(p, r, c->at);
	return task_fail_at(p, r, s->list_at);
}

/* A refusal by a disk is the copy's refusal where it is the disk that the command came to. */
static enum scsi_result refusal(const struct task *p, const struct copy *c, const struct scsi_unit *u, enum scsi_result r)
{
	if (r == RES_OK || r == RES_COPY_UNREACHABLE)
		return r;
	return u == task_unit(p) && !c->record->blocks ? r : RES_COPY_FAILED;
}

static enum scsi_result may_go_on(const struct task *p, const struct copy *c, const struct copy_segment *s)
{
	const struct scsi_unit *to = c->unit[s->target], *from = s->zero ? NULL : c->unit[s->source];
	enum scsi_result r;
	if (c->record->stop)
		return RES_COPY_STOPPED;
	if (!to || (!from && !s->zero))
		return RES_COPY_UNREACHABLE;
	r = refusal(p, c, to, task_may(p, to, true));
	if (!r && from)
		r = refusal(p, c, from, task_may(p, from, false));
	if (!r && c->token)
		r = token_check(c->token);
	if (r)
		return r;
	bool fits = range_fits(s->target_lba, s->count_blocks, volume_block_count(to->volume)) &&
		    (!from || range_fits(s->source_lba, s->count_blocks, volume_block_count(from->volume)));
	if (!fits)
		return c->is_token_write ? RES_LBA_RANGE : RES_COPY_SEGMENT;
	return from && from->block_shift != to->block_shift ? RES_COPY_SEGMENT : RES_OK;
}

static enum step copy_piece(struct scsi_task *t, struct task *p, int status);

/* Within one volume, a target that begins inside of the source is filled from its end. */
static enum step submit(struct task *p, struct copy *c, const struct copy_segment *s)
{
	struct scsi_unit *to = c->unit[s->target];
	uint64_t left = s->count_blocks - c->segment_done, at = c->segment_done;
	uint64_t count = min_u64(left, COPY_PIECE_BYTES >> to->block_shift);
	struct volume_io *io = &p->io;
	if (!s->zero && c->unit[s->source] == to && s->target_lba > s->source_lba &&
	    ranges_overlap(s->source_lba, s->count_blocks, s->target_lba, s->count_blocks))
		at = left - count;
	io->op = s->zero ? VOLUME_ZERO : VOLUME_COPY;
	io->flags = s->zero ? VOLUME_MAY_UNMAP : 0;
	io->iov_count = 0;
	io->lba = s->target_lba + at;
	io->long_count_blocks = count;
	io->src = s->zero ? NULL : c->unit[s->source]->volume;
	io->src_lba = s->source_lba + at;
	p->mark = count;
	return task_io_on(p, to->volume, copy_piece);
}

static enum step copy_piece(struct scsi_task *t, struct task *p, int status)
{
	struct copy *c = p->heap;
	(void)t;
	if (status == -ENOSPC)
		return task_fail(p, RES_NO_SPACE);
	if (status)
		return segment_fail(p, c, RES_COPY_FAILED);
	c->segment_done += p->mark;
	c->record->blocks += p->mark;
	p->mark = 0;
	while (c->at < c->segment_count && c->segment_done == c->segment[c->at].count_blocks) {
		c->segment_done = 0;
		c->at++;
		c->record->segments++;
	}
	if (c->at == c->segment_count) {
		/* What was copied while the source changed may be of two ages. */
		enum scsi_result r = c->token ? token_check(c->token) : RES_OK;
		return r ? task_fail(p, r) : STEP_END;
	}
	const struct copy_segment *s = &c->segment[c->at];
	if (c->until_ns && c->record->blocks && reactor_clock_ns() > c->until_ns) {
		c->is_partial = true;
		return STEP_END;
	}
	enum scsi_result r = may_go_on(p, c, s);
	return r ? segment_fail(p, c, r) : submit(p, c, s);
}

enum step copy_start(struct task *p, struct copy *c)
{
	p->heap = c;
	p->cleanup = copy_over;
	p->mark = 0;
	/* All segments are judged before the first one moves anything. */
	for (c->at = 0; c->at < c->segment_count; c->at++) {
		enum scsi_result r = may_go_on(p, c, &c->segment[c->at]);
		if (r)
			return segment_fail(p, c, r);
	}
	c->at = 0;
	return copy_piece(p->t, p, 0);
}
