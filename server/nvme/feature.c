/* SPDX-License-Identifier: GPL-3.0-or-later */
/* feature.c - Get Features and Set Features.  Base 2.1 sections 5.1.11, 5.1.25.  Nothing is saved: a host
 * sets its features again when it connects. */
#include "nvme/ops_priv.h"

#include "wire/nvme_identify.h"
#include "wire/nvme_log.h"

enum { SEL_CURRENT, SEL_DEFAULT, SEL_SAVED, SEL_CAPABILITIES };
#define MS 1000000ull

struct feature {
	uint8_t id;
	bool discovery, per_ns, changeable;
	bool waits;                      /* a set that succeeds goes on by itself */
	uint16_t data_bytes;
	uint32_t preset;
	enum nvme_result (*get)(struct job *j, uint8_t *data);   /* into c->result, data */
	enum nvme_result (*set)(struct job *j, const uint8_t *data);
};

static struct nvme_ctrl *ctrl(const struct job *j)
{
	return j->queue->ctrl;
}

/* ---- plain values --------------------------------------------------------------------------------------------------- */
#define PLAIN(name, field)                                                               \
	static enum nvme_result get_##name(struct job *j, uint8_t *data)                 \
	{                                                                                \
		(void)data;                                                              \
		j->c->result = ctrl(j)->feat.field;                                      \
		return RES_OK;                                                           \
	}                                                                                \
	static enum nvme_result set_##name(struct job *j, const uint8_t *data)           \
	{                                                                                \
		(void)data;                                                              \
		ctrl(j)->feat.field = job_cdw(j, 11);                                    \
		return RES_OK;                                                           \
	}
PLAIN(arbitration, arbitration)
PLAIN(error_recovery, error_recovery)
PLAIN(atomicity, atomicity)
PLAIN(async_event, async_event)

static enum nvme_result get_power(struct job *j, uint8_t *data)
{
	(void)data;
	j->c->result = ctrl(j)->feat.power;
	return RES_OK;
}

static enum nvme_result set_power(struct job *j, const uint8_t *data)
{
	(void)data;
	if (job_cdw(j, 11) & 0x1f)
		return job_cdw_field(j, 11, 0);  /* there is one power state */
	ctrl(j)->feat.power = job_cdw(j, 11);
	return RES_OK;
}

/* Composite temperature only; we have no sensors. */
static uint32_t *threshold(struct job *j)
{
	uint32_t cdw11 = job_cdw(j, 11), sensor = cdw11 >> 16 & 15, under = cdw11 >> 20 & 3;
	if ((sensor && sensor != 15) || under > 1)
		return NULL;
	return &ctrl(j)->feat.temperature[under];
}

static enum nvme_result get_temperature(struct job *j, uint8_t *data)
{
	const uint32_t *t = threshold(j);
	(void)data;
	if (!t)
		return job_cdw_field(j, 11, 16);
	j->c->result = *t;
	return RES_OK;
}

static enum nvme_result set_temperature(struct job *j, const uint8_t *data)
{
	uint32_t *t = threshold(j);
	(void)data;
	if (!t)
		return job_cdw_field(j, 11, 16);
	*t = job_cdw(j, 11) & 0xffff;
	return RES_OK;
}

/* ---- write cache: the backend's, or set by a SCSI host, so one of ours may only agree ----------------------------------------------------------- */
static enum nvme_result get_cache(struct job *j, uint8_t *data)
{
	const struct nvme_ns_map *m = j->view->map;
	struct volume_limits l;
	(void)data;
	for (size_t i = 0; i < m->count; i++) {
		volume_limits(m->entry[i].ns->volume, &l);
		j->c->result |= l.volatile_cache && !volume_write_through(m->entry[i].ns->volume);
	}
	return RES_OK;
}

static enum nvme_result set_cache(struct job *j, const uint8_t *data)
{
	(void)data;
	(void)get_cache(j, NULL);
	bool same = (job_cdw(j, 11) & 1) == j->c->result;
	j->c->result = 0;
	return same ? RES_OK : RES_NOT_CHANGEABLE;
}

