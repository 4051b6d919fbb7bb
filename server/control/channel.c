/* SPDX-License-Identifier: GPL-3.0-or-later */
/* channel.c - who is told what happened: events wait per channel, and go together.
 *
 * The control thread only collects: a storm of events makes one message with the first of them and a
 * number, not a thousand.  Sending is a task of its own (nobody sees it), one per channel at a time;
 * what was not taken is tried again, with pauses that grow. */
#include "control/control_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "notify/notify.h"

#define GATHER_NS (2 * SECOND_NS)        /* an event rarely comes alone */
#define QUEUE_MAX 200
#define RETRY_FIRST_S 30u
#define RETRY_MAX_S 3600u

struct chan {
	struct list link;
	char id[CONFIG_ID_BYTES], name[64];
	bool enabled, sending, is_seen;
	int min_level;                   /* rank */
	unsigned interval_s, failures;
	uint64_t not_before_ns;
	json_t *waiting;                 /* array of events; owned */
	size_t dropped;
};
static struct list chans = LIST_INIT(chans);
static struct timer send_timer;
static bool is_started;

static int rank(const char *level)
{
	return strcmp(level, "error") == 0 ? 2 : strcmp(level, "warning") == 0 ? 1 : 0;
}

static struct chan *chan_find(const char *id)
{
	struct chan *c;

	list_for_each(c, &chans, link)
		if (strcmp(c->id, id) == 0)
			return c;
	return NULL;
}

static void chan_free(struct chan *c)
{
	list_del(&c->link);
	json_decref(c->waiting);
	free(c);
}

/* ---- everything that sending needs, copied out of the store ---------------------------------------------------------- */
struct delivery {
	char id[CONFIG_ID_BYTES];
	json_t *row, *events;            /* owned */
	size_t dropped;
	char secret[1025], password[1025], server[256], why[600];
	struct notify_header headers[32];
	const char *to[20];
	struct notify_event list[QUEUE_MAX];
	struct notify_channel channel;
	struct task *t;
};

static void delivery_free(struct delivery *d)
{
	json_decref(d->row);
	json_decref(d->events);
	explicit_bzero(d, sizeof(*d));
	free(d);
}
DEFINE_FREEP(struct delivery, delivery_free)

/* *is_set tells whether there is one. */
static int take_secret(const char *id, const char *field, char *buf, size_t bytes, bool *is_set, struct config_error *e)
{
	size_t len = 0;
	int r = config_secret(ctl.db, MODEL_CHANNEL, id, field, (uint8_t *)buf, bytes - 1, &len, e);

	*is_set = r == 0;
	if (r == -ENOENT) {
		*e = (struct config_error){ 0 };
		r = 0;
	}
	buf[r ? 0 : len] = '\0';
	return r;
}

static uint16_t mail_port(const json_t *row)
{
	int64_t port = int_of(row, "port");
	const char *security = text_of(row, "security");

	return (uint16_t)(port ? port : strcmp(security, "tls") == 0 ? 465 : strcmp(security, "plain") == 0 ? 25 : 587);
}

static void describe_channel(struct delivery *d, bool has_secret, bool has_password)
{
	const char *name, *security = text_of(d->row, "security");
	struct notify_channel *c = &d->channel;
	json_t *v;
	size_t i;

	*c = (struct notify_channel){
		.type = strcmp(text_of(d->row, "type"), "email") == 0 ? NOTIFY_EMAIL : NOTIFY_WEBHOOK, .ca_pem = text_or_null(d->row, "ca_pem"),
		.url = text_of(d->row, "url"), .template = text_or_null(d->row, "template"), .secret = has_secret ? d->secret : NULL, .headers = d->headers,
		.host = text_of(d->row, "host"), .user = text_or_null(d->row, "user"), .password = has_password ? d->password : NULL, .from = text_of(d->row, "from"),
		.port = mail_port(d->row), .to = d->to,
		.security = strcmp(security, "tls") == 0 ? OUTBOUND_TLS : strcmp(security, "plain") == 0 ? OUTBOUND_PLAIN : OUTBOUND_STARTTLS,
	};
	json_object_foreach(json_object_get(d->row, "headers"), name, v)
		if (c->header_count < ARRAY_COUNT(d->headers))
			d->headers[c->header_count++] = (struct notify_header){ name, json_string_value(v) };
	json_array_foreach(json_object_get(d->row, "to"), i, v)
		if (c->to_count < ARRAY_COUNT(d->to))
			d->to[c->to_count++] = json_string_value(v);
}

