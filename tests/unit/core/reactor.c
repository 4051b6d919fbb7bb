/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reactor.c - life, messages, deferred work, timers, watches, files and workers of both engines. */
#include "rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

/* Messages. */

#define SENDERS 4
#define PER_SENDER 5000

struct numbered {
	struct msg msg;
	unsigned sender, number;
};
static unsigned next_number[SENDERS];
static _Atomic(unsigned) messages_seen, out_of_order;
static struct reactor *messages_to;

static void numbered_run(struct msg *m)
{
	struct numbered *n = container_of(m, struct numbered, msg);

	if (next_number[n->sender]++ != n->number || reactor_self() != messages_to)
		out_of_order++;
	free(n);
	messages_seen++;
}

static void *sender(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < PER_SENDER; i++) {
		struct numbered *n = calloc(1, sizeof(*n));
		n->msg.run = numbered_run;
		n->sender = me;
		n->number = i;
		reactor_post(messages_to, &n->msg);
		if (i % 512 == 0)
			usleep(100);
	}
	return NULL;
}

static void messages_from_many_threads(struct rig *g)
{
	pthread_t threads[SENDERS];

	memset(next_number, 0, sizeof(next_number));
	messages_seen = out_of_order = 0;
	messages_to = g->r;
	for (uintptr_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sender, (void *)i), 0);
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	wait_for(messages_seen == SENDERS * PER_SENDER);
	assert_int_equal(out_of_order, 0);
}

static int call_fn(void *arg)
{
	*(struct reactor **)arg = reactor_self();
	return -EXDEV;
}

static void call_gives_the_result(struct rig *g)
{
	struct reactor *ran_on = NULL;

	assert_int_equal(reactor_call(g->r, call_fn, &ran_on), -EXDEV);
	assert_ptr_equal(ran_on, g->r);
	assert_null(reactor_self());
}

/* Deferred work. */

static struct defer once, again;
static _Atomic(unsigned) once_runs, again_runs;

static void once_run(struct defer *d)
{
	(void)d;
	once_runs++;
}

static void again_run(struct defer *d)
{
	if (++again_runs < 20)
		reactor_defer(reactor_self(), d);
}

static int defer_fn(void *arg)
{
	(void)arg;
	once_runs = again_runs = 0;
	once = (struct defer){ .run = once_run };
	again = (struct defer){ .run = again_run };
	reactor_defer(reactor_self(), &once);
	reactor_defer(reactor_self(), &once);
	reactor_defer(reactor_self(), &again);
	return once_runs ? -1 : 0;
}

static void deferred_runs_once(struct rig *g)
{
	on_reactor(g, defer_fn, NULL);
	wait_for(again_runs == 20);
	assert_int_equal(once_runs, 1);
}

/* Timers. */

#define TIMERS 500
static struct timer timers[TIMERS];
static uint64_t due_ns[TIMERS], fired_ns[TIMERS], last_due_ns;
static _Atomic(unsigned) timers_fired, timers_wrong;

static void timer_fire(struct timer *t)
{
	size_t i = (size_t)(t - timers);

	fired_ns[i] = reactor_clock_ns();
	if (fired_ns[i] < due_ns[i] || t->due_ns < last_due_ns || timer_is_armed(t))
		timers_wrong++;
	last_due_ns = t->due_ns;
	timers_fired++;
}

static int timers_fn(void *arg)
{
	unsigned seed = 7;

	(void)arg;
	timers_fired = timers_wrong = 0;
	last_due_ns = 0;
	for (size_t i = 0; i < TIMERS; i++) {
		uint64_t delay_ns = (uint64_t)(rand_r(&seed) % 100) * 1000000;
		timers[i] = (struct timer){ .fire = timer_fire };
		/* Arm twice: only the second counts. */
		timer_start(reactor_self(), &timers[i], UINT64_C(1000000000) * (i % 3));
		timer_start(reactor_self(), &timers[i], delay_ns);
		due_ns[i] = reactor_now_ns(reactor_self()) + delay_ns;
	}
	for (size_t i = 0; i < TIMERS; i += 5) {
		timer_stop(&timers[i]);
		timer_stop(&timers[i]);
		if (timer_is_armed(&timers[i]))
			return -1;
	}
	return 0;
}

static void timers_in_order(struct rig *g)
{
	on_reactor(g, timers_fn, NULL);
	wait_for(timers_fired == TIMERS - TIMERS / 5);
	usleep(20000);
	assert_int_equal(timers_fired, TIMERS - TIMERS / 5);
	assert_int_equal(timers_wrong, 0);
}

static struct timer tick;
static _Atomic(unsigned) ticks;

static void tick_fire(struct timer *t)
{
	if (++ticks < 20)
		timer_start(reactor_self(), t, 1000000);
}