/* ---- queues ------------------------------------------------------------------------------------------------------------ */
static enum nvme_result get_queues(struct job *j, uint8_t *data)
{
	uint32_t n = atomic_load(&ctrl(j)->granted_queues) - 1u;
	(void)data;
	j->c->result = n << 16 | n;
	return RES_OK;
}

static enum nvme_result set_queues(struct job *j, const uint8_t *data)
{
	struct nvme_ctrl *c = ctrl(j);
	uint32_t sq = job_cdw(j, 11) & 0xffff, cq = job_cdw(j, 11) >> 16;
	bool in_use = false;
	(void)data;
	if (sq == 0xffff || cq == 0xffff)
		return job_cdw_field(j, 11, sq == 0xffff ? 0 : 16);
	pthread_mutex_lock(&c->mutex);
	for (unsigned i = 1; i <= c->max_queues; i++)
		in_use |= c->queue[i] != NULL;
	pthread_mutex_unlock(&c->mutex);
	if (in_use)
		return RES_SEQUENCE;
	atomic_store(&c->granted_queues, (uint16_t)min_u64(min_u64(sq, cq) + 1, c->max_queues));
	return get_queues(j, NULL);
}

/* ---- time ---------------------------------------------------------------------------------------------------------------- */
static enum nvme_result get_timestamp(struct job *j, uint8_t *data)
{
	const struct nvme_ctrl *c = ctrl(j);
	bool set = c->feat.timestamp_ns != 0;
	uint64_t from = set ? c->feat.timestamp_ns : c->start_ns;
	uint64_t ms = c->feat.timestamp_ms + (reactor_clock_ns() - from) / MS;
	le64 w = le64_of((ms & 0xffffffffffffu) | (uint64_t)(set ? 1 << 1 : 0) << 48);
	memcpy(data, &w, sizeof(w));
	return RES_OK;
}

static enum nvme_result set_timestamp(struct job *j, const uint8_t *data)
{
	le64 w;
	memcpy(&w, data, sizeof(w));
	ctrl(j)->feat.timestamp_ms = le64_get(w) & 0xffffffffffffu;
	ctrl(j)->feat.timestamp_ns = reactor_clock_ns();
	return RES_OK;
}

static enum nvme_result get_keep_alive(struct job *j, uint8_t *data)
{
	(void)data;
	j->c->result = ctrl(j)->kato_ms;
	return RES_OK;
}

static enum nvme_result set_keep_alive(struct job *j, const uint8_t *data)
{
	uint64_t ms = ((uint64_t)job_cdw(j, 11) + 99) / 100 * 100;
	(void)data;
	ctrl(j)->kato_ms = (uint32_t)min_u64(ms, UINT32_MAX);
	ctrl_keep_alive(ctrl(j));
	return RES_OK;
}

/* ---- host ---------------------------------------------------------------------------------------------------------------- */
static enum nvme_result get_behavior(struct job *j, uint8_t *data)
{
	struct nvme_host_behavior d;
	memset(&d, 0, sizeof(d));
	d.acre = ctrl(j)->feat.acre;
	d.cdfe = le16_of(ctrl(j)->feat.copy_formats);
	memcpy(data, &d, sizeof(d));
	return RES_OK;
}

static enum nvme_result set_behavior(struct job *j, const uint8_t *data)
{
	struct nvme_host_behavior d;
	memcpy(&d, data, sizeof(d));
	uint16_t formats = le16_get(d.cdfe);
	if (d.acre > 1 || d.etdas > 1 || d.lbafee > 1 || formats & ~COPY_FORMATS)
		return RES_INVALID_FIELD;
	ctrl(j)->feat.acre = d.acre;
	ctrl(j)->feat.copy_formats = formats;
	atomic_store(&ctrl(j)->copy_formats, formats);
	return RES_OK;
}

static enum nvme_result get_host_id(struct job *j, uint8_t *data)
{
	if (!(job_cdw(j, 11) & 1))
		return job_cdw_field(j, 11, 0);  /* fabrics: 128 bits, always */
	memcpy(data, ctrl(j)->host_id, 16);
	return RES_OK;
}

static enum nvme_result set_host_id(struct job *j, const uint8_t *data)
{
	(void)j;
	(void)data;
	return RES_SEQUENCE;             /* Connect has set it, Base 5.1.25.1.28 */
}