static int delivery_new(const char *id, struct delivery **ret, struct config_error *e)
{
	_cleanup_(delivery_freep) struct delivery *d = calloc(1, sizeof(*d));
	bool has_secret = false, has_password = false;
	int r = d ? config_get(ctl.db, MODEL_CHANNEL, id, &d->row, e) : config_fail(e, -ENOMEM, "", "out of memory");

	if (r)
		return r;
	snprintf(d->id, sizeof(d->id), "%s", text_of(d->row, "id"));
	r = take_secret(d->id, "secret", d->secret, sizeof(d->secret), &has_secret, e);
	if (!r)
		r = take_secret(d->id, "password", d->password, sizeof(d->password), &has_password, e);
	if (r)
		return r;
	setting_value("server_name", d->server, sizeof(d->server));
	describe_channel(d, has_secret, has_password);
	*ret = TAKE(d);
	return 0;
}

static struct notify_news delivery_news(struct delivery *d)
{
	struct notify_news n = { .events = d->list, .dropped = d->dropped, .server = d->server, .now_unix_s = (int64_t)time(NULL) };
	json_t *o;
	size_t i;

	json_array_foreach(d->events, i, o)
		if (n.count < QUEUE_MAX)
			d->list[n.count++] = (struct notify_event){ .at = text_of(o, "at"), .level = text_of(o, "level"), .type = text_of(o, "type"), .object = text_of(o, "object"),
								    .message = text_of(o, "message"), .is_over = *text_of(o, "resolved_at") };
	return n;
}

/* ---- sending ------------------------------------------------------------------------------------------------------------ */
static void arm(void);

static bool is_cancelled(void *arg)
{
	return control_task_is_cancelled(((const struct delivery *)arg)->t);
}

static int deliver(struct task *t, void *arg)
{
	struct delivery *d = arg;
	const struct notify_watch w = { .is_cancelled = is_cancelled, .arg = d };
	const struct notify_news n = delivery_news(d);

	d->t = t;
	return notify_send(&d->channel, &n, &w, d->why, sizeof(d->why));
}

static void put_back(struct chan *c, struct delivery *d)
{
	json_t *all = TAKE(d->events), *o;
	size_t i;

	json_array_foreach(c->waiting, i, o)
		if (json_array_size(all) < QUEUE_MAX)
			json_array_append(all, o);
		else
			c->dropped++;
	c->dropped += d->dropped;
	json_decref(c->waiting);
	c->waiting = all;
}

static void delivered(struct task *t, void *arg, int status)
{
	_cleanup_(delivery_freep) struct delivery *d = arg;
	struct chan *c = chan_find(d->id);
	struct config_error e;
	char at[32];

	(void)t;
	if (!c)
		return;                          /* deleted, or we stop */
	c->sending = false;
	time_to_text((int64_t)time(NULL), at);
	if (status == 0) {
		c->failures = 0;
		c->not_before_ns = reactor_clock_ns() + c->interval_s * SECOND_NS;
		alert_resolve("channel.failed", c->name);
	} else {
		uint64_t pause_s = min_u64((uint64_t)RETRY_FIRST_S << min_u64(c->failures, 10), RETRY_MAX_S);
		c->failures++;
		c->not_before_ns = reactor_clock_ns() + max_u64(pause_s, 1) * SECOND_NS;
		put_back(c, d);
		alert_raise(LOG_LEVEL_WARN, "channel.failed", c->name, "channel %s does not take messages: %s; it is tried again", c->name, *d->why ? d->why : strerror(-status));
	}
	json_t *fields = status ? json_pack("{s:s}", "last_error", *d->why ? d->why : strerror(-status)) : json_pack("{s:s, s:n}", "sent_at", at, "last_error");
	if (!fields || config_put(ctl.db, MODEL_CHANNEL, d->id, fields, NULL, &e))
		log_warn(&log_control, "the state of a channel is not stored", "channel=%s", c->name);
	json_decref(fields);
	arm();
}

