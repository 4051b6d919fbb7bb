/* SPDX-License-Identifier: GPL-3.0-or-later */
/* scsi_cdb.c - fuzz target: a conversation of commands and task management with one unit.
 *
 * The volume is a stand-in of 128 blocks that answers at once, with the errors that the input asks for;
 * reservations are a stand-in that tells everybody about everything.  Two nexuses live on one loop, which
 * does one thing after another while the fuzzer waits.  An input is a list of records:
 *
 *	1 byte   bit 0 which nexus, 1 the data come short, 2 TMF instead of a command, 3 LUN without a unit,
 *	         4 abort before execute, 5-6 task attribute,
 *	         7 a CDB of 6 bytes whatever it says
 *	1 byte   error of the volume: 0 none, else an index
 *	16 bytes the CDB (TMF: first byte the function)
 *	2 bytes  length of the Data-Out that follows
 *
 * Checked: done() runs once, no more data than were asked for, a CHECK CONDITION has sense data and nothing
 * else has, everything ends, and all memory comes back (the loop's pool would run dry, ASan would see it). */
#include <semaphore.h>
#include <stdlib.h>

#include "block/block.h"
#include "scsi/scsi_priv.h"
#include "sdk/plugin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

#define MUST(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

/* ---- the stand-in for block/ ------------------------------------------------------------------------------- */
#define BLOCKS 128u
#define BLOCK 512u
struct volume {
	unsigned refs;
	int fault;
	bool write_through;
	uint8_t data[BLOCKS * BLOCK];
	struct volume_watcher *watcher;
	struct resv_registrant registrant[8];
	size_t registrants;
	enum resv_type type;
};
static struct volume vol;

uint32_t volume_block_bytes(const struct volume *v)
{
	(void)v;
	return BLOCK;
}
uint64_t volume_block_count(const struct volume *v)
{
	(void)v;
	return BLOCKS;
}
const uint8_t *volume_uuid(const struct volume *v)
{
	static const uint8_t uuid[16] = { 1, 2, 3 };
	(void)v;
	return uuid;
}
enum volume_state volume_state(const struct volume *v)
{
	return v->fault == -ESHUTDOWN ? VOLUME_OFFLINE : VOLUME_ONLINE;
}
bool volume_is_ready(const struct volume *v)
{
	(void)v;
	return true;
}
enum volume_wipe volume_wipe(const struct volume *v)
{
	(void)v;
	return VOLUME_WIPE_NONE;
}
int volume_wipe_set(struct volume *v, enum volume_wipe w)
{
	(void)v;
	(void)w;
	return 0;
}
void volume_wipe_was_cut_off(struct volume *v)
{
	(void)v;
}
bool volume_is_encrypted(const struct volume *v)
{
	(void)v;
	return true;
}
int volume_key_renew(struct volume *v)
{
	(void)v;
	return 0;
}
void volume_limits(const struct volume *v, struct volume_limits *ret)
{
	(void)v;
	*ret = (struct volume_limits){ .physical_bytes = 4096, .max_io_bytes = 16 * BLOCK,
				       .unmap_granularity_bytes = 4096, .max_zero_bytes = 64 * BLOCK,
				       .unmap_zeroes = true, .thin = true };
}
void volume_set_write_through(struct volume *v, bool on)
{
	v->write_through = on;
}
unsigned volume_wipe_count(const struct volume *v)
{
	(void)v;
	return 0;
}
bool volume_write_through(const struct volume *v)
{
	return v->write_through;
}
const char *volume_uuid_text(const struct volume *v)
{
	(void)v;
	return "00000000-0000-0000-0000-000000000001";
}
struct volume *volume_ref(struct volume *v)
{
	v->refs++;
	return v;
}
void volume_unref(struct volume *v)
{
	v->refs--;
}
void volume_watch(struct volume *v, struct volume_watcher *w)
{
	v->watcher = w;
}
void volume_unwatch(struct volume *v, struct volume_watcher *w)
{
	(void)w;
	v->watcher = NULL;
}
int volume_used_bytes(struct volume *v, uint64_t *ret_bytes)
{
	(void)v;
	*ret_bytes = 4096;
	return 0;
}