static int tick_fn(void *arg)
{
	(void)arg;
	ticks = 0;
	tick = (struct timer){ .fire = tick_fire };
	timer_start(reactor_self(), &tick, 0);
	return 0;
}

static void timer_rearms_itself(struct rig *g)
{
	uint64_t from_ns = reactor_clock_ns();

	on_reactor(g, tick_fn, NULL);
	wait_for(ticks == 20);
	assert_true(reactor_clock_ns() - from_ns >= 19 * 1000000);
}

/* Sleep. */

static void idle_means_asleep(struct rig *g)
{
	struct reactor_stats before, after;

	usleep(50000);
	reactor_stats(g->r, &before);
	usleep(1000000);
	reactor_stats(g->r, &after);
	assert_in_range(after.turns - before.turns, 0, 1);
	assert_in_range(after.sleeps - before.sleeps, 0, 1);
}

/* Watches. */

static struct watch watch;
static int watch_fd;
static _Atomic(unsigned) watch_reads, watch_writes;

static void watch_ready(struct watch *w, unsigned events)
{
	if (events & WATCH_WRITE && ++watch_writes == 3)
		if (watch_change(w, WATCH_READ))
			abort();
	if (events & WATCH_READ && ++watch_reads == 5) {
		watch_stop(w);
		memset(w, 0xee, sizeof(*w));
	}
}

static int nothing_fn(void *arg)
{
	(void)arg;
	return 0;
}

static int watch_fn(void *arg)
{
	(void)arg;
	watch.ready = watch_ready;
	return watch_start(reactor_self(), &watch, watch_fd, WATCH_WRITE);
}

static void watch_is_level_triggered(struct rig *g)
{
	uint64_t one = 1;

	watch_reads = watch_writes = 0;
	watch_fd = eventfd(0, EFD_NONBLOCK);
	on_reactor(g, watch_fn, NULL);
	wait_for(watch_writes == 3);
	usleep(20000);
	assert_int_equal(watch_writes, 3);
	assert_int_equal(watch_reads, 0);
	assert_int_equal(write(watch_fd, &one, sizeof(one)), sizeof(one));
	wait_for(watch_reads == 5);
	usleep(20000);
	on_reactor(g, nothing_fn, NULL); /* the callback that stopped it is over */
	assert_int_equal(watch_reads, 5);
	close(watch_fd);
}

static int pipe_end[2];
static _Atomic(unsigned) hangups;

static void hangup_ready(struct watch *w, unsigned events)
{
	if (events & WATCH_HANGUP)
		hangups++;
	watch_stop(w);
}

static int hangup_fn(void *arg)
{
	(void)arg;
	watch.ready = hangup_ready;
	return watch_start(reactor_self(), &watch, pipe_end[0], WATCH_READ);
}

static void watch_sees_hangup(struct rig *g)
{
	hangups = 0;
	assert_int_equal(pipe(pipe_end), 0);
	on_reactor(g, hangup_fn, NULL);
	close(pipe_end[1]);
	wait_for(hangups == 1);
	on_reactor(g, nothing_fn, NULL);
	close(pipe_end[0]);
}

/* Files. */

static struct file_op file_op;
static _Atomic(int64_t) file_result;
static _Atomic(bool) file_done;
static bool file_inside;

static void file_op_done(struct file_op *op, int64_t result)
{
	if (file_inside || op->reactor != reactor_self())
		abort();
	file_result = result;
	file_done = true;
}

static int file_fn(void *arg)
{
	struct file_op *op = arg;

	op->done = file_op_done;
	file_done = false;
	file_inside = true;
	reactor_file(reactor_self(), op);
	file_inside = false;
	return 0;
}

static int64_t file_run(struct rig *g, struct file_op op)
{
	file_op = op;
	on_reactor(g, file_fn, &file_op);
	wait_for(file_done);
	return file_result;
}

static void files_read_and_write(struct rig *g)
{
	int fd = memfd_create("files", 0);
	char head[] = "head", tail[] = "tail!", got[64] = "";
	struct iovec out[2] = { { head, 4 }, { tail, 5 } };
	struct iovec in[2] = { { got, 3 }, { got + 3, sizeof(got) - 3 } };

	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_WRITEV, .fd = fd, .iov = out,
						       .iov_count = 2, .offset_bytes = 100 }), 9);
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_FDATASYNC, .fd = fd }), 0);
	/* Short: the file ends first. */
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_READV, .fd = fd, .iov = in,
						       .iov_count = 2, .offset_bytes = 100 }), 9);
	assert_string_equal(got, "headtail!");
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_READV, .fd = fd, .iov = in,
						       .iov_count = 2, .offset_bytes = 109 }), 0);
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_FALLOCATE, .fd = fd,
						       .offset_bytes = 8192, .len_bytes = 4096 }), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 12288);
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_FALLOCATE, .fd = fd,
						       .flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						       .offset_bytes = 0, .len_bytes = 4096 }), 0);
	assert_int_equal(pread(fd, got, 9, 100), 9);
	assert_memory_equal(got, "\0\0\0\0\0\0\0\0\0", 9);
	close(fd);
}

