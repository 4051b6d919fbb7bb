/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine_uring.c - the loop over io_uring: requests go in, completions come out, one system call
 * per turn at most.
 *
 * The ring is made on the loop's own thread, because that thread alone may use it
 * (IORING_SETUP_SINGLE_ISSUER), and completions are made ready only when we ask for them
 * (IORING_SETUP_DEFER_TASKRUN); kernels before 6.1 get a ring with fewer promises.  Sending is not
 * done here: a plain non-blocking sendmsg() was faster than a request for it.
 *
 * user_data: 0 nobody cares; odd a slot; even a struct file_op, which outlives its request. */
#include "core/uring_priv.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "config.h"
#include "core/library.h"

static const char *liburing_version(void)
{
	return LIBURING_VERSION;
}
LIBRARY(liburing, "liburing", "MIT or LGPL-2.1-or-later", liburing_version)

#define SQ_ENTRIES 512
#define CQ_ENTRIES 4096
#define BATCH_MAX 512
#define ACCEPTS_PER_TURN 64

bool uring_pretend_old;

struct io_uring_sqe *uring_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	while (unlikely(!sqe)) {
		/* Old kernels refuse while completions wait for room; reap() makes room as it goes. */
		if (io_uring_submit(&u->ring) < 0)
			io_uring_get_events(&u->ring);
		sqe = io_uring_get_sqe(&u->ring);
	}
	return sqe;
}

/* Slots. */

static bool slots_grow(struct uring *u)
{
	uint32_t count = u->slots_count ? 2 * u->slots_count : 64;
	struct slot *slots = reallocarray(u->slots, count, sizeof(*slots));

	if (!slots)
		return false;
	memset(slots + u->slots_count, 0, (count - u->slots_count) * sizeof(*slots));
	for (uint32_t i = count - 1; i >= u->slots_count && i > 0; i--) {
		slots[i].next_free = u->slots_free;
		u->slots_free = i;
	}
	u->slots = slots;
	u->slots_count = count;
	return true;
}

uint32_t uring_slot_new(struct uring *u, struct io_uring_sqe *sqe, enum slot_kind kind, void *owner)
{
	if (unlikely(!u->slots_free) && !slots_grow(u)) {
		log_error(&log_reactor, "out of memory for requests to the kernel", "slots=%u",
			  u->slots_count);
		abort();
	}
	uint32_t slot = u->slots_free;
	struct slot *at = &u->slots[slot];
	u->slots_free = at->next_free;
	at->kind = (uint8_t)kind;
	at->owner = owner;
	at->cancelled = false;
	sqe->user_data = (uint64_t)slot << 1 | 1;
	return slot;
}

static void slot_free(struct uring *u, uint32_t slot)
{
	struct slot *at = &u->slots[slot];

	at->kind = SLOT_FREE;
	at->owner = NULL;
	at->next_free = u->slots_free;
	u->slots_free = slot;
}

void uring_slot_interrupt(struct uring *u, uint32_t slot)
{
	if (!slot || u->slots[slot].cancelled)
		return;
	struct io_uring_sqe *sqe = uring_sqe(u);
	io_uring_prep_cancel64(sqe, (uint64_t)slot << 1 | 1, 0);
	sqe->user_data = 0;
	u->slots[slot].cancelled = true;
}

void uring_slot_cancel(struct uring *u, uint32_t *slot)
{
	if (!*slot)
		return;
	uring_slot_interrupt(u, *slot);
	u->slots[*slot].owner = NULL;
	*slot = 0;
}

uint32_t uring_poll(struct uring *u, int fd, unsigned mask, enum slot_kind kind, void *owner)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	io_uring_prep_poll_add(sqe, fd, mask);
	return uring_slot_new(u, sqe, kind, owner);
}

/* Waking: another thread writes to the eventfd. */

static void wake_arm(struct reactor *r)
{
	uring_poll(uring_of(r), r->wake_fd, POLLIN, SLOT_WAKE, r);
}

