/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resv.c - reservations: translated into requests to block/, which holds one state for NVMe and SCSI.
 * Base 2.1 sections 7.5 to 7.8, 8.1.22.  Who is told of losses: event.c, by way of the volume's watcher. */
#include "nvme/ops_priv.h"

/* ---- types ------------------------------------------------------------------------------------------------------- */
static const uint8_t types[] = {         /* by RTYPE, Base figure 567 */
	[1] = RESV_WRITE_EXCLUSIVE, [2] = RESV_EXCLUSIVE_ACCESS, [3] = RESV_WRITE_EXCLUSIVE_REG_ONLY,
	[4] = RESV_EXCLUSIVE_ACCESS_REG_ONLY, [5] = RESV_WRITE_EXCLUSIVE_ALL_REG, [6] = RESV_EXCLUSIVE_ACCESS_ALL_REG,
};

unsigned resv_rtype(enum resv_type t)
{
	for (unsigned i = 1; i < ARRAY_COUNT(types); i++)
		if (types[i] == t)
			return i;
	return 0;
}

static enum resv_type type_of(uint32_t cdw10)
{
	uint32_t rtype = cdw10 >> 8 & 0xff;
	return rtype < ARRAY_COUNT(types) ? (enum resv_type)types[rtype] : RESV_NONE;
}

/* ---- parse --------------------------------------------------------------------------------------------------------- */
enum nvme_result parse_resv_register(struct job *j)
{
	uint32_t cdw10 = job_cdw(j, 10);
	if ((cdw10 & NVME_RESV_ACTION) > NVME_RREGA_REPLACE)
		return job_cdw_field(j, 10, 0);
	if (cdw10 >> 30 == 1)
		return job_cdw_field(j, 10, 30);
	return parse_list(j, sizeof(struct nvme_resv_keys));
}

enum nvme_result parse_resv_acquire(struct job *j)
{
	uint32_t cdw10 = job_cdw(j, 10);
	if ((cdw10 & NVME_RESV_ACTION) > NVME_RACQA_PREEMPT_ABORT)
		return job_cdw_field(j, 10, 0);
	if (cdw10 & NVME_RESV_IEKEY)
		return job_cdw_field(j, 10, 3);
	if (type_of(cdw10) == RESV_NONE)
		return job_cdw_field(j, 10, 8);
	return parse_list(j, sizeof(struct nvme_resv_keys));
}

enum nvme_result parse_resv_release(struct job *j)
{
	uint32_t cdw10 = job_cdw(j, 10);
	unsigned action = cdw10 & NVME_RESV_ACTION;
	if (action > NVME_RRELA_CLEAR)
		return job_cdw_field(j, 10, 0);
	if (cdw10 & NVME_RESV_IEKEY)
		return job_cdw_field(j, 10, 3);
	if (action == NVME_RRELA_RELEASE && type_of(cdw10) == RESV_NONE)
		return job_cdw_field(j, 10, 8);
	return parse_list(j, sizeof(le64));
}

enum nvme_result parse_resv_report(struct job *j)
{
	if (!(job_cdw(j, 11) & 1))
		return RES_HOSTID_FORMAT;        /* our host identifiers have 128 bits, always */
	return parse_answer(j, ((uint64_t)job_cdw(j, 10) + 1) * 4);
}

/* ---- run ------------------------------------------------------------------------------------------------------------- */
static void barrier_over(struct volume_barrier *b)
{
	job_continue(container_of(b, struct job, barrier), 0);
}

static enum step nothing_in_flight(struct job *j, int status)
{
	(void)j;
	(void)status;
	return STEP_END;
}

/* Preempt and Abort: the fenced hosts' commands that wait are ended on their queues (queue_preempt), those that
 * the volume has, by whatever command set, are waited for; after our answer none of them reaches the medium. */
static enum step fenced(struct job *j)
{
	j->next = nothing_in_flight;
	j->barrier = (struct volume_barrier){ .done = barrier_over };
	volume_barrier(job_ns(j)->volume, &j->barrier);
	return STEP_WAIT;
}

static bool aborts(const struct job *j)
{
	return job_sqe(j)->opcode == NVME_IO_RESV_ACQUIRE && (job_cdw(j, 10) & NVME_RESV_ACTION) == NVME_RACQA_PREEMPT_ABORT;
}

static enum step finished(struct job *j, int status)
{
	switch (status) {
	case 0:
		return aborts(j) ? fenced(j) : STEP_END;
	case -EINVAL:
		return job_fail(j, RES_INVALID_FIELD);
	case -ENOSPC:
		return job_fail(j, RES_NO_MEMORY);       /* no room for more registrants */
	case -EIO:
		return job_fail(j, RES_INTERNAL);
	default:
		return job_fail(j, result_of_errno(status, true));
	}
}

static void resv_done(struct resv_request *rq, int status, const struct resv_change *affected, size_t count)
{
	(void)affected;
	(void)count;
	job_continue(container_of(rq, struct job, resv), status);
}

void resv_set_persist(struct job *j, struct volume *v, bool on)
{
	j->resv = (struct resv_request){ .action = RESV_PERSIST, .id = &j->queue->ctrl->resv_id, .aptpl = on, .done = resv_done };
	j->next = finished;
	volume_resv_request(v, &j->resv);
}

