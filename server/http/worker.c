/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker.c - the threads that wait for control, so that those of libmicrohttpd never do: a slow change
 * must not hold up the health check, the event streams or somebody else's request. */
#include "http/http_priv.h"

#define WORKERS 4u

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct list jobs;
	pthread_t thread[WORKERS];
	unsigned count;
	bool must_stop;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .jobs = LIST_INIT(pool.jobs) };

static void *worker_run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&pool.lock);
	for (;;) {
		struct list *l = list_pop(&pool.jobs);

		if (l) {
			struct job *j = list_entry(l, struct job, link);

			pthread_mutex_unlock(&pool.lock);
			j->run(j);
			pthread_mutex_lock(&pool.lock);
		} else if (pool.must_stop) {
			break;
		} else {
			pthread_cond_wait(&pool.wake, &pool.lock);
		}
	}
	pthread_mutex_unlock(&pool.lock);
	return NULL;
}

int workers_start(void)
{
	pool.must_stop = false;
	while (pool.count < WORKERS) {
		int r = -pthread_create(&pool.thread[pool.count], NULL, worker_run, NULL);

		if (r < 0) {
			workers_stop();
			return r;
		}
		pthread_setname_np(pool.thread[pool.count++], "http-worker");
	}
	return 0;
}

void workers_stop(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.must_stop = true;
	pthread_cond_broadcast(&pool.wake);
	pthread_mutex_unlock(&pool.lock);
	while (pool.count)
		pthread_join(pool.thread[--pool.count], NULL);
}

void worker_push(struct job *j)
{
	pthread_mutex_lock(&pool.lock);
	list_add_tail(&pool.jobs, &j->link);
	pthread_cond_signal(&pool.wake);
	pthread_mutex_unlock(&pool.lock);
}
