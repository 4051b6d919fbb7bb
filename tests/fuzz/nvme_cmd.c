/* SPDX-License-Identifier: GPL-3.0-or-later */
/* nvme_cmd.c - fuzz target: a conversation of commands between two controllers and one namespace.
 *
 * The volume is a stand-in of 128 blocks that answers at once, with the errors that the input asks for;
 * reservations are a stand-in that tells everybody about everything.  Two controllers with an admin and an
 * I/O queue each live on one loop, which does one thing after another while the fuzzer waits.  An input is
 * a list of records:
 *
 *	1 byte   bit 0 which controller, 1 the I/O queue, 2 SGL1 is right (else as long as the data below),
 *	         3 execute only with a later record, 4 drop instead, 5 swap the map first, 6 a property instead,
 *	         7 resize first
 *	1 byte   error of the volume: 0 none, else an index
 *	1 byte   opcode
 *	1 byte   flags: FUSE and PSDT (0 means "SGL")
 *	4 bytes  namespace, CDW10 to CDW14 as 4 bytes each
 *	2 bytes  length of the data that follow
 *
 * Checked: done() runs once, no more data than were asked for, everything ends, and all memory comes back. */
#include <semaphore.h>
#include <stdlib.h>

#include "block/block.h"
#include "nvme/nvme.h"
#include "sdk/plugin.h"
#include "wire/nvme.h"
#include "wire/nvme_log.h"

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
	MUST(bytes <= 16 * BLOCK || io->op == VOLUME_COMPARE_WRITE);
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

