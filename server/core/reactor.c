/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reactor.c - the loop: its life, a turn, messages, deferred work, and how it waits.
 *
 * Waiting.  A loop that sleeps costs its client tens of microseconds per wake-up; a loop that never
 * sleeps costs a CPU.  So before it sleeps it asks the kernel again and again for up to spin_ns, but
 * only while that has lately been worth it: `spin_score` is a moving average of "the next event came
 * within spin_ns", and sleeps keep it up to date too, so a loop that has given up spinning finds out
 * when to begin again.  While file operations are in flight it sleeps at once: somebody else works
 * for us then, perhaps on this very CPU, and takes longer than a spin is worth.
 *
 * Waking.  A sender pushes on the inbox, then looks whether the loop says it is asleep; the loop
 * says it is asleep, then looks at the inbox.  Both orders are sequentially consistent, so at least
 * one of them sees the other. */
#include "core/reactor_priv.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

LOG_TOPIC(reactor)

#define SPIN_SCORE_MAX 1024u
#define SPIN_WORTH_IT (SPIN_SCORE_MAX / 4)
#define DEFER_PASSES 4

static _Thread_local struct reactor *self;

static pthread_mutex_t index_lock = PTHREAD_MUTEX_INITIALIZER;
static bool index_used[REACTOR_MAX];

uint64_t reactor_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t reactor_now_ns(const struct reactor *r)
{
	return r->now_ns;
}

uint64_t reactor_read_ns(struct reactor *r)
{
	return r->read_ns = reactor_clock_ns();
}

uint64_t reactor_latest_ns(const struct reactor *r)
{
	return r->read_ns > r->now_ns ? r->read_ns : r->now_ns;
}

struct reactor *reactor_self(void)
{
	return self;
}

enum reactor_engine reactor_engine(const struct reactor *r)
{
	return r->engine->kind;
}

const char *reactor_name(const struct reactor *r)
{
	return r->name;
}

unsigned reactor_index(const struct reactor *r)
{
	return r->index;
}

struct bufpool *reactor_bufs(struct reactor *r)
{
	return r->bufs;
}

/* Messages. */