static void send_one(struct chan *c)
{
	struct delivery *d;
	struct config_error e;
	char task[CONFIG_ID_BYTES];
	const struct task_spec spec = { .type = "channel.send", .object = c->name, .work = deliver, .finished = delivered, .can_cancel = true, .quiet = true };

	if (delivery_new(c->id, &d, &e)) {
		alert_raise(LOG_LEVEL_WARN, "channel.failed", c->name, "channel %s cannot be used: %s", c->name, e.why);
		c->not_before_ns = reactor_clock_ns() + RETRY_MAX_S * SECOND_NS;
		return;
	}
	d->events = c->waiting;
	d->dropped = c->dropped;
	c->waiting = json_array();
	c->dropped = 0;
	c->sending = true;
	struct task_spec s = spec;
	s.arg = d;
	if (control_task_start(&s, task, &e) == 0)
		return;
	c->sending = false;
	put_back(c, d);
	delivery_free(d);
	c->not_before_ns = reactor_clock_ns() + RETRY_FIRST_S * SECOND_NS;
}

static void send_due(struct timer *t)
{
	uint64_t now = reactor_clock_ns();
	struct chan *c;

	(void)t;
	list_for_each(c, &chans, link)
		if (c->enabled && !c->sending && json_array_size(c->waiting) && now >= c->not_before_ns)
			send_one(c);
	arm();
}

/* The timer runs only while something waits. */
static void arm(void)
{
	uint64_t now = reactor_clock_ns(), when = 0;
	struct chan *c;

	list_for_each(c, &chans, link)
		if (c->enabled && !c->sending && json_array_size(c->waiting) && (!when || c->not_before_ns < when))
			when = max_u64(c->not_before_ns, 1);
	if (!when || !is_started)
		timer_stop(&send_timer);
	else
		timer_start(ctl.reactor, &send_timer, when > now ? when - now : 0);
}

/* ---- collecting ------------------------------------------------------------------------------------------------------------ */
static void on_event(struct control_subscriber *s, uint64_t seq, const char *type, const json_t *data)
{
	struct chan *c;

	(void)s, (void)seq;
	if (strcmp(type, "event") != 0 || list_is_empty(&chans))
		return;
	list_for_each(c, &chans, link) {
		if (!c->enabled || rank(text_of(data, "level")) < c->min_level)
			continue;
		/* Its own trouble is for other channels. */
		if (strcmp(text_of(data, "type"), "channel.failed") == 0 && strcmp(text_of(data, "object"), c->name) == 0)
			continue;
		if (json_array_size(c->waiting) >= QUEUE_MAX) {
			c->dropped++;
			continue;
		}
		if (json_array_size(c->waiting) == 0)
			c->not_before_ns = max_u64(c->not_before_ns, reactor_clock_ns() + GATHER_NS);
		json_array_append_new(c->waiting, json_deep_copy(data));
	}
	if (!timer_is_armed(&send_timer))
		arm();
}
static struct control_subscriber subscriber = { .fn = on_event };

