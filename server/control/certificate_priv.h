/* SPDX-License-Identifier: GPL-3.0-or-later */
/* certificate_priv.h - what the certificate_*.c files share: objects, what is served, orders, when. */
#ifndef HOLDFAST_CONTROL_CERTIFICATE_PRIV_H
#define HOLDFAST_CONTROL_CERTIFICATE_PRIV_H

#include "acme/acme.h"
#include "control/control_priv.h"
#include "tls/pki.h"

#define PEM_MAX 16384

/* ---- certificate.c ---- */
/* A secret as text; owned, wiped by secret_freep; NULL: not set, or it cannot be read (then e->code). */
char *secret_text(enum model_kind k, const char *id, const char *field, struct config_error *e);
void secret_freep(char **text);
bool is_acme(const json_t *row);
/* A change of the server's own, with its audit row. */
int certificate_change(enum control_verb verb, const char *id, json_t *body, json_t **ret_object, struct config_error *e); /* takes body */
int64_t time_of(const json_t *o, const char *member);    /* 0: none */

/* ---- certificate_self.c ---- */
/* Chain and key of a new self-signed one; names: array of texts, empty: what this machine is called. */
int self_signed_make(const json_t *names, char **ret_chain, char **ret_key);
/* What the folder tls/ of earlier versions holds becomes an object; else a new one is made. */
int certificate_first(struct config_error *e);
int self_signed_renew(const json_t *row, struct config_error *e);

/* ---- certificate_order.c ---- */
/* Starts the task that orders or renews.  -EALREADY: one runs. */
int order_start(const json_t *row, char task_id[CONFIG_ID_BYTES], struct config_error *e);
/* Asks the authority when to renew, without a task that people see. */
int order_ask(const json_t *row, struct config_error *e);
/* The account's own directory is one to rehearse with: there is nothing to try before. */
bool order_is_rehearsal(const json_t *account);
/* Where a script for dns-01 lies: programs that the API can name are in one folder, put there by somebody on the machine. */
int order_script(const json_t *row, char *path, size_t path_bytes, struct config_error *e);
/* The task that is at a certificate; NULL: none. */
const char *order_task_of(const char *certificate_id);
void certificate_tell(const json_t *certificate, const json_t *account, const char *action, int status, const struct acme_error *e, uint64_t seconds);

/* ---- certificate_due.c ---- */
void due_look_soon(void);
/* When a chain is to be renewed by its age: with a third of its life left, spread a little. */
int64_t due_by_age(const struct tls_cert_facts *f, uint64_t random);
/* Seconds to wait after so many failures; life_s 0: nothing was ever issued. */
int64_t due_back_off(int64_t life_s, int64_t failures, uint64_t random);
/* How long before its end a certificate is worth a warning and an alarm. */
void due_alarm_s(int64_t life_s, int64_t *ret_warn_s, int64_t *ret_alarm_s);
uint64_t due_random(void);

#endif
