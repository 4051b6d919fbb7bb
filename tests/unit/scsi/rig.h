/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rig.h - a target without a transport: units on real volumes, nexuses on real reactors, and commands
 * that are sent and waited for one by one or several at a time. */
#ifndef HOLDFAST_TESTS_SCSI_RIG_H
#define HOLDFAST_TESTS_SCSI_RIG_H

#include "../block/rig.h"
#include "scsi/scsi.h"
#include "wire/scsi.h"

/* ---- commands ----------------------------------------------------------------------------------------- */
struct cmd {
	struct scsi_task t;
	struct msg msg, then;            /* what follows may be posted before the first has run */
	struct reactor *on;
	uint8_t cdb[16], cdb_len;
	const void *out;                 /* Data-Out; out_len may be less than the CDB asks for */
	size_t out_len;
	uint8_t *in;                     /* Data-In is copied here */
	size_t in_room, in_len;
	bool hold;                       /* parse only: execute with cmd_go() */
	uint8_t status, sense[SCSI_SENSE_MAX];
	uint16_t sense_len;
	bool refused, aborted, over;
	struct buf_waiter waiter;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

static inline void cmd_over(struct cmd *c)
{
	c->status = c->t.status;
	c->aborted = c->t.aborted;
	c->sense_len = c->t.sense_len;
	memcpy(c->sense, c->t.sense, c->t.sense_len);
	c->in_len = 0;
	uint64_t left = c->t.data_in_bytes;
	for (unsigned i = 0; i < c->t.iov_count && left; i++) {
		size_t some = left < c->t.iov[i].iov_len ? (size_t)left : c->t.iov[i].iov_len;
		if (c->in && c->in_len + some <= c->in_room)
			memcpy(c->in + c->in_len, c->t.iov[i].iov_base, some);
		c->in_len += some;
		left -= some;
	}
	scsi_task_release(&c->t);
	pthread_mutex_lock(&c->lock);
	c->over = true;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->lock);
}
static inline void cmd_done(struct scsi_task *t)
{
	cmd_over(container_of(t, struct cmd, t));
}
static inline void cmd_execute(struct cmd *c)
{
	size_t done = 0, len = c->out_len < c->t.data_len_bytes ? c->out_len : (size_t)c->t.data_len_bytes;
	if (c->t.direction != SCSI_DATA_OUT)
		len = 0;
	for (unsigned i = 0; i < c->t.iov_count && done < len; i++) {
		size_t some = len - done < c->t.iov[i].iov_len ? len - done : c->t.iov[i].iov_len;
		memcpy(c->t.iov[i].iov_base, (const uint8_t *)c->out + done, some);
		done += some;
	}
	scsi_task_execute(&c->t, done);
}
static inline void cmd_buffer(struct cmd *c)
{
	size_t len = c->out_len;
	if (c->t.direction == SCSI_DATA_OUT && scsi_task_buffer(&c->t, len, &c->waiter))
		return;                  /* cmd_buffer_ready */
	cmd_execute(c);
}
static inline void cmd_buffer_ready(struct buf_waiter *w)
{
	cmd_buffer(container_of(w, struct cmd, waiter));
}
static inline void cmd_run(struct msg *m)
{
	struct cmd *c = container_of(m, struct cmd, msg);
	c->t.cdb = c->cdb;
	c->t.cdb_len = 16;
	c->t.done = cmd_done;
	c->waiter.ready = cmd_buffer_ready;
	if (scsi_task_parse(&c->t)) {
		c->refused = true;
		cmd_over(c);
	} else if (!c->hold) {
		cmd_buffer(c);
	}
}
static inline void cmd_go_run(struct msg *m)
{
	cmd_buffer(container_of(m, struct cmd, then));
}
static inline void cmd_drop_run(struct msg *m)
{
	struct cmd *c = container_of(m, struct cmd, then);
	scsi_task_drop(&c->t);
	c->t.data_in_bytes = 0;
	cmd_over(c);
}

/* ---- nexuses -------------------------------------------------------------------------------------------- */
struct nx {
	struct scsi_nexus *n;
	struct reactor *on;
	uint64_t tags;
	struct scsi_nexus_spec spec;
	struct scsi_lun_map *map;
	bool closed;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};
static inline int nx_make(void *arg)
{
	struct nx *x = arg;
	return scsi_nexus_new(&x->spec, &x->n);
}
static inline void nx_open(struct nx *x, struct reactor *on, const char *initiator, uint16_t port, struct scsi_lun_map *map)
{
	memset(x, 0, sizeof(*x));
	x->on = on;
	pthread_mutex_init(&x->lock, NULL);
	pthread_cond_init(&x->cond, NULL);
	x->spec = (struct scsi_nexus_spec){ .initiator_port = initiator,
					    .target_port = "iqn.2026-11.test:disk,t,0x0001",
					    .target_device = "iqn.2026-11.test:disk",
					    .relative_port_id = port, .port_group = port, .map = map };
	assert_int_equal(reactor_call(on, nx_make, x), 0);
}
static inline void nx_closed(void *arg)
{
	struct nx *x = arg;
	pthread_mutex_lock(&x->lock);
	x->closed = true;
	pthread_cond_signal(&x->cond);
	pthread_mutex_unlock(&x->lock);
}
static inline int nx_close_run(void *arg)
{
	struct nx *x = arg;
	scsi_nexus_close(x->n, nx_closed, x);
	return 0;
}
static inline void nx_close(struct nx *x)
{
	assert_int_equal(reactor_call(x->on, nx_close_run, x), 0);
	pthread_mutex_lock(&x->lock);
	while (!x->closed)
		pthread_cond_wait(&x->cond, &x->lock);
	pthread_mutex_unlock(&x->lock);
}
static inline int nx_set_map_run(void *arg)
{
	struct nx *x = arg;
	scsi_nexus_set_map(x->n, x->map);
	return 0;
}
static inline void nx_set_map(struct nx *x, struct scsi_lun_map *map)
{
	x->map = map;
	assert_int_equal(reactor_call(x->on, nx_set_map_run, x), 0);
}

