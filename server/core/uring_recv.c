/* SPDX-License-Identifier: GPL-3.0-or-later */
/* uring_recv.c - how the io_uring engine receives.
 *
 * Three ways, chosen per stream as it goes:
 *
 *	small things   one multishot receive; the kernel picks a buffer from a ring that we keep
 *	               filled, and a completion brings it here.  No system call per arrival.
 *	bulk           a poll, then one recvmsg() into [sink | scratch]: data lands in place.  A
 *	               receive in flight would hold on to the owner's memory until its cancellation
 *	               has come back; a poll holds on to nothing, so a stream can end at any time.
 *
 *	a flood        small things, but so many that one buffer of the ring does not hold what has come:
 *	               like bulk, into scratch memory.  One call takes what would be several completions,
 *	               and it is always the same memory, so it stays in the cache.
 *
 * The way changes when the previous request has ended, so bytes never overtake each other.
 *
 * The buffers.  The kernel uses the ring's buffers in turn, so all that are in the ring go through
 * the cache.  Few are kept there, the rest on a stack of which the last put is the first to be
 * used again; when the kernel runs out (-ENOBUFS), twice as many are kept in the ring from then on. */
#include "core/uring_priv.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>

struct stream_uring {
	uint32_t recv, poll_in, poll_out; /* slots */
} __attribute__((may_alias));
_Static_assert(sizeof(struct stream_uring) <= sizeof(((struct stream_priv *)0)->engine), "fits");

static struct stream_uring *stream_uring(struct stream *s)
{
	return (struct stream_uring *)stream_priv(s)->engine;
}

#define BUF_BYTES (16u << 10)
#define BUF_COUNT 256u                   /* power of two */
#define BUF_GROUP 1
#define IN_RING_AT_FIRST 16u

struct uring_bufs {
	struct io_uring_buf_ring *ring;
	uint8_t *memory;
	unsigned in_ring, want_in_ring;
	unsigned stack_count;
	uint16_t stack[BUF_COUNT];
};

#define RING_BYTES (BUF_COUNT * sizeof(struct io_uring_buf))