static void files_report_errors(struct rig *g)
{
	char buf[16];
	struct iovec iov = { buf, sizeof(buf) };
	int fd = open("/dev/null", O_RDONLY);
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_READV, .fd = -1, .iov = &iov,
						       .iov_count = 1 }), -EBADF);
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_WRITEV, .fd = fd, .iov = &iov,
						       .iov_count = 1 }), -EBADF);
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_FDATASYNC, .fd = -1 }), -EBADF);
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_FALLOCATE, .fd = fd,
						       .len_bytes = 1 }), -EBADF);
	assert_int_equal(file_run(g, (struct file_op){ .opcode = FILE_FALLOCATE, .fd = p[1],
						       .len_bytes = 1 }), -ESPIPE);
	close(fd);
	close(p[0]);
	close(p[1]);
}

#define FILE_OPS 10000                   /* more than the ring has room for */
static struct file_op many_ops[FILE_OPS];
static uint64_t many_values[FILE_OPS];
static struct iovec many_iov[FILE_OPS];
static int many_fd;
static _Atomic(unsigned) many_left, many_wrong;

static void many_done(struct file_op *op, int64_t result)
{
	if (result != sizeof(uint64_t))
		many_wrong++;
	if (op->opcode == FILE_WRITEV) {
		size_t i = (size_t)(op - many_ops);
		many_values[i] = 0;
		op->opcode = FILE_READV;
		reactor_file(reactor_self(), op);
	} else {
		many_left--;
	}
}

static int many_fn(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < FILE_OPS; i++) {
		many_values[i] = i * UINT64_C(0x9e3779b97f4a7c15);
		many_iov[i] = (struct iovec){ &many_values[i], sizeof(uint64_t) };
		many_ops[i] = (struct file_op){ .done = many_done, .opcode = FILE_WRITEV, .fd = many_fd,
						.iov = &many_iov[i], .iov_count = 1,
						.offset_bytes = i * 512 };
		reactor_file(reactor_self(), &many_ops[i]);
	}
	return 0;
}

static void files_many_at_once(struct rig *g)
{
	many_fd = memfd_create("many", 0);
	many_left = FILE_OPS;
	many_wrong = 0;
	on_reactor(g, many_fn, NULL);
	wait_for(many_left == 0);
	assert_int_equal(many_wrong, 0);
	for (size_t i = 0; i < FILE_OPS; i++)
		assert_true(many_values[i] == i * UINT64_C(0x9e3779b97f4a7c15));
	close(many_fd);
}

/* Workers. */

#define WORKS 200
static struct work works[WORKS];
static _Atomic(unsigned) works_running, works_at_once, works_done, works_wrong;

static void work_work(struct work *w)
{
	unsigned now = ++works_running;

	(void)w;
	if (reactor_self())
		works_wrong++;
	if (now > works_at_once)
		works_at_once = now;
	usleep(2000);
	works_running--;
}

static void work_done(struct work *w)
{
	if (reactor_self() != w->reactor)
		works_wrong++;
	works_done++;
}

static int works_fn(void *arg)
{
	works_done = works_at_once = works_wrong = 0;
	for (size_t i = 0; i < (size_t)(uintptr_t)arg; i++) {
		works[i] = (struct work){ .work = work_work, .done = work_done };
		reactor_work(reactor_self(), &works[i]);
	}
	return 0;
}

static void workers_run_and_answer(struct rig *g)
{
	on_reactor(g, works_fn, (void *)WORKS);
	wait_for(works_done == WORKS);
	assert_int_equal(works_wrong, 0);
	assert_in_range(works_at_once, 2, 64);
}

extern _Atomic(unsigned) workers_idle_ms;         /* core/reactor_priv.h */

static unsigned worker_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned count = 0;

	for (struct dirent *e; (e = readdir(d));) {
		char path[sizeof("/proc/self/task//comm") + sizeof(e->d_name)], name[32] = "";
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		FILE *f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f))
			count += strcmp(name, "hf-worker\n") == 0;
		if (f)
			fclose(f);
	}
	closedir(d);
	return count;
}

static void workers_leave_when_idle(struct rig *g)
{
	unsigned usual = workers_idle_ms;

	workers_idle_ms = 50;
	on_reactor(g, works_fn, (void *)WORKS);
	wait_for(works_done == WORKS);
	/* Threads of earlier cases still wait as long as it was usual then. */
	wait_for(worker_threads() == 0);
	workers_idle_ms = usual;
}

