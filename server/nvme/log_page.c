/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_page.c - Get Log Page: the rows, the window a host asks for, and the pages about the controller.
 * Base 2.1 section 5.1.12.  Pages that are made of other rooms' state are in log_state.c. */
#include "nvme/ops_priv.h"

#include "wire/nvme_log.h"

#define CSI(j) (job_cdw(j, 14) >> 24)

static const struct {
	uint8_t lid;
	bool io, discovery;              /* which controllers have it */
	bool has_event;                  /* reading it without RAE lets the next event of its kind through */
	uint8_t event;
	log_fn *run;
} rows[] = {
	{ NVME_LOG_SUPPORTED, true, true, false, 0, log_supported },
	{ NVME_LOG_ERROR, true, true, false, 0, log_error_info },
	{ NVME_LOG_HEALTH, true, false, false, 0, log_health },
	{ NVME_LOG_FIRMWARE, true, false, false, 0, log_firmware },
	{ NVME_LOG_NS_CHANGED, true, false, true, EVENT_NS_CHANGED, log_ns_changed },
	{ NVME_LOG_EFFECTS, true, true, false, 0, log_effects },
	{ NVME_LOG_ANA, true, false, true, EVENT_ANA, log_ana },
	{ NVME_LOG_FEATURES, true, true, false, 0, log_features },
	{ NVME_LOG_DISCOVERY, false, true, true, EVENT_DISCOVERY, log_discovery },
	{ NVME_LOG_RESV, true, false, true, EVENT_RESV, log_resv },
};

static bool is_here(const struct job *j, size_t i)
{
	return j->queue->ctrl->subsystem->discovery ? rows[i].discovery : rows[i].io;
}

enum nvme_result parse_log_page(struct job *j)
{
	uint32_t cdw10 = job_cdw(j, 10);
	uint64_t dwords = (cdw10 >> 16 | (uint64_t)(job_cdw(j, 11) & 0xffff) << 16) + 1;
	size_t i = 0;
	while (i < ARRAY_COUNT(rows) && (rows[i].lid != (uint8_t)cdw10 || !is_here(j, i)))
		i++;
	if (i == ARRAY_COUNT(rows)) {
		(void)job_cdw_field(j, 10, 0);
		return RES_LOG_PAGE;
	}
	if (job_cdw(j, 12) & 3)
		return job_cdw_field(j, 12, 0);  /* offsets are of whole dwords */
	if (job_cdw(j, 14) >> 23 & 1)
		return job_cdw_field(j, 14, 23); /* and of bytes, not of entries */
	if (dwords * 4 > min_u64(BUF_PIECE_BYTES, nvme_max_transfer(j->queue->ctrl)))
		return job_cdw_field(j, 10, 16);
	j->mark = i;
	j->mark2 = job_cdw_pair(j, 12);
	return parse_answer(j, dwords * 4);
}

enum step run_log_page(struct job *j, int status)
{
	struct out o = job_out(j, j->mark2);
	bool retain = job_cdw(j, 10) >> 15 & 1;
	(void)status;
	enum nvme_result r = rows[j->mark].run(j, &o);
	if (!r && o.skip > o.len)
		r = job_cdw_field(j, 12, 0);     /* beyond its end */
	if (!r && rows[j->mark].has_event && !retain)
		event_read(j->queue->ctrl, (enum event)rows[j->mark].event);
	j->result = (uint8_t)r;
	return job_out_end(j);
}

enum nvme_result log_supported(struct job *j, struct out *o)
{
	for (unsigned lid = 0; lid < 256; lid++) {
		uint32_t v = 0;
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
			v |= rows[i].lid == lid && is_here(j, i);
		if (v && lid == NVME_LOG_DISCOVERY)
			v |= (uint32_t)NVME_DISCOVERY_PORT_LOCAL << 16;
		out_le32(o, v);
	}
	return RES_OK;
}

enum nvme_result log_error_info(struct job *j, struct out *o)
{
	struct nvme_ctrl *c = j->queue->ctrl;
	pthread_mutex_lock(&c->mutex);
	for (uint64_t i = 0; i < ERROR_MAX; i++) {       /* newest first */
		struct nvme_error_entry w;
		memset(&w, 0, sizeof(w));
		if (i < c->error_count) {
			const struct error_note *e = &c->error[(c->error_count - 1 - i) % ERROR_MAX];
			w = (struct nvme_error_entry){
				.count = le64_of(e->count), .sqid = le16_of(e->sqid), .cid = le16_of(e->cid),
				.status = le16_of(e->status), .param_location = le16_of(e->location),
				.lba = le64_of(e->lba), .nsid = le32_of(e->nsid), .trtype = NVME_TRTYPE_TCP,
				.opcode = e->opcode, .version = 1,
			};
		}
		out_bytes(o, &w, sizeof(w));
	}
	pthread_mutex_unlock(&c->mutex);
	return RES_OK;
}

enum nvme_result log_firmware(struct job *j, struct out *o)
{
	struct nvme_firmware_log d;
	memset(&d, 0, sizeof(d));
	d.active = 1;
	memset(d.revision[0], ' ', sizeof(d.revision[0]));
	memcpy(d.revision[0], j->queue->ctrl->subsystem->firmware, strlen(j->queue->ctrl->subsystem->firmware));
	out_bytes(o, &d, sizeof(d));
	return RES_OK;
}

enum nvme_result log_effects(struct job *j, struct out *o)
{
	bool discovery = j->queue->ctrl->subsystem->discovery;
	if (CSI(j))
		return job_cdw_field(j, 14, 24);
	for (unsigned admin = 2; admin-- > 0;)   /* admin commands come first */
		for (unsigned op = 0; op < 256; op++) {
			const struct nvme_op *row = nvme_op_find(admin, (uint8_t)op);
			bool has = row && (!discovery || (admin && row->flags & OP_DISCOVERY));
			out_le32(o, has ? NVME_EFFECT_SUPPORTED | (uint32_t)row->effects : 0);
		}
	static const uint8_t rest[2048];
	out_bytes(o, rest, sizeof(rest));
	return RES_OK;
}

enum nvme_result log_ns_changed(struct job *j, struct out *o)
{
	struct nvme_ctrl *c = j->queue->ctrl;
	bool many = c->changed_count > CHANGED_MAX, retain = job_cdw(j, 10) >> 15 & 1;
	for (unsigned i = 1; i < c->changed_count && !many; i++)         /* ascending, Base figure 208 */
		for (unsigned k = i; k && c->changed[k - 1] > c->changed[k]; k--) {
			uint32_t t = c->changed[k];
			c->changed[k] = c->changed[k - 1];
			c->changed[k - 1] = t;
		}
	for (unsigned i = 0; i < CHANGED_MAX; i++)
		out_le32(o, many ? (i ? 0 : NVME_NSID_ALL) : i < c->changed_count ? c->changed[i] : 0);
	if (!retain)
		c->changed_count = 0;
	return RES_OK;
}