static void *pages(size_t len_bytes)
{
	void *p = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void uring_bufs_close(struct uring *u)
{
	struct uring_bufs *b = TAKE(u->bufs);

	if (!b)
		return;
	if (b->ring)
		munmap(b->ring, RING_BYTES);
	if (b->memory)
		munmap(b->memory, (size_t)BUF_COUNT * BUF_BYTES);
	free(b);
}

void uring_bufs_refill(struct uring *u)
{
	struct uring_bufs *b = u->bufs;
	int added = 0;

	while (b->in_ring < b->want_in_ring && b->stack_count) {
		uint16_t id = b->stack[--b->stack_count];
		io_uring_buf_ring_add(b->ring, b->memory + (size_t)id * BUF_BYTES, BUF_BYTES, id,
				      BUF_COUNT - 1, added++);
		b->in_ring++;
	}
	if (added)
		io_uring_buf_ring_advance(b->ring, added);
}

/* The kernel took a buffer out of the ring; it is ours again once its bytes are dealt with. */
static uint16_t buf_id(uint32_t cqe_flags)
{
	return (uint16_t)(cqe_flags >> IORING_CQE_BUFFER_SHIFT);
}

void uring_bufs_drop(struct uring *u, uint32_t cqe_flags)
{
	struct uring_bufs *b = u->bufs;

	if (!(cqe_flags & IORING_CQE_F_BUFFER))
		return;
	b->in_ring--;
	b->stack[b->stack_count++] = buf_id(cqe_flags);
}

/* Which kernels have multishot receive can only be found out by asking for one. */
static int multishot_try(struct uring *u)
{
	struct io_uring_cqe *cqe;
	struct __kernel_timespec second = { .tv_sec = 1 };
	int sv[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		return -errno;
	if (write(sv[1], "x", 1) != 1) {
		err = -EIO;
		goto out;
	}
	shutdown(sv[1], SHUT_WR);
	struct io_uring_sqe *sqe = uring_sqe(u);
	io_uring_prep_recv_multishot(sqe, sv[0], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUF_GROUP;
	sqe->user_data = 0;
	err = io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &second, NULL);
	if (err < 0)
		goto out;
	bool more = true;
	err = -EINVAL;
	/* One byte in a buffer of ours, then the end of file as the last completion. */
	while (more && io_uring_wait_cqe_timeout(&u->ring, &cqe, &second) == 0) {
		if (cqe->res == 1 && cqe->flags & IORING_CQE_F_BUFFER && cqe->flags & IORING_CQE_F_MORE)
			err = 0;
		more = cqe->flags & IORING_CQE_F_MORE;
		uring_bufs_drop(u, cqe->flags);
		io_uring_cqe_seen(&u->ring, cqe);
	}
	if (more)
		err = -EINVAL;
out:
	close(sv[0]);
	close(sv[1]);
	return err;
}

int uring_bufs_open(struct uring *u)
{
	struct uring_bufs *b = calloc(1, sizeof(*b));
	struct io_uring_buf_reg reg = { .ring_entries = BUF_COUNT, .bgid = BUF_GROUP };

	if (!b)
		return -ENOMEM;
	u->bufs = b;
	if (uring_pretend_old) {
		uring_bufs_close(u);
		return -EINVAL;
	}
	b->want_in_ring = IN_RING_AT_FIRST;
	b->ring = pages(RING_BYTES);
	b->memory = pages((size_t)BUF_COUNT * BUF_BYTES);
	int err = b->ring && b->memory ? 0 : -ENOMEM;
	if (!err) {
		reg.ring_addr = (uintptr_t)b->ring;
		err = io_uring_register_buf_ring(&u->ring, &reg, 0);
	}
	if (!err) {
		for (unsigned i = BUF_COUNT; i--;)
			b->stack[b->stack_count++] = (uint16_t)i;
		uring_bufs_refill(u);
		err = multishot_try(u);
		if (err)
			io_uring_unregister_buf_ring(&u->ring, BUF_GROUP);
	}
	if (err)
		uring_bufs_close(u);
	return err;
}

static void recv_arm(struct uring *u, struct stream *s)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	io_uring_prep_recv_multishot(sqe, s->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUF_GROUP;
	stream_uring(s)->recv = uring_slot_new(u, sqe, SLOT_RECV, s);
}

static void recv_event(struct uring *u, struct stream *s, int res, uint32_t flags)
{
	struct uring_bufs *b = u->bufs;

	if (!(flags & IORING_CQE_F_MORE))
		stream_uring(s)->recv = 0;
	if (res > 0) {
		stat_add(&s->reactor->stats.recvs, 1);
		b->in_ring--;
		if ((unsigned)res == BUF_BYTES) {
			stream_priv(s)->flood = true;
			stream_priv(s)->calm = 0;
		}
		stream_on_received(s, b->memory + (size_t)buf_id(flags) * BUF_BYTES, (size_t)res);
		b->stack[b->stack_count++] = buf_id(flags);
	} else {
		uring_bufs_drop(u, flags);
		switch (res) {
		case -ENOBUFS:
			if (b->want_in_ring < BUF_COUNT)
				b->want_in_ring *= 2;
			break;
		case -ECANCELED:
		case -EAGAIN:
		case -EINTR:
			break;
		default:
			stream_on_end(s, res);
		}
	}
}

int uring_stream_attach(struct stream *s)
{
	uring_stream_update(s);
	return 0;
}

/* Asks for what the stream wants.  What it has ceased to want is left alone until it brings
 * something: a pause and a resume in one turn then cost nothing. */
void uring_stream_update(struct stream *s)
{
	struct uring *u = uring_of(s->reactor);
	struct stream_uring *p = stream_uring(s);

	if (stream_wants_read(s)) {
		bool poll = !u->multishot_recv || stream_priv(s)->bulk || stream_priv(s)->flood || s->state != STREAM_OPEN;
		if (p->recv && poll)
			uring_slot_interrupt(u, p->recv); /* we come back here when it has ended */
		else if (!p->recv && !p->poll_in && poll)
			p->poll_in = uring_poll(u, s->fd, POLLIN, SLOT_POLL_IN, s);
		else if (!p->recv && !p->poll_in)
			recv_arm(u, s);
	}
	if (stream_wants_write(s) && !p->poll_out)
		p->poll_out = uring_poll(u, s->fd, POLLOUT, SLOT_POLL_OUT, s);
}

void uring_stream_detach(struct stream *s)
{
	struct uring *u = uring_of(s->reactor);
	struct stream_uring *p = stream_uring(s);

	uring_slot_cancel(u, &p->recv);
	uring_slot_cancel(u, &p->poll_in);
	uring_slot_cancel(u, &p->poll_out);
}

void uring_stream_event(struct uring *u, enum slot_kind kind, struct stream *s, int res, uint32_t flags)
{
	struct stream_uring *p = stream_uring(s);

	switch (kind) {
	case SLOT_RECV:
		recv_event(u, s, res, flags);
		break;
	case SLOT_POLL_IN:
		p->poll_in = 0;
		if (stream_wants_read(s))
			stream_on_readable(s);
		break;
	default:
		p->poll_out = 0;
		stream_on_writable(s);
	}
	/* The storage is there until the turn's end, even if the stream has ended meanwhile. */
	if (s->state == STREAM_ENDING)
		return;
	if (p->recv && !stream_wants_read(s))
		uring_slot_interrupt(u, p->recv);
	else
		uring_stream_update(s);
}