/* ---- reservations ----------------------------------------------------------------------------------------------------------- */
static enum nvme_result get_resv_mask(struct job *j, uint8_t *data)
{
	const struct nvme_ctrl *c = ctrl(j);
	uint32_t nsid = le32_get(job_sqe(j)->nsid);
	(void)data;
	if (!map_find(j->view->map, nsid))
		return RES_INVALID_NS;
	j->c->result = c->resv_mask_all;
	for (size_t i = 0; i < c->resv_mask_count; i++)
		if (c->resv_mask[i].nsid == nsid)
			j->c->result = c->resv_mask[i].mask;
	return RES_OK;
}

static enum nvme_result set_resv_mask(struct job *j, const uint8_t *data)
{
	struct nvme_ctrl *c = ctrl(j);
	uint32_t nsid = le32_get(job_sqe(j)->nsid);
	uint8_t mask = job_cdw(j, 11) & 0x0e;
	(void)data;
	if (nsid == NVME_NSID_ALL) {
		c->resv_mask_all = mask;
		c->resv_mask_count = 0;
		return RES_OK;
	}
	if (!map_find(j->view->map, nsid))
		return RES_INVALID_NS;
	for (size_t i = 0; i < c->resv_mask_count; i++)
		if (c->resv_mask[i].nsid == nsid) {
			c->resv_mask[i].mask = mask;
			return RES_OK;
		}
	struct resv_mask *more = realloc(c->resv_mask, (c->resv_mask_count + 1) * sizeof(*more));
	if (!more)
		return RES_NO_MEMORY;
	c->resv_mask = more;
	more[c->resv_mask_count++] = (struct resv_mask){ nsid, mask };
	return RES_OK;
}

static enum nvme_result get_resv_persist(struct job *j, uint8_t *data)
{
	const struct ns_slot *s = map_find(j->view->map, le32_get(job_sqe(j)->nsid));
	struct resv_state state;
	(void)data;
	if (!s)
		return RES_INVALID_NS;
	if (volume_resv_read(s->ns->volume, &state) < 0)
		return RES_NO_MEMORY;
	j->c->result = state.aptpl;
	free(state.registrants);
	return RES_OK;
}