static int fake_rw(struct volume *v, struct volume_io *io)
{
	uint64_t bytes = (uint64_t)io->count_blocks * BLOCK, sum = 0, pos = 0;
	for (unsigned i = 0; i < io->iov_count; i++)
		sum += io->iov[i].iov_len;
	MUST(sum == bytes * (io->op == VOLUME_COMPARE_WRITE ? 2 : 1));
	MUST(bytes <= 16 * BLOCK || io->op == VOLUME_COMPARE_WRITE || io->flags & VOLUME_ATOMIC);
	uint8_t *at = v->data + io->lba * BLOCK;
	for (unsigned i = 0; i < io->iov_count; i++)
		for (size_t k = 0; k < io->iov[i].iov_len; k++, pos++) {
			uint8_t *mine = (uint8_t *)io->iov[i].iov_base + k;
			bool compares = io->op == VOLUME_COMPARE || (io->op == VOLUME_COMPARE_WRITE && pos < bytes);
			uint8_t *there = at + pos % bytes;
			if (compares && *there != *mine) {
				io->miscompare_bytes = pos;
				return -EILSEQ;
			}
			if (io->op == VOLUME_READ)
				*mine = *there;
			else if (!compares)
				*there = *mine;
		}
	return 0;
}

const char *volume_name(const struct volume *v)
{
	(void)v;
	return "fuzz";
}
void volume_change_watch(struct volume *v, struct volume_change *c)
{
	(void)v;
	atomic_init(&c->changed, false);
}
void volume_change_unwatch(struct volume *v, struct volume_change *c)
{
	(void)v;
	(void)c;
}

void volume_barrier(struct volume *v, struct volume_barrier *b)
{
	(void)v;
	b->done(b);
}

int volume_claim(struct volume *v, const struct resv_id *id)
{
	(void)v;
	(void)id;
	return 0;
}
void volume_unclaim(struct volume *v, const struct resv_id *id)
{
	(void)v;
	(void)id;
}

void volume_submit(struct volume *v, struct volume_io *io)
{
	static const int *fault = &vol.fault;
	int status = *fault;
	bool ranged = io->op == VOLUME_UNMAP || io->op == VOLUME_ZERO || io->op == VOLUME_SAME || io->op == VOLUME_COPY;
	if (!status && io->op != VOLUME_FLUSH) {
		uint64_t count = ranged ? io->long_count_blocks : io->count_blocks;
		MUST(range_fits(io->lba, count, BLOCKS));        /* scsi/ must have looked */
		if (io->op == VOLUME_COPY) {
			MUST(range_fits(io->src_lba, count, BLOCKS) && io->src == v);
			memmove(v->data + io->lba * BLOCK, v->data + io->src_lba * BLOCK, count * BLOCK);
		} else if (!ranged)
			status = fake_rw(v, io);
		else if (io->op == VOLUME_SAME)
			for (uint64_t i = 0; i < count; i++)
				memcpy(v->data + (io->lba + i) * BLOCK, io->iov[0].iov_base, BLOCK);
		else
			memset(v->data + io->lba * BLOCK, 0, count * BLOCK);
	}
	io->done(io, status);
}
void volume_map(struct volume *v, struct volume_map_io *m)
{
	(void)v;
	MUST(range_fits(m->lba, m->count_blocks, BLOCKS));
	m->status = vol.fault;
	m->ext[0] = (struct hf_extent){ m->lba * BLOCK, 3000, true };
	m->ext[1] = (struct hf_extent){ m->lba * BLOCK + 3000, 100000, false };
	m->ext_count = 2;
	m->done(m);
}

bool volume_resv_allows(struct volume *v, const struct resv_id *id, enum resv_access access)
{
	if (v->type == RESV_NONE)
		return true;
	for (size_t i = 0; i < v->registrants; i++)
		if (v->registrant[i].id.len == id->len && !memcmp(v->registrant[i].id.bytes, id->bytes, id->len))
			return true;
	return access == RESV_ACCESS_READ && v->type == RESV_WRITE_EXCLUSIVE;
}
int volume_resv_read(struct volume *v, struct resv_state *ret)
{
	*ret = (struct resv_state){ .generation = 7, .type = v->type, .count = v->registrants };
	ret->registrants = calloc(v->registrants + 1, sizeof(*ret->registrants));
	MUST(ret->registrants);
	memcpy(ret->registrants, v->registrant, v->registrants * sizeof(*ret->registrants));
	return (int)v->registrants;
}
static void fake_register(struct volume *v, const struct resv_id *id, uint64_t key)
{
	if (v->registrants < ARRAY_COUNT(v->registrant))
		v->registrant[v->registrants++] = (struct resv_registrant){ .id = *id, .key = key };
}
void volume_resv_request(struct volume *v, struct resv_request *rq)
{
	static struct resv_change all[8];
	size_t count = v->registrants;
	for (size_t i = 0; i < count; i++)
		all[i] = (struct resv_change){ .id = v->registrant[i].id, .loss = (enum resv_loss)(rq->key & 3), .abort = rq->abort, .from = rq->from };
	switch (rq->action) {
	case RESV_REGISTER:
	case RESV_REGISTER_IGNORE:
		fake_register(v, rq->id, rq->new_key);
		for (size_t i = 0; i < rq->extra_count; i++)
			fake_register(v, &rq->extra[i], rq->new_key);
		break;
	case RESV_RESERVE:
		v->type = rq->type;
		break;
	case RESV_MOVE:
		fake_register(v, rq->move_to, rq->new_key);
		break;
	default:
		v->type = RESV_NONE;
		v->registrants = 0;
	}
	rq->done(rq, v->fault, all, rq->action == RESV_REGISTER ? 0 : count);
}