void channels_changed(void)
{
	struct config_error e;
	json_t *rows, *row;
	struct chan *c;
	size_t i;

	if (!is_started || config_list(ctl.db, MODEL_CHANNEL, NULL, &rows, &e))
		return;
	list_for_each(c, &chans, link)
		c->is_seen = false;
	json_array_foreach(rows, i, row) {
		c = chan_find(text_of(row, "id"));
		if (!c) {
			c = calloc(1, sizeof(*c));
			if (!c || !(c->waiting = json_array())) {
				free(c);
				continue;
			}
			snprintf(c->id, sizeof(c->id), "%s", text_of(row, "id"));
			list_add_tail(&chans, &c->link);
		} else if (c->failures) {
			c->failures = 0;         /* perhaps it was put right: try soon */
			c->not_before_ns = 0;
		}
		snprintf(c->name, sizeof(c->name), "%s", text_of(row, "name"));
		c->enabled = true_of(row, "enabled");
		c->min_level = rank(text_of(row, "min_level"));
		c->interval_s = (unsigned)int_of(row, "interval_s");
		c->is_seen = true;
		if (!c->enabled)
			json_array_clear(c->waiting);
	}
	json_decref(rows);
	list_for_each(c, &chans, link)
		if (!c->is_seen) {
			alert_resolve("channel.failed", c->name);
			chan_free(c);
		}
	arm();
}

void channels_start(void)
{
	send_timer.fire = send_due;
	is_started = true;
	channels_changed();
	control_subscribe(&subscriber);
}