static _Atomic(unsigned) silent_runs;
static void silent_work(struct work *w)
{
	free(w);
	silent_runs++;
}

static void work_without_answer(struct rig *g)
{
	struct work *w = calloc(1, sizeof(*w));

	(void)g;
	silent_runs = 0;
	w->work = silent_work;
	reactor_work(NULL, w);
	wait_for(silent_runs == 1);
}

/* Life. */

static void stop_waits_for_what_is_in_flight(struct rig *g)
{
	many_fd = memfd_create("stop", 0);
	many_left = FILE_OPS;
	many_wrong = 0;
	on_reactor(g, works_fn, (void *)50);
	on_reactor(g, many_fn, NULL);
	reactor_stop(g->r);
	assert_int_equal(works_done, 50);
	assert_int_equal(many_left, 0);
	assert_int_equal(many_wrong, 0);
	close(many_fd);
}

static void stopped_refuses_calls(struct rig *g)
{
	struct reactor *ran_on = NULL;

	reactor_stop(g->r);
	assert_int_equal(reactor_call(g->r, call_fn, &ran_on), -ESHUTDOWN);
	assert_null(ran_on);
	reactor_stop(g->r);
}

/* Callers that race with the stop get an answer or a refusal, never neither. */
static _Atomic(unsigned) racers_over;

static void *racer(void *arg)
{
	struct reactor *ran_on;
	int err;

	do
		err = reactor_call(arg, call_fn, &ran_on);
	while (err == -EXDEV);
	if (err == -ESHUTDOWN)
		racers_over++;
	return NULL;
}

static void stop_while_others_call(struct rig *g)
{
	pthread_t threads[4];

	racers_over = 0;
	for (size_t i = 0; i < ARRAY_COUNT(threads); i++)
		pthread_create(&threads[i], NULL, racer, g->r);
	usleep(10000);
	reactor_stop(g->r);
	for (size_t i = 0; i < ARRAY_COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(racers_over, ARRAY_COUNT(threads));
}

static void *quitter(void *arg)
{
	usleep(20000);
	reactor_quit(arg);
	return NULL;
}

static void runs_on_the_callers_thread(struct rig *g)
{
	struct reactor_opts opts = { .name = "a name that is too long", .engine = g->engine, .cpu = 0 };
	struct reactor *r;
	pthread_t thread;

	assert_int_equal(reactor_new(&opts, &r), 0);
	assert_string_equal(reactor_name(r), "a name that is ");
	assert_int_not_equal(reactor_index(r), reactor_index(g->r));
	pthread_create(&thread, NULL, quitter, r);
	assert_int_equal(reactor_run(r), 0);
	pthread_join(thread, NULL);
	reactor_free(r);
}

static void stop_without_start(struct rig *g)
{
	struct reactor_opts opts = { .engine = g->engine, .cpu = -1 };
	struct reactor *r;

	assert_int_equal(reactor_new(&opts, &r), 0);
	reactor_stop(r);
	reactor_free(r);
	reactor_free(NULL);
	reactor_stop(NULL);
}

static const struct rig_case cases[] = {
	{ .name = "messages from many threads arrive in order per sender", .run = messages_from_many_threads },
	{ .name = "messages reach a spinning loop", .run = messages_from_many_threads, .spin_max_us = 50 },
	{ .name = "a call gives the result", .run = call_gives_the_result },
	{ .name = "deferred work runs once", .run = deferred_runs_once },
	{ .name = "timers fire in order, not early, not when stopped", .run = timers_in_order },
	{ .name = "a timer re-arms itself", .run = timer_rearms_itself },
	{ .name = "idle means asleep", .run = idle_means_asleep },
	{ .name = "idle means asleep with spinning allowed", .run = idle_means_asleep, .spin_max_us = 50 },
	{ .name = "a watch is level-triggered", .run = watch_is_level_triggered },
	{ .name = "a watch sees a hang-up", .run = watch_sees_hangup },
	{ .name = "files are read, written, synced, punched", .run = files_read_and_write },
	{ .name = "file errors are reported", .run = files_report_errors },
	{ .name = "many file operations at once", .run = files_many_at_once },
	{ .name = "workers run and answer", .run = workers_run_and_answer },
	{ .name = "workers leave when idle", .run = workers_leave_when_idle },
	{ .name = "work without an answer", .run = work_without_answer },
	{ .name = "stop waits for what is in flight", .run = stop_waits_for_what_is_in_flight },
	{ .name = "a stopped loop refuses calls", .run = stopped_refuses_calls },
	{ .name = "stop while others call", .run = stop_while_others_call },
	{ .name = "the loop runs on the caller's thread", .run = runs_on_the_callers_thread },
	{ .name = "stop without start", .run = stop_without_start },
};

int main(void)
{
	return RIG_MAIN("core/reactor", cases);
}
