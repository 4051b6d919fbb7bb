/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream.c - server-sent events (HTML 9.2): one ring of frames, many readers.
 *
 * There is no queue per client: every stream holds its place in the ring and at most the one frame
 * it is sending.  Who falls behind the ring gets a "reset" frame, loads afresh and goes on from now;
 * so does a client that comes back after a restart or after too long.
 *
 * Events of type "stats" are about now: they have no id and no place in the ring, only the newest is kept, and control
 * makes them only while there are streams.
 *
 * A stream with nothing to send is suspended, under the same lock that the waker takes, so no wake-up
 * is lost.  A suspended connection does not notice that its client is gone: the heartbeat writes. */
#include "http/http_priv.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/control.h"
#include "control/operate.h"

#define RING_FRAMES 1024
#define BLOCK_BYTES 4096
#define STREAMS_PER_LOGIN 16u

unsigned streams_heartbeat_ms = 15000;

struct frame {
	unsigned refs;
	uint64_t seq;
	size_t len;
	char text[];
};

struct http_stream {
	struct list link;
	struct MHD_Connection *conn;
	bool is_suspended, wants_heartbeat, must_end;
	char of[CONFIG_ID_BYTES];        /* the login or token that it was opened with, or "" (local socket) */
	uint64_t seen_seq;               /* last frame sent or skipped */
	uint64_t seen_stats;             /* the same of all.stats_seq */
	struct frame *frame;             /* being sent */
	size_t sent;
	uint64_t last_ms;                /* when something was sent last */
};

static struct {
	pthread_mutex_t lock;
	struct list streams;
	unsigned count;
	struct frame *ring[RING_FRAMES]; /* frame seq s is in s % RING_FRAMES */
	uint64_t last_seq, boot;
	struct frame *stats;             /* the newest */
	uint64_t stats_seq;
	bool is_stopping, is_subscribed;
	struct control_subscriber subscriber;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER, .streams = LIST_INIT(all.streams), .is_stopping = true };

static void frame_unref(struct frame *f)
{
	if (f && --f->refs == 0)
		free(f);
}

static struct frame *frame_new(const char *text)
{
	size_t len = strlen(text);
	struct frame *f = malloc(sizeof(*f) + len + 1);

	if (!f)
		return NULL;
	*f = (struct frame){ .refs = 1, .len = len };
	memcpy(f->text, text, len + 1);
	return f;
}

/* With the lock held. */
static void wake_all(void)
{
	struct http_stream *s;

	list_for_each(s, &all.streams, link)
		if (s->is_suspended) {
			s->is_suspended = false;
			MHD_resume_connection(s->conn);
		}
}

/* On the control thread: one copy into the ring, whoever listens. */
static void on_event(struct control_subscriber *sub, uint64_t seq, const char *type, const json_t *data)
{
	char *json = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(12));
	char *text = NULL;
	struct frame *f = NULL;

	(void)sub, (void)seq;
	if (!json)
		return;
	pthread_mutex_lock(&all.lock);
	if (strcmp(type, "stats") == 0) {
		if (asprintf(&text, "event: stats\ndata: %s\n\n", json) >= 0 && (f = frame_new(text))) {
			frame_unref(all.stats);
			all.stats = f;
			all.stats_seq++;
			wake_all();
		}
		pthread_mutex_unlock(&all.lock);
		free(text);
		free(json);
		return;
	}
	if (asprintf(&text, "id: %" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: %s\n\n", all.boot, all.last_seq + 1, type,
		     json) >= 0)
		f = frame_new(text);
	if (f) {
		struct frame **place = &all.ring[(all.last_seq + 1) % RING_FRAMES];

		f->seq = ++all.last_seq;
		frame_unref(*place);
		*place = f;
		wake_all();
	}
	pthread_mutex_unlock(&all.lock);
	if (f)
		free(text);
	free(json);
}

/* The next thing to send, or NULL; with the lock held. */
static struct frame *next_frame(struct http_stream *s)
{
	struct frame *f;

	if (s->seen_seq < all.last_seq) {
		f = all.ring[(s->seen_seq + 1) % RING_FRAMES];
		if (f && f->seq == s->seen_seq + 1) {
			s->seen_seq++;
			f->refs++;
			return f;
		}
		s->seen_seq = all.last_seq;      /* overwritten: it was too slow */
		return frame_new("event: reset\ndata: {\"reason\":\"missed\"}\n\n");
	}
	if (s->seen_stats < all.stats_seq && all.stats) {
		s->seen_stats = all.stats_seq;
		all.stats->refs++;
		return all.stats;
	}
	if (s->wants_heartbeat) {
		s->wants_heartbeat = false;
		return frame_new(": still here\n\n");
	}
	return NULL;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct http_stream *s = cls;
	ssize_t n = 0;

	(void)pos;
	pthread_mutex_lock(&all.lock);
	if (s->must_end) {
		pthread_mutex_unlock(&all.lock);
		return MHD_CONTENT_READER_END_OF_STREAM;
	}
	if (!s->frame) {
		s->frame = next_frame(s);
		s->sent = 0;
	}
	if (s->frame) {
		n = (ssize_t)min_u64(max, s->frame->len - s->sent);
		memcpy(buf, s->frame->text + s->sent, (size_t)n);
		s->sent += (size_t)n;
		s->last_ms = http_now_ms();
		if (s->sent == s->frame->len) {
			frame_unref(s->frame);
			s->frame = NULL;
		}
	} else if (all.is_stopping) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		s->is_suspended = true;
		MHD_suspend_connection(s->conn);
	}
	pthread_mutex_unlock(&all.lock);
	return n;
}