/* ---- send and wait ------------------------------------------------------------------------------------------ */
static inline void cmd_send(struct nx *x, unsigned lun, struct cmd *c)
{
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	c->on = x->on;
	c->over = c->refused = c->aborted = false;
	c->t.nexus = x->n;
	memset(c->t.lun, 0, 8);
	c->t.lun[0] = lun > 255 ? (uint8_t)(0x40 | lun >> 8) : 0;
	c->t.lun[1] = (uint8_t)lun;
	if (!c->t.tag)
		c->t.tag = ++x->tags;
	c->msg.run = cmd_run;
	reactor_post(x->on, &c->msg);
}
static inline void cmd_go(struct cmd *c)
{
	c->then.run = cmd_go_run;
	reactor_post(c->on, &c->then);
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
/* key, ASC, ASCQ as one number: 0x052400 */
static inline unsigned cmd_sense(const struct cmd *c)
{
	if (c->status != SCSI_CHECK_CONDITION || c->sense_len < 4)
		return 0;
	if ((c->sense[0] & 0x7f) >= SCSI_SENSE_DESCRIPTOR)
		return (unsigned)((c->sense[1] & 15) << 16 | c->sense[2] << 8 | c->sense[3]);
	return (unsigned)((c->sense[2] & 15) << 16 | c->sense[12] << 8 | c->sense[13]);
}
static inline uint8_t cmd_do(struct nx *x, unsigned lun, struct cmd *c)
{
	cmd_send(x, lun, c);
	cmd_wait(c);
	return c->status;
}
#define CDB(...) .cdb = { __VA_ARGS__ }
/* Reads unit attentions away. */
static inline void nx_calm(struct nx *x, unsigned lun)
{
	for (unsigned i = 0; i < 20; i++) {
		struct cmd c = { CDB(0) };
		if (cmd_do(x, lun, &c) != SCSI_CHECK_CONDITION || cmd_sense(&c) >> 16 != SCSI_KEY_UNIT_ATTENTION)
			return;
	}
}
static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}
static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}
static inline void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)(v >> 32));
	put32(p + 4, (uint32_t)v);
}
static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

/* ---- task management ------------------------------------------------------------------------------------------ */
struct mgmt {
	struct scsi_tmf_request rq;
	struct msg msg;
	enum scsi_tmf_answer answer;
	bool over;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};
static inline void mgmt_done(struct scsi_tmf_request *rq, enum scsi_tmf_answer answer)
{
	struct mgmt *m = container_of(rq, struct mgmt, rq);
	pthread_mutex_lock(&m->lock);
	m->answer = answer;
	m->over = true;
	pthread_cond_signal(&m->cond);
	pthread_mutex_unlock(&m->lock);
}
static inline void mgmt_run(struct msg *m)
{
	scsi_tmf(&container_of(m, struct mgmt, msg)->rq);
}
static inline void mgmt_send(struct nx *x, unsigned lun, enum scsi_tmf f, uint64_t tag, struct mgmt *m)
{
	memset(m, 0, sizeof(*m));
	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->cond, NULL);
	m->rq.nexus = x->n;
	m->rq.function = f;
	m->rq.lun[1] = (uint8_t)lun;
	m->rq.tag = tag;
	m->rq.done = mgmt_done;
	m->msg.run = mgmt_run;
	reactor_post(x->on, &m->msg);
}
static inline enum scsi_tmf_answer mgmt_wait(struct mgmt *m)
{
	pthread_mutex_lock(&m->lock);
	while (!m->over)
		pthread_cond_wait(&m->cond, &m->lock);
	pthread_mutex_unlock(&m->lock);
	return m->answer;
}

/* ---- one unit on a volume ---------------------------------------------------------------------------------------- */
static inline struct scsi_unit *unit_on(struct volume *v)
{
	struct scsi_unit_spec s = { .volume = v };
	struct scsi_unit *u = NULL;
	assert_int_equal(scsi_unit_new(&s, &u), 0);
	return u;
}
static inline struct scsi_lun_map *map_of(struct scsi_unit *u, uint16_t lun, bool read_only)
{
	struct scsi_lun_entry e = { .lun = lun, .read_only = read_only, .unit = u };
	struct scsi_lun_map *m = NULL;
	assert_int_equal(scsi_lun_map_new(&e, 1, &m), 0);
	return m;
}

#endif
