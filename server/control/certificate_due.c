/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate_due.c - when something is due: ordering, renewing, asking the authority, warning people.
 *
 * Lifetimes shrink (90 days, 64, 45, six), so every time here is a part of the lifetime; and attempts are
 * spread, so that a thousand servers do not knock in the same second. */
#include "control/certificate_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tls/tls.h"

#define DAY_S INT64_C(86400)
#define LOOK_AGAIN_S (6 * 3600u)         /* clocks are set, notebooks sleep */
#define SELF_RENEW_S (30 * DAY_S)

static struct timer look_timer;

uint64_t due_random(void)
{
	uint64_t v = 0;

	if (tls_random(&v, sizeof(v)) < 0)
		v = reactor_clock_ns();
	return v;
}

/* ---- rules ------------------------------------------------------------------------------------------------------- */
int64_t due_by_age(const struct tls_cert_facts *f, uint64_t random)
{
	int64_t life = f->not_after_unix_s - f->not_before_unix_s;

	/* Two thirds of its life, or up to a thirtieth earlier. */
	return f->not_after_unix_s - life / 3 - (life >= 30 ? (int64_t)(random % (uint64_t)(life / 30)) : 0);
}

int64_t due_back_off(int64_t life_s, int64_t failures, uint64_t random)
{
	int64_t base = life_s ? (int64_t)min_u64(max_u64((uint64_t)life_s / 1000, 5), 3600) : 900;
	int64_t most = life_s ? (int64_t)max_u64(min_u64((uint64_t)life_s / 20, DAY_S), (uint64_t)base) : DAY_S;
	int64_t wait = base;

	for (int64_t i = 1; i < failures && wait < most; i++)
		wait *= 2;
	wait = (int64_t)min_u64((uint64_t)wait, (uint64_t)most);
	return wait + (int64_t)(random % ((uint64_t)wait / 5 + 1)); /* up to a fifth later */
}

void due_alarm_s(int64_t life_s, int64_t *ret_warn_s, int64_t *ret_alarm_s)
{
	*ret_warn_s = (int64_t)min_u64(7 * DAY_S, (uint64_t)life_s / 6);
	*ret_alarm_s = (int64_t)min_u64(2 * DAY_S, (uint64_t)life_s / 12);
}

/* ---- one certificate ------------------------------------------------------------------------------------------------ */
static void soonest(int64_t *when, int64_t candidate)
{
	if (candidate && (!*when || candidate < *when))
		*when = candidate;
}

/* Alerts of those that somebody relies on. */
static void look_at_end(const json_t *row, const struct tls_cert_facts *f, int64_t now, int64_t *when)
{
	const char *name = text_of(row, "name");
	int64_t left = f->not_after_unix_s - now, warn_s, alarm_s;
	bool matters = true_of(row, "active") || (is_acme(row) && true_of(row, "auto_renew"));
	char until[32];

	due_alarm_s(f->not_after_unix_s - f->not_before_unix_s, &warn_s, &alarm_s);
	time_to_text(f->not_after_unix_s, until);
	if (!matters || left > warn_s)
		alert_resolve("certificate.expires", name);
	if (!matters || left > alarm_s)
		alert_resolve("certificate.expires_soon", name);
	if (!matters)
		return;
	if (left <= warn_s)
		alert_raise(LOG_LEVEL_WARN, "certificate.expires", name, "certificate %s ends at %s and was not renewed", name, until);
	else
		soonest(when, f->not_after_unix_s - warn_s);
	if (left <= alarm_s)
		alert_raise(LOG_LEVEL_ERROR, "certificate.expires_soon", name, "certificate %s %s at %s: browsers will refuse the page", name, left <= 0 ? "ended" : "ends", until);
	else
		soonest(when, f->not_after_unix_s - alarm_s);
}

static void look_at_order(const json_t *row, bool has_chain, int64_t now, int64_t *when)
{
	struct config_error e = { 0 };
	char task[CONFIG_ID_BYTES];
	int64_t renew_at = time_of(row, "renew_at"), ask_at = time_of(row, "ask_at");

	if (order_task_of(text_of(row, "id")))
		return;                          /* its end looks again */
	if (has_chain && (!true_of(row, "auto_renew") || *text_of(row, "revoked_at")))
		return;
	if (renew_at <= now) {
		int r = order_start(row, task, &e);
		if (r == -EAGAIN) {
			soonest(when, now + 30); /* too many tasks */
		} else if (r) {
			alert_raise(LOG_LEVEL_WARN, "certificate.failed", text_of(row, "name"), "certificate %s cannot be ordered: %s", text_of(row, "name"), e.why);
			soonest(when, now + 3600);
		}
		return;
	}
	soonest(when, renew_at);
	if (!has_chain)
		return;
	if (ask_at > now)
		soonest(when, ask_at);
	else if (order_ask(row, &e))
		soonest(when, now + 60);
}

static void look_at(const json_t *row, int64_t now, int64_t *when)
{
	struct tls_cert_facts f = { 0 };
	struct config_error e = { 0 };
	bool has_chain = *text_of(row, "chain_pem") && tls_cert_facts(text_of(row, "chain_pem"), &f) == 0;

	if (has_chain && strcmp(text_of(row, "source"), "self-signed") == 0) {
		if (f.not_after_unix_s - now < SELF_RENEW_S && true_of(row, "auto_renew")) {
			if (self_signed_renew(row, &e)) {
				alert_raise(LOG_LEVEL_WARN, "certificate.failed", text_of(row, "name"), "the self-signed certificate %s cannot be renewed: %s", text_of(row, "name"), e.why);
				soonest(when, now + 3600);
			} else {
				alert_resolve("certificate.failed", text_of(row, "name"));
			}
		} else {
			soonest(when, f.not_after_unix_s - SELF_RENEW_S);
		}
	} else if (has_chain) {
		look_at_end(row, &f, now, when);
	}
	if (is_acme(row))
		look_at_order(row, has_chain, now, when);
	tls_cert_facts_done(&f);
}

static void look(struct timer *t)
{
	struct config_query q = { .refs_as_ids = true };
	struct config_error e;
	int64_t now = (int64_t)time(NULL), when = 0;
	json_t *rows, *row;
	size_t i;

	(void)t;
	if (!ctl.started) {                      /* portals come first, http-01 may need them gone or there */
		timer_start(ctl.reactor, &look_timer, SECOND_NS);
		return;
	}
	if (config_list(ctl.db, MODEL_CERTIFICATE, &q, &rows, &e)) {
		timer_start(ctl.reactor, &look_timer, 60 * SECOND_NS);
		return;
	}
	json_array_foreach(rows, i, row)
		look_at(row, now, &when);
	json_decref(rows);
	uint64_t wait_s = when > now ? (uint64_t)(when - now) : when ? 1 : LOOK_AGAIN_S;
	timer_start(ctl.reactor, &look_timer, min_u64(wait_s, LOOK_AGAIN_S) * SECOND_NS);
}

void due_look_soon(void)
{
	look_timer.fire = look;
	timer_start(ctl.reactor, &look_timer, SECOND_NS / 20);
}

void certificates_stop(void)
{
	timer_stop(&look_timer);
}