static void stream_free(void *cls)
{
	struct http_stream *s = cls;

	pthread_mutex_lock(&all.lock);
	list_del(&s->link);
	if (--all.count == 0)
		control_stats_wanted(false);
	frame_unref(s->frame);
	pthread_mutex_unlock(&all.lock);
	free(s);
}

/* Where a client that knows last_id goes on; UINT64_MAX: it must load afresh. */
static uint64_t resume_after(const char *last_id)
{
	uint64_t boot, seq;

	if (!last_id || !*last_id)
		return all.last_seq;
	if (sscanf(last_id, "%" SCNx64 "-%" SCNu64, &boot, &seq) != 2 || boot != all.boot || seq > all.last_seq ||
	    all.last_seq - seq > RING_FRAMES)
		return UINT64_MAX;
	return seq;
}

/* With the lock held. */
static unsigned count_of(const char *of)
{
	struct http_stream *s;
	unsigned n = 0;

	list_for_each(s, &all.streams, link)
		n += *of && strcmp(s->of, of) == 0;
	return n;
}

struct MHD_Response *stream_new(struct MHD_Connection *conn, const char *last_id, const struct auth_caller *caller)
{
	const char *of = caller->via == AUTH_VIA_TOKEN ? caller->token_id : caller->login_id;
	struct http_stream *s = calloc(1, sizeof(*s));
	struct MHD_Response *r;
	uint64_t after;

	if (!s)
		return NULL;
	pthread_mutex_lock(&all.lock);
	if (all.is_stopping || all.count == STREAMS_MAX || count_of(of) == STREAMS_PER_LOGIN) {
		pthread_mutex_unlock(&all.lock);
		free(s);
		return NULL;
	}
	if (all.count++ == 0)
		control_stats_wanted(true);
	after = resume_after(last_id);
	s->conn = conn;
	snprintf(s->of, sizeof(s->of), "%s", of);
	s->last_ms = http_now_ms();
	s->seen_stats = all.stats_seq;
	s->seen_seq = after == UINT64_MAX ? all.last_seq : after;
	s->frame = frame_new(after == UINT64_MAX ? "retry: 2000\nevent: reset\ndata: {\"reason\":\"unknown id\"}\n\n" :
						   "retry: 2000\n\n");
	list_add_tail(&all.streams, &s->link);
	pthread_mutex_unlock(&all.lock);
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, stream_read, s, stream_free);
	if (!r)
		stream_free(s);
	else
		keeper_wake();                   /* heartbeats are due from now on */
	return r;
}

/* Streams of logins and tokens that have ended since go too.  Asked without our lock: the answer may wait for control,
 * which waits for our lock when it has an event. */
static void end_logged_out(void)
{
	char (*ids)[CONFIG_ID_BYTES] = calloc(STREAMS_MAX, sizeof(*ids));
	struct http_stream *s;
	unsigned n = 0;

	if (!ids)
		return;
	pthread_mutex_lock(&all.lock);
	list_for_each(s, &all.streams, link)
		if (*s->of && n < STREAMS_MAX)
			memcpy(ids[n++], s->of, sizeof(*ids));
	pthread_mutex_unlock(&all.lock);
	for (unsigned i = 0; i < n; i++) {
		if (auth_login_is_alive(ids[i]) || auth_token_is_alive(ids[i]))
			continue;
		pthread_mutex_lock(&all.lock);
		list_for_each(s, &all.streams, link)
			if (strcmp(s->of, ids[i]) == 0) {
				s->must_end = true;
				if (s->is_suspended) {
					s->is_suspended = false;
					MHD_resume_connection(s->conn);
				}
			}
		pthread_mutex_unlock(&all.lock);
	}
	free(ids);
}

bool streams_heartbeat(void)
{
	uint64_t now = http_now_ms();
	struct http_stream *s;
	bool any;

	end_logged_out();
	pthread_mutex_lock(&all.lock);
	list_for_each(s, &all.streams, link)
		if (s->is_suspended && now - s->last_ms >= streams_heartbeat_ms * 9 / 10) {
			s->wants_heartbeat = true;
			s->is_suspended = false;
			MHD_resume_connection(s->conn);
		}
	any = all.count > 0;
	pthread_mutex_unlock(&all.lock);
	return any;
}

void streams_start(void)
{
	pthread_mutex_lock(&all.lock);
	all.is_stopping = false;
	all.boot = (uint64_t)time(NULL);
	pthread_mutex_unlock(&all.lock);
	all.subscriber.fn = on_event;
	control_subscribe(&all.subscriber);
	all.is_subscribed = true;
}

void http_streams_stop(void)
{
	if (all.is_subscribed)
		control_unsubscribe(&all.subscriber);
	all.is_subscribed = false;
	pthread_mutex_lock(&all.lock);
	all.is_stopping = true;
	wake_all();
	frame_unref(TAKE(all.stats));
	for (size_t i = 0; i < RING_FRAMES; i++) {
		frame_unref(all.ring[i]);
		all.ring[i] = NULL;
	}
	pthread_mutex_unlock(&all.lock);
}