static enum nvme_result set_resv_persist(struct job *j, const uint8_t *data)
{
	const struct ns_slot *s = map_find(j->view->map, le32_get(job_sqe(j)->nsid));
	(void)data;
	if (!s)
		return RES_INVALID_NS;
	resv_set_persist(j, s->ns->volume, job_cdw(j, 11) & 1);
	return RES_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------- */
static const struct feature rows[] = {
	{ .id = NVME_FEAT_ARBITRATION, .changeable = true, .preset = 7, .get = get_arbitration, .set = set_arbitration },
	{ .id = NVME_FEAT_POWER, .changeable = true, .get = get_power, .set = set_power },
	{ .id = NVME_FEAT_TEMPERATURE, .changeable = true, .preset = 0xffff,
	  .get = get_temperature, .set = set_temperature },
	{ .id = NVME_FEAT_ERROR_RECOVERY, .changeable = true, .get = get_error_recovery, .set = set_error_recovery },
	{ .id = NVME_FEAT_WRITE_CACHE, .get = get_cache, .set = set_cache },
	{ .id = NVME_FEAT_QUEUES, .changeable = true, .get = get_queues, .set = set_queues },
	{ .id = NVME_FEAT_ATOMICITY, .changeable = true, .get = get_atomicity, .set = set_atomicity },
	{ .id = NVME_FEAT_ASYNC_EVENT, .discovery = true, .changeable = true,
	  .get = get_async_event, .set = set_async_event },
	{ .id = NVME_FEAT_TIMESTAMP, .changeable = true, .data_bytes = 8, .get = get_timestamp, .set = set_timestamp },
	{ .id = NVME_FEAT_KEEP_ALIVE, .discovery = true, .changeable = true,
	  .get = get_keep_alive, .set = set_keep_alive },
	{ .id = NVME_FEAT_HOST_BEHAVIOR, .changeable = true, .data_bytes = sizeof(struct nvme_host_behavior),
	  .get = get_behavior, .set = set_behavior },
	{ .id = NVME_FEAT_HOST_ID, .discovery = true, .data_bytes = 16, .get = get_host_id, .set = set_host_id },
	{ .id = NVME_FEAT_RESV_MASK, .per_ns = true, .changeable = true, .get = get_resv_mask, .set = set_resv_mask },
	{ .id = NVME_FEAT_RESV_PERSIST, .per_ns = true, .changeable = true, .waits = true, .get = get_resv_persist, .set = set_resv_persist },
};

static enum nvme_result find(struct job *j)
{
	uint8_t id = (uint8_t)job_cdw(j, 10);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		if (rows[i].id == id && (rows[i].discovery || !ctrl(j)->subsystem->discovery)) {
			j->mark = i;
			return RES_OK;
		}
	return job_cdw_field(j, 10, 0);
}

static bool names_ns(const struct job *j)
{
	uint32_t nsid = le32_get(job_sqe(j)->nsid);
	return nsid && nsid != NVME_NSID_ALL;
}

enum nvme_result parse_get_features(struct job *j)
{
	enum nvme_result r = find(j);
	uint32_t select = job_cdw(j, 10) >> 8 & 7;
	if (r)
		return r;
	if (select > SEL_CAPABILITIES)
		return job_cdw_field(j, 10, 8);
	const struct feature *f = &rows[j->mark];
	if (f->per_ns && select == SEL_CURRENT && ctrl_ana_result(ctrl(j)))
		return ctrl_ana_result(ctrl(j));
	j->mark2 = select;
	return select == SEL_CAPABILITIES || !f->data_bytes ? RES_OK : parse_answer(j, f->data_bytes);
}

enum step run_get_features(struct job *j, int status)
{
	const struct feature *f = &rows[j->mark];
	struct nvme_cmd *c = j->c;
	struct out o = job_out(j, 0);
	(void)status;
	if (j->mark2 == SEL_CAPABILITIES) {
		c->result = (f->per_ns ? 2u : 0) | (f->changeable ? 4u : 0);
		return STEP_END;
	}
	if (j->mark2 == SEL_CURRENT || f->id == NVME_FEAT_HOST_ID || f->id == NVME_FEAT_WRITE_CACHE)
		j->result = (uint8_t)f->get(j, o.p);
	else if (f->id == NVME_FEAT_QUEUES)      /* default and saved: what a new controller has */
		c->result = (ctrl(j)->max_queues - 1u) << 16 | (ctrl(j)->max_queues - 1u);
	else
		c->result = f->preset;
	if (c->direction == NVME_TO_HOST)
		return job_out_end(j);
	return STEP_END;
}

enum nvme_result parse_set_features(struct job *j)
{
	enum nvme_result r = find(j);
	if (r)
		return r;
	const struct feature *f = &rows[j->mark];
	if (job_cdw(j, 10) >> 31)
		return RES_NOT_SAVEABLE;
	if (names_ns(j) && !f->per_ns)
		return RES_NOT_PER_NS;
	if (f->per_ns && ctrl_ana_result(ctrl(j)))
		return ctrl_ana_result(ctrl(j));
	return f->data_bytes && f->changeable ? parse_list(j, f->data_bytes) : RES_OK;
}

enum step run_set_features(struct job *j, int status)
{
	const uint8_t *data = j->piece_count ? j->piece[0].iov_base : NULL;
	(void)status;
	j->result = (uint8_t)rows[j->mark].set(j, data);
	return rows[j->mark].waits && !j->result ? STEP_WAIT : STEP_END;
}

/* ---- the log page about them, Base 5.1.12.1.17 -------------------------------------------------------------------------------- */
enum nvme_result log_features(struct job *j, struct out *o)
{
	for (unsigned id = 0; id < 256; id++) {
		uint32_t v = 0;
		for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
			if (rows[i].id == id && (rows[i].discovery || !ctrl(j)->subsystem->discovery))
				v = 1u | (rows[i].changeable ? 1u << 4 : 0) | (rows[i].per_ns ? 1u << 20 : 1u << 21);
		out_le32(o, v);
	}
	return RES_OK;
}