/* ---- the conversation ---------------------------------------------------------------------------------------- */
static struct {
	struct reactor *loop;
	struct scsi_unit *unit;
	struct scsi_lun_map *map;
	struct scsi_nexus *nexus[2];
	unsigned open;
	const uint8_t *p;
	size_t left;
	struct msg step;
	struct scsi_task task;
	uint8_t cdb[16];
	struct scsi_tmf_request tmf;
	unsigned pending;                /* the command, its task management: answers to come */
	bool task_done;
	sem_t over;                      /* the loop has said all */
} talk;

static void step(struct msg *m);

static void answered(void)
{
	MUST(talk.pending);
	if (--talk.pending)
		return;
	talk.step.run = step;
	reactor_post(talk.loop, &talk.step);
}

static void check_result(const struct scsi_task *t)
{
	uint64_t room = 0;
	for (unsigned i = 0; i < t->iov_count; i++)
		room += t->iov[i].iov_len;
	MUST(t->data_in_bytes <= t->data_len_bytes && t->data_in_bytes <= room);
	MUST(!t->data_in_bytes || t->direction == SCSI_DATA_IN);
	MUST((t->status == SCSI_CHECK_CONDITION) == (t->sense_len != 0) || t->aborted);
	MUST(t->sense_len <= SCSI_SENSE_MAX);
	volatile uint8_t sum = 0;        /* all of it is memory, and ASan sees what is not */
	uint64_t left = t->data_in_bytes;
	for (unsigned i = 0; i < t->iov_count && left; i++) {
		size_t some = left < t->iov[i].iov_len ? (size_t)left : t->iov[i].iov_len;
		for (size_t k = 0; k < some; k++)
			sum = (uint8_t)(sum + ((const uint8_t *)t->iov[i].iov_base)[k]);
		left -= some;
	}
}

static void task_done(struct scsi_task *t)
{
	MUST(!talk.task_done);
	talk.task_done = true;
	check_result(t);
	scsi_task_release(t);
	answered();
}

static void tmf_done(struct scsi_tmf_request *rq, enum scsi_tmf_answer a)
{
	(void)rq;
	MUST(a <= SCSI_TMF_UNSUPPORTED);
	answered();
}

static void send_tmf(unsigned how, struct scsi_nexus *n, unsigned function, uint64_t tag)
{
	talk.tmf = (struct scsi_tmf_request){ .nexus = n, .function = (enum scsi_tmf)(function % 8), .tag = tag,
					      .done = tmf_done };
	talk.tmf.lun[1] = how & 8 ? 1 : 0;
	talk.pending++;
	scsi_tmf(&talk.tmf);
}

