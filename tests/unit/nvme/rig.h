/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.h - a host without a transport: controllers and queues on real reactors, over real volumes, and
 * commands that are sent and waited for one by one or several at a time. */
#ifndef HOLDFAST_TESTS_NVME_RIG_H
#define HOLDFAST_TESTS_NVME_RIG_H

#include "../block/rig.h"
#include "nvme/nvme.h"
#include "wire/nvme.h"
#include "wire/nvme_identify.h"
#include "wire/nvme_log.h"

#define QUEUES 4u
struct host {                            /* one controller and its queues */
	struct nvme_ctrl *c;
	struct nvme_queue *q[QUEUES + 2];
	struct reactor *on[QUEUES + 2];
	struct nvme_ctrl_spec spec;
	struct nvme_ns_map *map;
	uint16_t qid, cid;
	_Atomic unsigned resets, deaths;
	int result;
	bool closed;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

/* ---- commands --------------------------------------------------------------------------------------------- */
struct cmd {
	struct nvme_cmd c;
	struct msg msg;
	struct reactor *on;
	uint8_t opcode, fuse;
	uint32_t nsid, cdw10, cdw11, cdw12, cdw13, cdw14;
	const void *out;                 /* host to controller */
	uint8_t *in;                     /* controller to host, copied here */
	size_t len, in_len;              /* what SGL1 says; what came */
	bool hold;                       /* parse only: execute with cmd_go() */
	uint16_t cid, status;            /* status without M and DNR: cmd_full() has them */
	uint16_t full;
	uint64_t result;
	bool refused, aborted, over, no_sgl;
	struct buf_waiter waiter;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

static inline void cmd_over(struct cmd *c)
{
	c->full = c->c.status;
	c->status = c->c.status & NVME_STATUS_CODE;
	c->result = c->c.result;
	c->aborted = c->c.aborted;
	c->in_len = 0;
	uint64_t left = c->c.data_in_bytes;
	for (unsigned i = 0; i < c->c.iov_count && left; i++) {
		size_t some = left < c->c.iov[i].iov_len ? (size_t)left : c->c.iov[i].iov_len;
		if (c->in)
			memcpy(c->in + c->in_len, c->c.iov[i].iov_base, some);
		c->in_len += some;
		left -= some;
	}
	nvme_cmd_release(&c->c);
	pthread_mutex_lock(&c->lock);
	c->over = true;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->lock);
}
static inline void cmd_done(struct nvme_cmd *n)
{
	cmd_over(container_of(n, struct cmd, c));
}
static inline void cmd_bring(struct cmd *c)
{
	size_t done = 0;
	if (c->c.direction == NVME_FROM_HOST && nvme_cmd_buffer(&c->c, &c->waiter))
		return;                  /* cmd_ready */
	for (unsigned i = 0; c->c.direction == NVME_FROM_HOST && i < c->c.iov_count && done < c->len; i++) {
		size_t some = c->len - done < c->c.iov[i].iov_len ? c->len - done : c->c.iov[i].iov_len;
		memcpy(c->c.iov[i].iov_base, (const uint8_t *)c->out + done, some);
		done += some;
	}
	nvme_cmd_execute(&c->c);
}
static inline void cmd_ready(struct buf_waiter *w)
{
	cmd_bring(container_of(w, struct cmd, waiter));
}
static inline void cmd_run(struct msg *m)
{
	struct cmd *c = container_of(m, struct cmd, msg);
	struct nvme_sqe s = {
		.opcode = c->opcode, .flags = (uint8_t)(c->fuse | (c->no_sgl ? 0 : NVME_PSDT_SGL)), .cid = le16_of(c->cid),
		.nsid = le32_of(c->nsid), .cdw10 = le32_of(c->cdw10), .cdw11 = le32_of(c->cdw11),
		.cdw12 = le32_of(c->cdw12), .cdw13 = le32_of(c->cdw13), .cdw14 = le32_of(c->cdw14),
	};
	memcpy(c->c.sqe, &s, sizeof(s));
	c->c.sgl_len_bytes = c->len;
	c->c.done = cmd_done;
	list_init(&c->waiter.link);
	c->waiter.ready = cmd_ready;
	if (nvme_cmd_parse(&c->c)) {
		c->refused = true;
		cmd_over(c);
	} else if (!c->hold) {
		cmd_bring(c);
	}
}
static inline void cmd_go_run(struct msg *m)
{
	cmd_bring(container_of(m, struct cmd, msg));
}
static inline void cmd_drop_run(struct msg *m)
{
	struct cmd *c = container_of(m, struct cmd, msg);
	nvme_cmd_drop(&c->c);
	c->c.data_in_bytes = 0;
	cmd_over(c);
}
static inline void cmd_send(struct host *h, uint16_t qid, struct cmd *c)
{
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	c->on = h->on[qid];
	c->c.queue = h->q[qid];
	c->over = c->refused = false;
	if (!c->cid)
		c->cid = ++h->cid;
	c->msg.run = cmd_run;
	reactor_post(c->on, &c->msg);
}
static inline void cmd_go(struct cmd *c)
{
	c->msg.run = cmd_go_run;
	reactor_post(c->on, &c->msg);
}
static inline void cmd_drop(struct cmd *c)
{
	c->msg.run = cmd_drop_run;
	reactor_post(c->on, &c->msg);
}
static inline void cmd_wait(struct cmd *c)
{
	pthread_mutex_lock(&c->lock);
	while (!c->over)
		pthread_cond_wait(&c->cond, &c->lock);
	pthread_mutex_unlock(&c->lock);
}
static inline bool cmd_is_over(struct cmd *c, unsigned ms)
{
	for (unsigned i = 0; i <= ms; i++) {
		pthread_mutex_lock(&c->lock);
		bool over = c->over;
		pthread_mutex_unlock(&c->lock);
		if (over)
			return true;
		usleep(1000);
	}
	return false;
}
/* The status without M and DNR. */
static inline uint16_t cmd_do(struct host *h, uint16_t qid, struct cmd *c)
{
	cmd_send(h, qid, c);
	cmd_wait(c);
	return c->status;
}

/* ---- controllers ------------------------------------------------------------------------------------------------ */
static inline void host_dead(void *arg, const char *why)
{
	(void)why;
	((struct host *)arg)->deaths++;
}
static inline void host_reset(void *arg)
{
	((struct host *)arg)->resets++;
}
static inline int host_make(void *arg)
{
	struct host *h = arg;
	int r = nvme_ctrl_new(&h->spec, &h->c);
	if (!r)
		r = nvme_queue_new(h->c, 0, 32, &h->q[0]);
	return r;
}
static inline int host_cc(void *arg)
{
	struct host *h = arg;
	h->result = nvme_property_set(h->c, NVME_REG_CC, false, (uint64_t)(unsigned)h->result);
	return h->result;
}
static inline void host_set_cc(struct host *h, uint32_t cc)
{
	h->result = (int)cc;
	assert_int_equal(reactor_call(h->on[0], host_cc, h), 0);
}
static inline int host_make_queue(void *arg)
{
	struct host *h = arg;
	return nvme_queue_new(h->c, h->qid, 128, &h->q[h->qid]);
}
static inline int host_queue(struct host *h, struct reactor *on, uint16_t qid)
{
	h->qid = qid;
	h->on[qid] = on;
	return reactor_call(on, host_make_queue, h);
}
#define CC_ON (NVME_CC_EN | NVME_CC_IOSQES_64 | NVME_CC_IOCQES_16)
static inline void host_connect(struct host *h, struct reactor *on, struct nvme_subsystem *s, struct nvme_ns_map *map,
				uint8_t id)
{
	memset(h, 0, sizeof(*h));
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->cond, NULL);
	h->on[0] = on;
	h->spec = (struct nvme_ctrl_spec){ .subsystem = s, .map = map, .host_nqn = "nqn.2026-11.test:host",
					   .host_id = { id, 0x55 }, .port_id = 1, .in_capsule_bytes = 8192,
					   .max_transfer_bytes = 1 << 20, .max_queues = QUEUES, .max_entries = 128,
					   .dead = host_dead, .reset = host_reset, .arg = h };
	assert_int_equal(reactor_call(on, host_make, h), 0);
}
static inline void host_open(struct host *h, struct reactor *on, struct nvme_subsystem *s, struct nvme_ns_map *map,
			     uint8_t id)
{
	host_connect(h, on, s, map, id);
	host_set_cc(h, CC_ON);
	assert_int_equal(host_queue(h, on, 1), 0);
}
static inline void host_closed(void *arg)
{
	struct host *h = arg;
	pthread_mutex_lock(&h->lock);
	h->closed = true;
	pthread_cond_signal(&h->cond);
	pthread_mutex_unlock(&h->lock);
}
static inline int host_close_queue(void *arg)
{
	struct host *h = arg;
	nvme_queue_close(TAKE(h->q[h->qid]), NULL, NULL);
	return 0;
}
static inline int host_close_ctrl(void *arg)
{
	struct host *h = arg;
	nvme_ctrl_close(h->c, host_closed, h);
	return 0;
}
static inline void host_drop_queue(struct host *h, uint16_t qid)
{
	h->qid = qid;
	assert_int_equal(reactor_call(h->on[qid], host_close_queue, h), 0);
}
static inline void host_close(struct host *h)
{
	for (uint16_t i = QUEUES + 1; i-- > 0;)
		if (h->q[i])
			host_drop_queue(h, i);
	assert_int_equal(reactor_call(h->on[0], host_close_ctrl, h), 0);
	pthread_mutex_lock(&h->lock);
	while (!h->closed)
		pthread_cond_wait(&h->cond, &h->lock);
	pthread_mutex_unlock(&h->lock);
}
static inline int host_map_run(void *arg)
{
	struct host *h = arg;
	nvme_ctrl_set_map(h->c, h->map);
	return 0;
}
static inline void host_set_map(struct host *h, struct nvme_ns_map *map)
{
	h->map = map;
	assert_int_equal(reactor_call(h->on[0], host_map_run, h), 0);
}