void channels_stop(void)
{
	struct chan *c;

	if (!is_started)
		return;
	is_started = false;
	control_unsubscribe(&subscriber);
	timer_stop(&send_timer);
	list_for_each(c, &chans, link)
		chan_free(c);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */
void channel_fill(json_t *o)
{
	const struct chan *c = chan_find(text_of(o, "id"));

	json_object_set_new(o, "state", json_string(!true_of(o, "enabled") ? "disabled" : *text_of(o, "last_error") ? "failing" : "ready"));
	json_object_set_new(o, "queued", json_integer(c ? (json_int_t)(json_array_size(c->waiting) + c->dropped) : 0));
}

static int check_email(const json_t *row, struct config_error *e)
{
	static const char *const webhook_only[] = { "url", "template" };

	for (size_t i = 0; i < ARRAY_COUNT(webhook_only); i++)
		if (*text_of(row, webhook_only[i]))
			return config_fail(e, -EINVAL, webhook_only[i], "%s is for webhooks", webhook_only[i]);
	if (!*text_of(row, "host"))
		return config_fail(e, -EINVAL, "host", "mail needs host, the mail server");
	if (!*text_of(row, "from"))
		return config_fail(e, -EINVAL, "from", "mail needs from, the sender's address");
	if (json_array_size(json_object_get(row, "to")) == 0)
		return config_fail(e, -EINVAL, "to", "mail needs to, at least one address");
	if (true_of(row, "password") != (*text_of(row, "user") != '\0'))
		return config_fail(e, -EINVAL, true_of(row, "password") ? "user" : "password", "a login at the mail server needs both user and password");
	if (true_of(row, "password") && strcmp(text_of(row, "security"), "plain") == 0)
		return config_fail(e, -EINVAL, "security", "a password goes only over starttls or tls");
	return 0;
}

/* A template is tried out, so that it fails here and not at night. */
static int check_template(const json_t *row, struct config_error *e)
{
	static const struct notify_event sample = { "2026-01-01T00:00:00Z", "warning", "sample", "v\"1", "a \"quoted\" line\n", false };
	const struct notify_news n = { .events = &sample, .count = 1, .server = "nas" };
	const char *unknown, *name;
	bool is_json = true;
	json_t *v;
	json_error_t je;

	if (!*text_of(row, "template"))
		return 0;
	json_object_foreach(json_object_get(row, "headers"), name, v)
		if (strcasecmp(name, "Content-Type") == 0 && !strstr(json_string_value(v), "json"))
			is_json = false;
	_cleanup_(freep) char *text = notify_render(text_of(row, "template"), &n, "s", &unknown);
	if (!text)
		return config_fail(e, -EINVAL, "template", "there is no value called %.*s", unknown ? (int)min_u64(strcspn(unknown, "}") + 2, 40) : 0, unknown ? unknown : "");
	json_t *j = is_json ? json_loads(text, JSON_DECODE_ANY, &je) : NULL;
	bool bad = is_json && !j;
	json_decref(j);
	return bad ? config_fail(e, -EINVAL, "template", "with values filled in it is not JSON: %s at line %d, column %d (another kind of body needs a Content-Type header)", je.text, je.line,
				 je.column) :
		     0;
}

static int check_webhook(const json_t *row, struct config_error *e)
{
	static const char *const mail_only[] = { "host", "user", "from" };
	const char *unknown, *name;
	json_t *v;

	for (size_t i = 0; i < ARRAY_COUNT(mail_only); i++)
		if (*text_of(row, mail_only[i]))
			return config_fail(e, -EINVAL, mail_only[i], "%s is for mail", mail_only[i]);
	if (!*text_of(row, "url"))
		return config_fail(e, -EINVAL, "url", "a webhook needs url");
	_cleanup_(freep) char *url = notify_fill_secret(text_of(row, "url"), "s", &unknown);
	if (!url)
		return config_fail(e, -EINVAL, "url", "only {{secret}} can be filled into the address");
	if (json_object_size(json_object_get(row, "headers")) > 30)
		return config_fail(e, -EINVAL, "headers", "there may be up to 30 headers");
	json_object_foreach(json_object_get(row, "headers"), name, v) {
		_cleanup_(freep) char *value = notify_fill_secret(json_string_value(v), "s", &unknown);
		if (!value || strpbrk(value, "\r\n"))
			return config_fail(e, -EINVAL, "headers", "the header %s must be one line, in which only {{secret}} can be filled", name);
	}
	return check_template(row, e);
}

int channel_check(const json_t *row, struct config_error *e)
{
	return strcmp(text_of(row, "type"), "email") == 0 ? check_email(row, e) : check_webhook(row, e);
}

/* ---- the test button ---------------------------------------------------------------------------------------------------------- */
struct test_call {
	const char *id;
	struct delivery *d;
	struct config_error *e;
};
static int test_gather(void *arg)
{
	struct test_call *c = arg;

	return delivery_new(c->id, &c->d, c->e);
}

/* On the caller's thread: it waits for the other side.  One at a time, since callers are few. */
int control_channel_test(const char *id, json_t **ret_result, struct config_error *e)
{
	static atomic_flag busy = ATOMIC_FLAG_INIT;
	static const struct notify_event sample = { .level = "info", .type = "channel.test", .object = "", .message = "This is a test: messages of this server arrive here." };
	struct test_call c = { .id = id, .e = e };
	struct outbound_transcript transcript = { 0 };
	const struct notify_watch w = { .transcript = &transcript };
	char at[32];
	int64_t now = (int64_t)time(NULL);

	*e = (struct config_error){ 0 };
	int r = reactor_call(ctl.reactor, test_gather, &c);
	if (r)
		return e->code ? r : config_fail(e, r, "", "%s", strerror(-r));
	if (atomic_flag_test_and_set(&busy)) {
		delivery_free(c.d);
		return config_fail(e, -EAGAIN, "", "another channel is being tested; wait for it to end");
	}
	time_to_text(now, at);
	struct notify_event event = sample;
	event.at = at;
	const struct notify_news n = { .events = &event, .count = 1, .server = c.d->server, .now_unix_s = now };
	r = notify_send(&c.d->channel, &n, &w, c.d->why, sizeof(c.d->why));
	atomic_flag_clear(&busy);
	const char *message = r == 0 ? "The message was taken." : *c.d->why ? c.d->why : strerror(-r);
	*ret_result = json_pack("{s:b, s:s, s:s}", "ok", r == 0, "message", message, "transcript", transcript.text ? transcript.text : "");
	if (!*ret_result)                        /* the other side's words are no UTF-8 */
		*ret_result = json_pack("{s:b, s:s, s:s}", "ok", r == 0, "message", "The other side said something that is not text.", "transcript", "");
	outbound_transcript_done(&transcript);
	delivery_free(c.d);
	return *ret_result ? 0 : config_fail(e, -ENOMEM, "", "out of memory");
}