static void send_command(unsigned how, struct scsi_nexus *n, const uint8_t *out, size_t out_len)
{
	struct scsi_task *t = &talk.task;
	static struct buf_waiter nobody;
	static const enum scsi_attribute attributes[] = { SCSI_SIMPLE, SCSI_ORDERED, SCSI_HEAD_OF_QUEUE, SCSI_ACA };
	t->nexus = n;
	memset(t->lun, 0, sizeof(t->lun));
	t->lun[1] = how & 8 ? 1 : 0;
	t->cdb = talk.cdb;
	t->cdb_len = how & 128 ? 6 : sizeof(talk.cdb);
	t->attribute = attributes[how >> 5 & 3];
	t->tag = 1;
	t->done = task_done;
	talk.task_done = false;
	talk.pending = 1;
	if (scsi_task_parse(t)) {
		MUST(t->status != SCSI_GOOD);
		check_result(t);
		scsi_task_release(t);
		answered();
		return;
	}
	uint64_t got = 0;
	if (t->direction == SCSI_DATA_OUT) {
		got = how & 2 ? min_u64(out_len, t->data_len_bytes) : t->data_len_bytes;
		MUST(scsi_task_buffer(t, got, &nobody) == 0);
		uint64_t at = 0;
		for (unsigned i = 0; i < t->iov_count; i++)
			for (size_t k = 0; k < t->iov[i].iov_len; k++, at++)
				((uint8_t *)t->iov[i].iov_base)[k] = at < out_len ? out[at] : 0;
	}
	if (how & 16) {
		send_tmf(how, n, SCSI_ABORT_TASK_SET, 0);
		MUST(talk.task_done || how & 8);
	}
	if (!talk.task_done)
		scsi_task_execute(t, got);
}

static void closed(void *arg)
{
	(void)arg;
	if (!--talk.open)
		sem_post(&talk.over);
}

static void step(struct msg *m)
{
	static const int faults[] = { 0, -EIO, -ENOSPC, -ESHUTDOWN, -EROFS, -ERANGE, -ENOTSUP, -EINVAL, -ENOMEM,
				      -EAGAIN, -EACCES };
	(void)m;
	if (talk.left < 20) {
		scsi_nexus_close(talk.nexus[0], closed, NULL);
		scsi_nexus_close(talk.nexus[1], closed, NULL);
		return;
	}
	unsigned how = talk.p[0];
	vol.fault = talk.p[1] ? faults[talk.p[1] % ARRAY_COUNT(faults)] : 0;
	memcpy(talk.cdb, talk.p + 2, 16);
	size_t out_len = (size_t)(talk.p[18] << 8 | talk.p[19]);
	talk.p += 20;
	talk.left -= 20;
	out_len = out_len < talk.left ? out_len : talk.left;
	const uint8_t *out = talk.p;
	talk.p += out_len;
	talk.left -= out_len;
	if (how & 4)
		send_tmf(how, talk.nexus[how & 1], talk.cdb[0], talk.cdb[1]);
	else
		send_command(how, talk.nexus[how & 1], out, out_len);
}

static void start(struct msg *m)
{
	struct scsi_nexus_spec s = { .initiator_port = "iqn.x:a,i,0x1", .target_port = "iqn.x:t,t,0x1",
				     .target_device = "iqn.x:t", .relative_port_id = 1, .port_group = 1,
				     .map = talk.map };
	MUST(scsi_nexus_new(&s, &talk.nexus[0]) == 0);
	s.initiator_port = "iqn.x:b,i,0x2";
	MUST(scsi_nexus_new(&s, &talk.nexus[1]) == 0);
	talk.open = 2;
	step(m);
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	if (!talk.loop) {
		struct reactor_opts o = { .name = "fuzz", .engine = REACTOR_EPOLL, .cpu = -1 };
		MUST(reactor_new(&o, &talk.loop) == 0);
		MUST(reactor_start(talk.loop) == 0);
		MUST(sem_init(&talk.over, 0, 0) == 0);
		MUST(scsi_start(&talk.loop, 1) == 0);
		sanitize_least_ns = 0;
		(void)log_set_level("all", LOG_LEVEL_ERROR);
	}
	memset(&vol, 0, sizeof(vol));
	talk.pending = 0;
	talk.p = data;
	talk.left = len_bytes < 16384 ? len_bytes : 16384;
	struct scsi_unit_spec us = { .volume = &vol };
	MUST(scsi_unit_new(&us, &talk.unit) == 0);
	struct scsi_lun_entry e = { .lun = 0, .unit = talk.unit };
	MUST(scsi_lun_map_new(&e, 1, &talk.map) == 0);
	talk.step.run = start;
	reactor_post(talk.loop, &talk.step);
	while (sem_wait(&talk.over))
		MUST(errno == EINTR);
	scsi_lun_map_unref(talk.map);
	scsi_unit_unref(talk.unit);
	sanitize_stop_all();
	for (unsigned i = 0; i < 4; i++)         /* an event that is still on its way holds the unit */
		MUST(reactor_call(talk.loop, nothing, NULL) == 0);
	MUST(vol.refs == 0 && !vol.watcher);
	return 0;
}