/* ---- one subsystem ------------------------------------------------------------------------------------------------ */
static inline struct nvme_subsystem *subsystem(bool discovery)
{
	struct nvme_subsystem_spec s = { .nqn = discovery ? NVME_NQN_DISCOVERY : "nqn.2026-11.test:disk",
					 .serial = "0123456789abcdef0123", .discovery = discovery };
	struct nvme_subsystem *r = NULL;
	assert_int_equal(nvme_subsystem_new(&s, &r), 0);
	return r;
}
static inline struct nvme_ns_map *map_of(struct volume *v, uint32_t nsid, bool read_only)
{
	struct nvme_ns_entry e = { .nsid = nsid, .read_only = read_only, .ana_group = 1, .volume = v };
	struct nvme_ns_map *m = NULL;
	assert_int_equal(nvme_ns_map_new(&e, 1, &m), 0);
	return m;
}
static inline uint32_t get32(const void *p)
{
	le32 v;
	memcpy(&v, p, sizeof(v));
	return le32_get(v);
}
static inline uint64_t get64(const void *p)
{
	le64 v;
	memcpy(&v, p, sizeof(v));
	return le64_get(v);
}
/* Until everything that was posted to the reactors so far has run, and what that has posted. */
static inline int host_nothing(void *arg)
{
	(void)arg;
	return 0;
}
static inline void rig_calm(struct rig *g)
{
	for (unsigned round = 0; round < 4; round++)
		for (unsigned i = 0; i < g->count; i++)
			assert_int_equal(reactor_call(g->reactor[i], host_nothing, NULL), 0);
}

#endif