static void wake_event(struct reactor *r)
{
	uint64_t count;

	while (read(r->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	wake_arm(r);
}

/* Watches: a poll for one event at a time, armed again before the owner is called, so it sees the
 * level that the owner leaves behind. */

static uint32_t *watch_slot(struct watch *w)
{
	return (uint32_t *)w->priv;
}

static void watch_arm(struct watch *w)
{
	unsigned mask = (w->events & WATCH_READ ? POLLIN : 0u) |
			(w->events & WATCH_WRITE ? POLLOUT : 0u) |
			(w->events & WATCH_HANGUP ? (unsigned)POLLRDHUP : 0u);

	*watch_slot(w) = w->events ? uring_poll(uring_of(w->reactor), w->fd, mask, SLOT_WATCH, w) : 0;
}

static int ur_watch_change(struct watch *w)
{
	uring_slot_cancel(uring_of(w->reactor), watch_slot(w));
	watch_arm(w);
	return 0;
}

static int ur_watch_start(struct reactor *r, struct watch *w)
{
	(void)r;
	if (fcntl(w->fd, F_GETFD) < 0)
		return -errno;
	watch_arm(w);
	return 0;
}

static void ur_watch_stop(struct watch *w)
{
	uring_slot_cancel(uring_of(w->reactor), watch_slot(w));
}

static void watch_event(struct watch *w, int res)
{
	unsigned got = res < 0 ? POLLERR : (unsigned)res;
	unsigned ready = (got & POLLIN ? WATCH_READ : 0u) | (got & POLLOUT ? WATCH_WRITE : 0u);

	if (got & (POLLERR | POLLHUP | POLLRDHUP | POLLNVAL))
		ready |= WATCH_HANGUP | (w->events & (WATCH_READ | WATCH_WRITE));
	watch_arm(w);
	w->ready(w, ready);
}

/* Listeners. */

static uint32_t *listener_slot(struct listener *l)
{
	return (uint32_t *)listener_priv(l)->engine;
}

static void listener_arm(struct listener *l)
{
	struct uring *u = uring_of(l->reactor);

	if (!u->multishot_accept) {
		*listener_slot(l) = uring_poll(u, l->fd, POLLIN, SLOT_ACCEPT_POLL, l);
		return;
	}
	struct io_uring_sqe *sqe = uring_sqe(u);
	io_uring_prep_multishot_accept(sqe, l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	*listener_slot(l) = uring_slot_new(u, sqe, SLOT_ACCEPT, l);
}

static int ur_listener_set(struct listener *l, bool on)
{
	uring_slot_cancel(uring_of(l->reactor), listener_slot(l));
	if (on)
		listener_arm(l);
	return 0;
}

static void accept_event(struct uring *u, struct listener *l, int res, bool more)
{
	if (!more)
		*listener_slot(l) = 0;
	if (res >= 0 || (res != -EAGAIN && res != -EINVAL && res != -EINTR && res != -ECANCELED)) {
		/* Arm first: the owner may stop, and the storage may be gone after the call. */
		if (!more)
			listener_arm(l);
		listener_on_accept(l, res);
		return;
	}
	if (res == -EAGAIN || res == -EINVAL)
		u->multishot_accept = false; /* not on this kernel, or not for this socket */
	if (!more)
		listener_arm(l);
}

static void accept_poll_event(struct uring *u, struct listener *l)
{
	uint32_t slot;

	listener_arm(l);
	slot = *listener_slot(l);
	/* Gone or replaced when the owner stopped listening; the slot tells, l must not be asked. */
	for (int i = 0; i < ACCEPTS_PER_TURN && u->slots[slot].owner == l; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0 && errno == EAGAIN)
			return;
		listener_on_accept(l, fd < 0 ? -errno : fd);
	}
}

/* Files. */

static void file_submit(struct uring *u, struct file_op *op)
{
	struct io_uring_sqe *sqe = uring_sqe(u);

	switch (op->opcode) {
	case FILE_READV:
		io_uring_prep_readv2(sqe, op->fd, op->iov, op->iov_count, op->offset_bytes, op->flags);
		break;
	case FILE_WRITEV:
		io_uring_prep_writev2(sqe, op->fd, op->iov, op->iov_count, op->offset_bytes, op->flags);
		break;
	case FILE_FDATASYNC:
		io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
		break;
	case FILE_FALLOCATE:
		io_uring_prep_rw(IORING_OP_FALLOCATE, sqe, op->fd, (void *)(uintptr_t)op->len_bytes,
				 (unsigned)op->flags, op->offset_bytes);
		break;
	}
	sqe->user_data = (uintptr_t)op;
}

static void ur_file(struct reactor *r, struct file_op *op)
{
	file_submit(uring_of(r), op);
}

static void file_event(struct reactor *r, struct file_op *op, int res)
{
	if (unlikely(res == -EINTR)) {
		file_submit(uring_of(r), op);
		return;
	}
	r->file_ops--;
	op->done(op, res);
}

/* The loop. */

static void slot_event(struct reactor *r, uint32_t slot, int res, uint32_t flags)
{
	struct uring *u = uring_of(r);
	enum slot_kind kind = u->slots[slot].kind;
	void *owner = u->slots[slot].owner;
	bool more = flags & IORING_CQE_F_MORE;

	if (!more)
		slot_free(u, slot);
	if (!owner) {                    /* it went away; so must what the kernel gave us for it */
		if (kind == SLOT_ACCEPT && res >= 0)
			close(res);
		else if (kind == SLOT_RECV)
			uring_bufs_drop(u, flags);
		return;
	}
	switch (kind) {
	case SLOT_WAKE:
		wake_event(r);
		break;
	case SLOT_WATCH:
		watch_event(owner, res);
		break;
	case SLOT_ACCEPT:
		accept_event(u, owner, res, more);
		break;
	case SLOT_ACCEPT_POLL:
		accept_poll_event(u, owner);
		break;
	case SLOT_RECV:
	case SLOT_POLL_IN:
	case SLOT_POLL_OUT:
		uring_stream_event(u, kind, owner, res, flags);
		break;
	case SLOT_FREE:
		break;
	}
}

static unsigned reap(struct reactor *r)
{
	struct uring *u = uring_of(r);
	struct io_uring_cqe *cqe;
	unsigned head, count = 0, events = 0;

	io_uring_for_each_cqe(&u->ring, head, cqe) {
		uint64_t data = cqe->user_data;
		int res = cqe->res;
		uint32_t flags = cqe->flags;
		if (count++ == BATCH_MAX)
			break;
		io_uring_cq_advance(&u->ring, 1);
		if (data & 1) {
			uint32_t slot = (uint32_t)(data >> 1);
			events += u->slots[slot].kind != SLOT_WAKE && u->slots[slot].owner;
			slot_event(r, slot, res, flags);
		} else if (data) {
			events++;
			file_event(r, (struct file_op *)(uintptr_t)data, res);
		}
	}
	if (u->bufs)
		uring_bufs_refill(u);
	return events;
}

static bool kernel_has_something(struct uring *u)
{
	unsigned flags = __atomic_load_n(u->ring.sq.kflags, __ATOMIC_RELAXED);

	return !u->has_taskrun_flag || flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static bool ur_peek(struct reactor *r)
{
	struct uring *u = uring_of(r);

	if (io_uring_cq_ready(&u->ring) || io_uring_sq_ready(&u->ring) || kernel_has_something(u))
		return true;
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
	return false;
}

static unsigned ur_poll(struct reactor *r, uint64_t timeout_ns)
{
	struct uring *u = uring_of(r);
	struct __kernel_timespec ts, *wait = NULL;
	struct io_uring_cqe *cqe;

	if (!timeout_ns) {
		if (io_uring_sq_ready(&u->ring) || kernel_has_something(u))
			io_uring_submit_and_get_events(&u->ring);
	} else {
		if (timeout_ns != SLEEP_FOREVER) {
			ts.tv_sec = (long long)(timeout_ns / 1000000000);
			ts.tv_nsec = (long long)(timeout_ns % 1000000000);
			wait = &ts;
		}
		io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, wait, NULL);
		atomic_store_explicit(&r->asleep, false, memory_order_relaxed);
	}
	r->now_ns = reactor_clock_ns();
	if (timeout_ns)
		r->busy_from_ns = r->now_ns;
	return reap(r);
}

/* Opening.  Each try promises the kernel less. */

static int ring_open(struct io_uring *ring, unsigned entries, unsigned cq_entries, bool *ret_taskrun_flag)
{
	static const unsigned tries[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
			IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
		0,
	};
	int err = -ENOSYS;

	for (size_t i = uring_pretend_old ? ARRAY_COUNT(tries) - 1 : 0; i < ARRAY_COUNT(tries); i++) {
		struct io_uring_params params = {
			.flags = tries[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
			.cq_entries = cq_entries,
		};
		err = io_uring_queue_init_params(entries, ring, &params);
		if (err == -EINVAL)
			continue;
		if (err)
			return err;
		/* Timed waits, no lost completions, arguments read at submission: 5.11. */
		unsigned must = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE |
				IORING_FEAT_FAST_POLL;
		if ((params.features & must) != must) {
			io_uring_queue_exit(ring);
			return -ENOSYS;
		}
		*ret_taskrun_flag = params.flags & IORING_SETUP_TASKRUN_FLAG;
		return 0;
	}
	return err;
}

static int ur_probe(void)
{
	static const int needed[] = { IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC,
				      IORING_OP_FALLOCATE, IORING_OP_POLL_ADD, IORING_OP_ASYNC_CANCEL };
	struct io_uring ring;
	bool taskrun_flag;
	int err = ring_open(&ring, 4, 8, &taskrun_flag);

	if (err)
		return err;
	struct io_uring_probe *probe = io_uring_get_probe_ring(&ring);
	if (!probe)
		err = -ENOSYS;
	for (size_t i = 0; !err && i < ARRAY_COUNT(needed); i++)
		if (!io_uring_opcode_supported(probe, needed[i]))
			err = -ENOSYS;
	if (probe)
		io_uring_free_probe(probe);
	io_uring_queue_exit(&ring);
	return err;
}

/* Connections that were accepted for listeners which are gone must not stay open unseen. */
static void close_the_unseen(struct uring *u)
{
	struct io_uring_cqe *cqe;
	unsigned head, count = 0;

	io_uring_submit_and_get_events(&u->ring);
	io_uring_for_each_cqe(&u->ring, head, cqe) {
		count++;
		if (cqe->user_data & 1 && cqe->res >= 0 &&
		    u->slots[cqe->user_data >> 1].kind == SLOT_ACCEPT)
			close(cqe->res);
	}
	io_uring_cq_advance(&u->ring, count);
}

static void ur_close(struct reactor *r)
{
	struct uring *u = uring_of(r);

	if (!u)
		return;
	if (u->ring_ready) {
		close_the_unseen(u);
		io_uring_queue_exit(&u->ring);
	}
	uring_bufs_close(u);
	free(u->slots);
	free(u);
	r->engine_data = NULL;
}

static int ur_open(struct reactor *r)
{
	struct uring *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	r->engine_data = u;
	int err = ring_open(&u->ring, SQ_ENTRIES, CQ_ENTRIES, &u->has_taskrun_flag);
	if (!err) {
		u->ring_ready = true;
		if (!slots_grow(u))
			err = -ENOMEM;
	}
	if (err) {
		ur_close(r);
		return err;
	}
	io_uring_register_ring_fd(&u->ring); /* saves a look-up per call; fine without */
	u->multishot_recv = uring_bufs_open(u) == 0;
	u->multishot_accept = u->multishot_recv; /* older by one release */
	wake_arm(r);
	return 0;
}

const struct engine engine_uring = {
	.kind = REACTOR_URING,
	.name = "io_uring",
	.probe = ur_probe,
	.open = ur_open,
	.close = ur_close,
	.poll = ur_poll,
	.peek = ur_peek,
	.watch_start = ur_watch_start,
	.watch_change = ur_watch_change,
	.watch_stop = ur_watch_stop,
	.listener_set = ur_listener_set,
	.stream_attach = uring_stream_attach,
	.stream_update = uring_stream_update,
	.stream_detach = uring_stream_detach,
	.file = ur_file,
};