void reactor_wake(struct reactor *r)
{
	if (atomic_load(&r->asleep) && atomic_exchange(&r->asleep, false)) {
		uint64_t one = 1;
		while (write(r->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
	}
}

/* The inbox of a loop that is over: nothing gets in, nothing comes out. */
static struct msg inbox_closed;

static bool post(struct reactor *r, struct msg *m)
{
	struct msg *head = atomic_load_explicit(&r->inbox, memory_order_relaxed);

	do {
		if (unlikely(head == &inbox_closed))
			return false;
		m->next = head;
	} while (!atomic_compare_exchange_weak(&r->inbox, &head, m));
	reactor_wake(r);
	return true;
}

void reactor_post(struct reactor *r, struct msg *m)
{
	post(r, m);
}

static bool inbox_is_empty(struct reactor *r)
{
	return !atomic_load(&r->inbox);
}

static bool inbox_close(struct reactor *r)
{
	struct msg *none = NULL;

	return atomic_compare_exchange_strong(&r->inbox, &none, &inbox_closed);
}

static unsigned messages_run(struct reactor *r)
{
	unsigned count = 0;

	if (!atomic_load_explicit(&r->inbox, memory_order_relaxed))
		return 0;
	struct msg *newest = atomic_exchange(&r->inbox, NULL), *first = NULL;
	while (newest) {
		struct msg *older = newest->next;
		newest->next = first;
		first = newest;
		newest = older;
	}
	while (first) {
		struct msg *m = first;
		first = m->next;
		m->run(m);
		count++;
	}
	stat_add(&r->stats.messages, count);
	return count;
}

struct call {
	struct msg msg;
	int (*fn)(void *arg);
	void *arg;
	int result;
	bool over;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

static void call_run(struct msg *m)
{
	struct call *c = container_of(m, struct call, msg);
	int result = c->fn(c->arg);

	pthread_mutex_lock(&c->lock);
	c->result = result;
	c->over = true;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

int reactor_call(struct reactor *r, int (*fn)(void *arg), void *arg)
{
	struct call c = { .msg.run = call_run, .fn = fn, .arg = arg,
			  .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

	if (self == r)
		return fn(arg);
	if (self && !self->may_wait) {
		log_error(&log_reactor, "a reactor waits for another one", "from=%s to=%s", self->name,
			  r->name);
		abort();
	}
	if (!post(r, &c.msg))
		return -ESHUTDOWN;
	pthread_mutex_lock(&c.lock);
	while (!c.over)
		pthread_cond_wait(&c.cond, &c.lock);
	pthread_mutex_unlock(&c.lock);
	return c.result;
}

/* Deferred work. */

void reactor_defer(struct reactor *r, struct defer *d)
{
	if (d->queued)
		return;
	d->queued = true;
	d->next = NULL;
	*r->deferred.tail = d;
	r->deferred.tail = &d->next;
}

/* What is deferred meanwhile belongs to this turn too, within reason. */
static void deferred_run(struct reactor *r)
{
	for (int pass = 0; r->deferred.head && pass < DEFER_PASSES; pass++) {
		struct defer *d = r->deferred.head;
		r->deferred.head = NULL;
		r->deferred.tail = &r->deferred.head;
		while (d) {
			struct defer *next = d->next;
			d->queued = false;
			d->run(d);
			d = next;
		}
	}
}

/* Waiting. */

static void spin_score(struct reactor *r, bool won)
{
	if (won)
		r->spin_score += (SPIN_SCORE_MAX - r->spin_score) / 8;
	else
		r->spin_score -= r->spin_score / 8;
}

static bool spin(struct reactor *r, uint64_t from_ns, uint64_t timer_ns)
{
	const struct engine *e = r->engine;
	uint64_t until_ns = min_u64(from_ns + r->spin_ns, timer_ns);

	do {
		if (!e->peek || e->peek(r)) {
			if (e->poll(r, 0))
				return true;
		} else {
			r->now_ns = reactor_clock_ns();
		}
		r->busy_from_ns = r->now_ns;
		if (!inbox_is_empty(r))
			return true;
	} while (r->now_ns < until_ns);
	return false;
}

/* Sleeps until something happens, unless it happened while we were making up our mind. */
static void sleep_until(struct reactor *r, uint64_t from_ns, uint64_t timer_ns, bool has_spun)
{
	uint64_t left_ns = SLEEP_FOREVER;

	if (timer_ns != SLEEP_FOREVER)
		left_ns = timer_ns > r->now_ns ? timer_ns - r->now_ns : 0;
	atomic_store(&r->asleep, true);
	if (!left_ns || !inbox_is_empty(r) || (atomic_load(&r->quit) && !r->draining)) {
		atomic_store(&r->asleep, false);
		r->engine->poll(r, 0);
		r->busy_from_ns = r->now_ns;
		return;
	}
	stat_add(&r->stats.sleeps, 1);
	unsigned count = r->engine->poll(r, left_ns);
	if (r->spin_ns && !has_spun && (count || !inbox_is_empty(r)))
		spin_score(r, r->busy_from_ns - from_ns < r->spin_ns);
}

static void engine_wait(struct reactor *r)
{
	uint64_t from_ns = reactor_clock_ns(), timer_ns = timers_next_ns(r);
	bool has_spun = false;

	stat_add(&r->stats.busy_ns, from_ns - r->busy_from_ns);
	r->busy_from_ns = r->now_ns = from_ns;
	if (r->deferred.head || !inbox_is_empty(r) || timer_ns <= from_ns) {
		r->engine->poll(r, 0);
		return;
	}
	if (r->spin_ns && r->spin_score >= SPIN_WORTH_IT && !r->file_ops) {
		bool won = spin(r, from_ns, timer_ns);
		spin_score(r, won);
		stat_add(won ? &r->stats.spins_won : &r->stats.spins_lost, 1);
		if (won)
			return;
		has_spun = true;
	}
	sleep_until(r, from_ns, timer_ns, has_spun);
}

static void turn(struct reactor *r)
{
	engine_wait(r);
	stat_add(&r->stats.turns, 1);
	messages_run(r);
	timers_run(r);
	deferred_run(r);
}

/* Life. */

static int engine_choose(enum reactor_engine want, const struct engine **ret_engine)
{
	int err = -ENOSYS;

#ifdef HAVE_LIBURING
	if (want != REACTOR_EPOLL) {
		err = engine_uring.probe();
		if (!err) {
			*ret_engine = &engine_uring;
			return 0;
		}
	}
#endif
	if (want == REACTOR_URING)
		return err == -ENOMEM ? err : -ENOSYS;
	*ret_engine = &engine_epoll;
	return 0;
}

static int index_take(unsigned *ret_index)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&index_lock);
	for (unsigned i = 0; i < REACTOR_MAX; i++)
		if (!index_used[i]) {
			index_used[i] = true;
			*ret_index = i;
			err = 0;
			break;
		}
	pthread_mutex_unlock(&index_lock);
	return err;
}

int reactor_new(const struct reactor_opts *opts, struct reactor **ret_reactor)
{
	struct reactor *r = aligned_alloc(64, (sizeof(*r) + 63) / 64 * 64);

	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->wake_fd = -1;
	r->index = REACTOR_MAX;
	r->cpu = opts->cpu;
	r->may_wait = opts->may_wait;
	r->may_fall_back = opts->engine == REACTOR_AUTO;
	r->spin_ns = (uint64_t)opts->spin_max_us * 1000;
	r->deferred.tail = &r->deferred.head;
	list_init(&r->streams);
	pthread_mutex_init(&r->life_lock, NULL);
	pthread_cond_init(&r->life_cond, NULL);
	snprintf(r->name, sizeof(r->name), "%s", opts->name ? opts->name : "reactor");

	int err = engine_choose(opts->engine, &r->engine);
	if (!err)
		err = index_take(&r->index);
	if (!err)
		err = bufpool_new(r, opts->buf_limit_bytes, &r->bufs);
	if (!err) {
		r->scratch = aligned_alloc(4096, SCRATCH_BYTES);
		r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		err = !r->scratch ? -ENOMEM : r->wake_fd < 0 ? -errno : 0;
	}
	if (err) {
		reactor_free(r);
		return err;
	}
	r->now_ns = reactor_clock_ns();
	*ret_reactor = r;
	return 0;
}

void reactor_free(struct reactor *r)
{
	if (!r)
		return;
	timers_done(r);
	bufpool_free(r->bufs);
	free(r->scratch);
	closep(&r->wake_fd);
	if (r->index < REACTOR_MAX) {
		pthread_mutex_lock(&index_lock);
		index_used[r->index] = false;
		pthread_mutex_unlock(&index_lock);
	}
	pthread_mutex_destroy(&r->life_lock);
	pthread_cond_destroy(&r->life_cond);
	free(r);
}

static void life_set(struct reactor *r, int life, int start_error)
{
	pthread_mutex_lock(&r->life_lock);
	r->life = life;
	r->start_error = start_error;
	pthread_cond_broadcast(&r->life_cond);
	pthread_mutex_unlock(&r->life_lock);
}

/* Ends what is open and waits for what is on its way, so that no callback can come later. */
static void drain(struct reactor *r)
{
	r->draining = true;
	streams_stop(r);
	while (!list_is_empty(&r->streams) || r->file_ops || r->deferred.head || !inbox_close(r))
		turn(r);
}

int reactor_run(struct reactor *r)
{
	struct reactor *outer = self;

	if (r->cpu >= 0) {
		cpu_set_t set;
		CPU_ZERO(&set);
		CPU_SET((unsigned)r->cpu, &set);
		int err = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
		if (err)
			log_warn(&log_reactor, "cannot pin to the CPU, continuing without",
				 "reactor=%s cpu=%d errno=%d", r->name, r->cpu, err);
	}
	self = r;
	r->busy_from_ns = r->now_ns = reactor_clock_ns();
	int err = r->engine->open(r);
	if (err && r->engine != &engine_epoll && r->may_fall_back) {
		log_warn(&log_reactor, "engine does not open, continuing with epoll",
			 "reactor=%s engine=%s errno=%d", r->name, r->engine->name, -err);
		r->engine = &engine_epoll;
		err = r->engine->open(r);
	}
	if (err) {
		life_set(r, LIFE_OVER, err);
		self = outer;
		return err;
	}
	life_set(r, LIFE_RUNNING, 0);
	while (!atomic_load_explicit(&r->quit, memory_order_relaxed))
		turn(r);
	drain(r);
	r->engine->close(r);
	self = outer;
	life_set(r, LIFE_OVER, 0);
	return 0;
}

static void *reactor_thread(void *arg)
{
	struct reactor *r = arg;

	pthread_setname_np(pthread_self(), r->name);
	reactor_run(r);
	return NULL;
}

int reactor_start(struct reactor *r)
{
	int err = pthread_create(&r->thread, NULL, reactor_thread, r);

	if (err)
		return -err;
	r->thread_made = true;
	pthread_mutex_lock(&r->life_lock);
	while (r->life == LIFE_NEW)
		pthread_cond_wait(&r->life_cond, &r->life_lock);
	err = r->start_error;
	pthread_mutex_unlock(&r->life_lock);
	if (err) {
		pthread_join(r->thread, NULL);
		r->thread_made = false;
	}
	return err;
}

void reactor_quit(struct reactor *r)
{
	atomic_store(&r->quit, true);
	reactor_wake(r);
}

void reactor_stop(struct reactor *r)
{
	if (!r)
		return;
	reactor_quit(r);
	if (self == r)
		return;
	if (r->thread_made) {
		pthread_join(r->thread, NULL);
		r->thread_made = false;
		return;
	}
	pthread_mutex_lock(&r->life_lock);
	while (r->life == LIFE_RUNNING)
		pthread_cond_wait(&r->life_cond, &r->life_lock);
	pthread_mutex_unlock(&r->life_lock);
}

void reactor_stats(const struct reactor *r, struct reactor_stats *ret_stats)
{
	const uint64_t *from = (const uint64_t *)&r->stats;
	uint64_t *to = (uint64_t *)ret_stats;

	for (size_t i = 0; i < sizeof(*ret_stats) / sizeof(uint64_t); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

void reactor_file(struct reactor *r, struct file_op *op)
{
	op->reactor = r;
	r->file_ops++;
	r->engine->file(r, op);
}