static enum step request(struct job *j, enum resv_action action, uint64_t key, uint64_t new_key, enum resv_type type,
			 int aptpl)
{
	j->resv = (struct resv_request){ .action = action, .type = type, .key = key, .new_key = new_key,
					 .id = &j->queue->ctrl->resv_id, .aptpl = aptpl, .abort = aborts(j),
					 .done = resv_done };
	j->next = finished;
	volume_resv_request(job_ns(j)->volume, &j->resv);
	return STEP_WAIT;
}

static struct nvme_resv_keys keys_of(const struct job *j)
{
	struct nvme_resv_keys k = { .crkey = le64_of(0) };
	size_t n = min_u64(sizeof(k), j->piece[0].iov_len);
	memcpy(&k, j->piece[0].iov_base, n);
	return k;
}

/* Is this host registered, and with which key?  1, 0 or -errno. */
static int own_key(const struct job *j, uint64_t *ret_key)
{
	struct resv_state s;
	int r = volume_resv_read(job_ns(j)->volume, &s), found = 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < s.count; i++)
		if (resv_id_is(&s.registrants[i].id, &j->queue->ctrl->resv_id)) {
			*ret_key = s.registrants[i].key;
			found = 1;
		}
	free(s.registrants);
	return found;
}

enum step run_resv_register(struct job *j, int status)
{
	uint32_t cdw10 = job_cdw(j, 10);
	unsigned action = cdw10 & NVME_RESV_ACTION;
	struct nvme_resv_keys k = keys_of(j);
	uint64_t crkey = le64_get(k.crkey), nrkey = le64_get(k.key), mine = 0;
	int aptpl = cdw10 >> 30 ? (int)(cdw10 >> 30 & 1) : -1;
	bool ignore = cdw10 & NVME_RESV_IEKEY;
	(void)status;
	int registered = own_key(j, &mine);
	if (registered < 0)
		return job_fail(j, RES_NO_MEMORY);
	if (action != NVME_RREGA_UNREGISTER && !nrkey)
		return job_fail(j, RES_INVALID_FIELD);   /* block/ and SCSI know no key 0 */
	if (action == NVME_RREGA_REGISTER) {
		if (registered && mine != nrkey)
			return job_fail(j, RES_CONFLICT);
		return request(j, RESV_REGISTER, mine, nrkey, RESV_NONE, aptpl);
	}
	if (!registered)
		return job_fail(j, RES_CONFLICT);
	return request(j, ignore ? RESV_REGISTER_IGNORE : RESV_REGISTER, crkey,
		       action == NVME_RREGA_REPLACE ? nrkey : 0, RESV_NONE, aptpl);
}

enum step run_resv_acquire(struct job *j, int status)
{
	uint32_t cdw10 = job_cdw(j, 10);
	struct nvme_resv_keys k = keys_of(j);
	bool preempts = (cdw10 & NVME_RESV_ACTION) != NVME_RACQA_ACQUIRE;
	(void)status;
	return request(j, preempts ? RESV_PREEMPT : RESV_RESERVE, le64_get(k.crkey), preempts ? le64_get(k.key) : 0,
		       type_of(cdw10), -1);
}

enum step run_resv_release(struct job *j, int status)
{
	uint32_t cdw10 = job_cdw(j, 10);
	struct nvme_resv_keys k = keys_of(j);
	bool clears = (cdw10 & NVME_RESV_ACTION) == NVME_RRELA_CLEAR;
	(void)status;
	return request(j, clears ? RESV_CLEAR : RESV_RELEASE, le64_get(k.crkey), 0,
		       clears ? RESV_NONE : type_of(cdw10), -1);
}

/* ---- report -------------------------------------------------------------------------------------------------------------- */
/* A registrant that came by SCSI has no host identifier: a digest of its name stands for it. */
static void host_id_of(const struct resv_id *id, uint8_t ret[16])
{
	if (id->len == 16) {
		memcpy(ret, id->bytes, 16);
		return;
	}
	uint64_t h[2] = { 0xcbf29ce484222325u, 0x84222325cbf29ce4u };    /* FNV-1a, twice */
	for (unsigned i = 0; i < id->len; i++)
		for (unsigned k = 0; k < 2; k++)
			h[k] = (h[k] ^ id->bytes[i]) * 0x100000001b3u;
	le64 wire[2] = { le64_of(h[0]), le64_of(h[1]) };
	memcpy(ret, wire, 16);
}

enum step run_resv_report(struct job *j, int status)
{
	struct resv_state s;
	(void)status;
	if (volume_resv_read(job_ns(j)->volume, &s) < 0)
		return job_fail(j, RES_NO_MEMORY);
	struct out o = job_out(j, 0);
	struct nvme_resv_status head = { .generation = le32_of(s.generation), .rtype = (uint8_t)resv_rtype(s.type),
					 .registrant_count = le16_of((uint16_t)s.count), .ptpls = s.aptpl };
	out_bytes(&o, &head, sizeof(head));
	for (size_t i = 0; i < s.count; i++) {
		const struct resv_registrant *g = &s.registrants[i];
		struct nvme_resv_registrant w = { .rcsts = g->holder, .rkey = le64_of(g->key) };
		host_id_of(&g->id, w.host_id);
		w.cntlid = le16_of(subsystem_cntlid_of(j->queue->ctrl->subsystem, w.host_id));
		out_bytes(&o, &w, sizeof(w));
	}
	free(s.registrants);
	return job_out_end(j);
}