void volume_submit(struct volume *v, struct volume_io *io)
{
	static const int *fault = &vol.fault;
	int status = *fault;
	bool ranged = io->op == VOLUME_UNMAP || io->op == VOLUME_ZERO || io->op == VOLUME_COPY;
	if (!status && io->op != VOLUME_FLUSH) {
		uint64_t count = ranged ? io->long_count_blocks : io->count_blocks;
		MUST(range_fits(io->lba, count, BLOCKS));        /* nvme/ must have looked */
		if (!ranged)
			status = fake_rw(v, io);
		else if (io->op == VOLUME_COPY) {
			MUST(range_fits(io->src_lba, count, BLOCKS) && io->src);
			memmove(v->data + io->lba * BLOCK, io->src->data + io->src_lba * BLOCK, count * BLOCK);
		}
		else
			memset(v->data + io->lba * BLOCK, 0, count * BLOCK);
	}
	io->done(io, status);
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

void volume_barrier(struct volume *v, struct volume_barrier *b)
{
	(void)v;
	b->done(b);
}

uint64_t volume_size_bytes(const struct volume *v)
{
	(void)v;
	return BLOCKS * BLOCK;
}
const char *volume_name(const struct volume *v)
{
	(void)v;
	return "fuzz";
}
void volume_stats(const struct volume *v, struct volume_stats *ret)
{
	(void)v;
	memset(ret, 0, sizeof(*ret));
}

/* ---- the conversation ---------------------------------------------------------------------------------------- */
#define RECORD 30u
#define SLOTS 16u
struct slot {
	struct nvme_cmd c;
	bool busy, held;
};
static struct {
	struct reactor *loop;
	struct nvme_subsystem *subsystem;
	struct nvme_ns_map *map[2];
	struct nvme_ctrl *ctrl[2];
	struct nvme_queue *queue[2][2];
	struct slot slot[SLOTS];
	unsigned open;
	const uint8_t *p;
	size_t left;
	struct msg step;
	sem_t over;
} talk;

static void step(struct msg *m);

static void check_result(const struct nvme_cmd *c)
{
	uint64_t room = 0;
	for (unsigned i = 0; i < c->iov_count; i++)
		room += c->iov[i].iov_len;
	MUST(c->data_in_bytes <= c->data_len_bytes && c->data_in_bytes <= room);
	MUST(!c->data_in_bytes || (c->direction == NVME_TO_HOST && !c->status));
	MUST(!(c->status & 0x8000));
	volatile uint8_t sum = 0;        /* all of it is memory, and ASan sees what is not */
	uint64_t left = c->data_in_bytes;
	for (unsigned i = 0; i < c->iov_count && left; i++) {
		size_t some = left < c->iov[i].iov_len ? (size_t)left : c->iov[i].iov_len;
		for (size_t k = 0; k < some; k++)
			sum = (uint8_t)(sum + ((const uint8_t *)c->iov[i].iov_base)[k]);
		left -= some;
	}
}

static void done(struct nvme_cmd *c)
{
	struct slot *s = container_of(c, struct slot, c);
	MUST(s->busy && !s->held);
	check_result(c);
	nvme_cmd_release(c);
	s->busy = false;
}

static void let_go(struct slot *s, bool drop)
{
	s->held = false;
	if (!drop) {
		nvme_cmd_execute(&s->c);
		return;
	}
	nvme_cmd_drop(&s->c);
	nvme_cmd_release(&s->c);
	s->busy = false;
}

static void let_all_go(unsigned drops)
{
	for (unsigned i = 0; i < SLOTS; i++)
		if (talk.slot[i].busy && talk.slot[i].held)
			let_go(&talk.slot[i], drops >> (i & 7) & 1);
}

static void send_command(const uint8_t *r, const uint8_t *out, size_t out_len)
{
	static struct buf_waiter nobody;
	unsigned how = r[0], i = 0;
	while (i < SLOTS && talk.slot[i].busy)
		i++;
	if (i == SLOTS) {
		let_all_go(how);
		return;
	}
	struct slot *s = &talk.slot[i];
	struct nvme_cmd *c = &s->c;
	c->queue = talk.queue[how & 1][how >> 1 & 1];
	memset(c->sqe, 0, sizeof(c->sqe));
	c->sqe[0] = r[2];
	c->sqe[1] = r[3] & 0xc0 ? r[3] : r[3] | NVME_PSDT_SGL;
	c->sqe[2] = (uint8_t)i;
	memcpy(c->sqe + 4, r + 4, 4);
	memcpy(c->sqe + 40, r + 8, 20);
	c->done = done;
	c->sgl_len_bytes = out_len;
	if (how & 4) {                   /* as long as it should be */
		uint64_t count = (r[16] | r[17] << 8) + 1ull;
		bool rw = how & 2 && (r[2] == NVME_IO_READ || r[2] == NVME_IO_WRITE || r[2] == NVME_IO_COMPARE);
		c->sgl_len_bytes = rw ? count * BLOCK : 4096;
	}
	s->busy = true;
	if (nvme_cmd_parse(c)) {
		MUST(c->status);
		check_result(c);
		nvme_cmd_release(c);
		s->busy = false;
		return;
	}
	if (c->direction == NVME_FROM_HOST) {
		MUST(c->data_len_bytes == c->sgl_len_bytes);
		MUST(nvme_cmd_buffer(c, &nobody) == 0);
		uint64_t at = 0;
		for (unsigned k = 0; k < c->iov_count; k++)
			for (size_t b = 0; b < c->iov[k].iov_len; b++, at++)
				((uint8_t *)c->iov[k].iov_base)[b] = at < out_len ? out[at] : 0;
	}
	s->held = true;
	if (!(how & 8))
		let_go(s, how & 16);
}

/* What comes from elsewhere: another state of the paths, a reservation lost, a host fenced. */
static void news(const uint8_t *r)
{
	static const uint8_t states[] = { NVME_ANA_OPTIMIZED, NVME_ANA_NONOPTIMIZED, NVME_ANA_INACCESSIBLE, NVME_ANA_LOSS, NVME_ANA_CHANGE };
	const struct resv_change c = { .id = { .len = 16, .bytes = { (uint8_t)(1 + (r[5] >> 7)) } }, .loss = (enum resv_loss)(r[5] & 3), .abort = r[5] & 4 };
	if (r[3] & 4)
		nvme_ctrl_set_ana(talk.ctrl[r[0] & 1], states[r[4] % ARRAY_COUNT(states)]);
	if (r[3] & 8 && vol.watcher)
		vol.watcher->lost(vol.watcher, &vol, &c, 1);
}

static void property(const uint8_t *r)
{
	uint64_t v;
	news(r);
	if (r[3] & 16)
		return;                  /* that was all */
	(void)nvme_property_get(talk.ctrl[r[0] & 1], r[2], r[3] & 1, &v);
	uint32_t cc = (uint32_t)(r[4] | r[5] << 8 | r[6] << 16);
	(void)nvme_property_set(talk.ctrl[r[0] & 1], NVME_REG_CC, false, r[3] & 2 ? cc : 0x460001);
}

static void closed(void *arg)
{
	(void)arg;
	if (!--talk.open)
		sem_post(&talk.over);
}

static void finish(void)
{
	for (unsigned i = 0; i < 2; i++) {
		nvme_queue_close(talk.queue[i][1], NULL, NULL);
		nvme_queue_close(talk.queue[i][0], NULL, NULL);
		nvme_ctrl_close(talk.ctrl[i], closed, NULL);
	}
	let_all_go(0xaa);
	for (unsigned i = 0; i < SLOTS; i++)
		MUST(!talk.slot[i].busy || !talk.slot[i].held);
}

static void step(struct msg *m)
{
	static const int faults[] = { 0, -EIO, -ENOSPC, -ESHUTDOWN, -EROFS, -ERANGE, -ENOTSUP, -EINVAL, -ENOMEM,
				      -EAGAIN, -EACCES };
	(void)m;
	if (talk.left < RECORD) {
		finish();
		return;
	}
	const uint8_t *r = talk.p;
	size_t out_len = (size_t)(r[28] << 8 | r[29]);
	talk.p += RECORD;
	talk.left -= RECORD;
	out_len = out_len < talk.left ? out_len : talk.left;
	const uint8_t *out = talk.p;
	talk.p += out_len;
	talk.left -= out_len;
	vol.fault = r[1] ? faults[r[1] % ARRAY_COUNT(faults)] : 0;
	if (r[0] & 32)
		nvme_ctrl_set_map(talk.ctrl[r[0] & 1], talk.map[r[1] >> 7]);
	if (r[0] & 128 && vol.watcher)
		vol.watcher->event(vol.watcher, &vol, VOLUME_RESIZED);
	if (r[0] & 64)
		property(r);
	else
		send_command(r, out, out_len);
	talk.step.run = step;            /* after what the command has posted */
	reactor_post(talk.loop, &talk.step);
}

static void start(struct msg *m)
{
	struct nvme_ctrl_spec s = { .subsystem = talk.subsystem, .map = talk.map[0], .host_nqn = "nqn.x:a", .port_id = 1,
				    .max_transfer_bytes = 65536, .max_queues = 2, .max_entries = 64 };
	for (unsigned i = 0; i < 2; i++) {
		s.host_id[0] = (uint8_t)(i + 1);
		MUST(nvme_ctrl_new(&s, &talk.ctrl[i]) == 0);
		MUST(nvme_queue_new(talk.ctrl[i], 0, 32, &talk.queue[i][0]) == 0);
		MUST(nvme_property_set(talk.ctrl[i], NVME_REG_CC, false, 0x460001) == 0);
		MUST(nvme_queue_new(talk.ctrl[i], 1, 64, &talk.queue[i][1]) == 0);
	}
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
		MUST(nvme_start(&talk.loop, 1) == 0);
		(void)log_set_level("all", LOG_LEVEL_ERROR);
	}
	memset(&vol, 0, sizeof(vol));
	talk.p = data;
	talk.left = len_bytes < 16384 ? len_bytes : 16384;
	struct nvme_subsystem_spec ss = { .nqn = "nqn.x:s", .serial = "1" };
	MUST(nvme_subsystem_new(&ss, &talk.subsystem) == 0);
	struct nvme_ns_entry e[] = { { .nsid = 1, .ana_group = 1, .volume = &vol },
				     { .nsid = 2, .ana_group = 2, .volume = &vol, .read_only = true } };
	MUST(nvme_ns_map_new(e, 2, &talk.map[0]) == 0);
	MUST(nvme_ns_map_new(e, 1, &talk.map[1]) == 0);
	talk.step.run = start;
	reactor_post(talk.loop, &talk.step);
	while (sem_wait(&talk.over))
		MUST(errno == EINTR);
	nvme_ns_map_unref(talk.map[0]);
	nvme_ns_map_unref(talk.map[1]);
	nvme_subsystem_unref(talk.subsystem);
	for (unsigned i = 0; i < 4; i++)         /* news that are still on their way hold the namespace */
		MUST(reactor_call(talk.loop, nothing, NULL) == 0);
	for (unsigned i = 0; i < SLOTS; i++)
		MUST(!talk.slot[i].busy);
	MUST(vol.refs == 0 && !vol.watcher);
	return 0;
}
