/* SPDX-License-Identifier: GPL-3.0-or-later */
/* operate.h - the second door of control/: what people who run the server ask of it.  Who was refused,
 * what needs me, how busy is it and was it, why does a host not see a volume, serve one, what do I type.
 *
 * As in control.h: any thread but a reactor's; results are owned, errors are in e. */
#ifndef HOLDFAST_CONTROL_OPERATE_H
#define HOLDFAST_CONTROL_OPERATE_H

#include "config/config.h"

/* ---- alerts ------------------------------------------------------------------------------------------ */
/* [{"id","level","type","since","object","text","fix","acknowledged_by","acknowledged_at"}], worst first. */
json_t *control_alerts(void);
/* Somebody knows: it stays until its cause is gone, but need not be shown in red.  -ENOENT: not active. */
int control_alert_acknowledge(const char *id, const struct config_actor *who, json_t **ret_alert, struct config_error *e);

/* ---- hosts that knocked and were refused --------------------------------------------------------------- */
/* [{"id","protocol","name","address","target","reason","text","first_at","last_at","count"}], newest first. */
json_t *control_refused(void);
int control_refused_dismiss(const char *id, struct config_error *e);
/* body: {"host": name of a new or known host, "target": which, when it is not the one asked for}.  Makes
 * the host if there is none, gives it the name it knocked with and access; forgets the entry.
 * {"objects":[..],"plan","notes":[..]} */
int control_refused_approve(const char *id, const json_t *body, bool dry_run, const struct config_actor *who,
			    json_t **ret_result, struct config_error *e);

/* ---- serving a volume ------------------------------------------------------------------------------------ */
/* Makes what is missing between a volume and a host, all or none.  body: docs/openapi.yaml, Serve.
 * may_admin: pools and portals may be made.  {"objects":[{"kind","verb","id","name"}],"plan","connect"} */
int control_serve(const json_t *body, bool dry_run, bool may_admin, const struct config_actor *who,
		  json_t **ret_result, struct config_error *e);
/* {"connect":{"linux":[lines],"windows":[lines],"esxi":[lines]},"addresses":["192.0.2.1:3260"]}; host: or NULL. */
int control_connect(const char *target, const char *host, json_t **ret_result, struct config_error *e);
/* {"visible":bool,"steps":[{"check","ok":true|false|null,"text","fix"}]} */
int control_explain(const char *host, const char *volume, json_t **ret_result, struct config_error *e);

/* The same of a share: user or host (an address, a host's name or one that this machine can look up), either may be NULL.
 * {"visible","access":"none|read|write","steps":[{"check","protocol","ok","text","fix"}],..} */
int control_explain_share(const char *user, const char *host, const char *share, json_t **ret_result, struct config_error *e);
/* {"connect":{"linux":[lines],"windows":..,"macos":..,"esxi":..},"addresses"}; user: or NULL. */
int control_connect_share(const char *share, const char *user, json_t **ret_result, struct config_error *e);

/* ---- taking a change back ---------------------------------------------------------------------------------- */
/* By its revision, from the images in the audit.  {"objects":[..],"plan"}.  -ENOENT; -ESTALE changed since;
 * -EINVAL it cannot be taken back, and why. */
int control_undo(uint64_t revision, bool dry_run, bool may_admin, const struct config_actor *who, json_t **ret_result,
		 struct config_error *e);

/* ---- how busy ---------------------------------------------------------------------------------------------- */
struct control_history_query {
	const char *object;              /* "server", "volume/NAME", "share/NAME", "pool/NAME", "host/NAME", "target/NAME" */
	int64_t from_unix_s, to_unix_s;  /* 0: an hour ago; now */
	unsigned points;                 /* at most; 0: 300 */
};
/* {"object","from","to","step_s","series":{"read_bytes_s":[..],..}}; null: nothing is known of that time. */
int control_history(const struct control_history_query *q, json_t **ret_result, struct config_error *e);
/* {"seconds","items":[{"name","read_bytes_s",..}]}.  kind: volume, host, target, pool or session; by: ops,
 * bytes or latency. */
int control_top(const char *kind, const char *by, unsigned n, json_t **ret_result, struct config_error *e);
/* Whether anybody wants events of type "stats" (every 2 s).  Any thread, also with locks held. */
void control_stats_wanted(bool on);

/* ---- shares -------------------------------------------------------------------------------------------------- */
/* {"keeper":{..},"servers":[..],"capabilities":{..}} */
json_t *control_nas(void);
/* share_domain(): {"joined","state","realm",..} */
json_t *control_domain(void);
/* body: docs/openapi.yaml, DomainJoin.  A task, owned; with dry_run {"found","plan"}: the domain is asked, nothing changes. */
int control_domain_join(const json_t *body, bool dry_run, const struct config_actor *who, json_t **ret_result, struct config_error *e);
/* body: {"user","password","force"}; a task. */
int control_domain_leave(const json_t *body, const struct config_actor *who, json_t **ret_task, struct config_error *e);
/* [{"kind","name","full_name"}] of people whose names begin so; few. */
int control_domain_find(const char *text, json_t **ret_array, struct config_error *e);
/* {"source","realm","reason","keys":[{"principal","version","encryption"}]}: by what clients of NFS know this machine in Kerberos. */
int control_keytab(json_t **ret_keytab, struct config_error *e);
int control_keytab_set(const json_t *body, const struct config_actor *who, json_t **ret_keytab, struct config_error *e); /* {"keytab": base64} */
int control_keytab_remove(const struct config_actor *who, struct config_error *e);
int control_share_session_close(const char *id, struct config_error *e); /* of SMB and NFS: their ids are words */
/* [{"id","session","protocol","user","address","path","access","since","locks"}] */
int control_share_open_files(const char *share, json_t **ret_array, struct config_error *e);
int control_share_file_close(const char *share, const char *file, struct config_error *e);
int control_snapshot_list(const char *share, json_t **ret_array, struct config_error *e);
int control_snapshot_create(const char *share, const char *name, json_t **ret_snapshot, struct config_error *e); /* name: or NULL */
int control_snapshot_delete(const char *share, const char *name, struct config_error *e);
int control_snapshot_restore(const char *share, const char *name, struct config_error *e);
int control_disks(json_t **ret_array, struct config_error *e);
/* body: {"name","confirm": the name again,"disks":[..],"file_system","folder"}; the pool. */
int control_pool_format(const json_t *body, const struct config_actor *who, json_t **ret_pool, struct config_error *e);
int control_user_unlock(const char *user, struct config_error *e);

/* ---- seen from outside ---------------------------------------------------------------------------------------- */
/* Acts as a client, in a task whose result is {"ok","steps":[{"protocol","step","result","text","fix","ms"}]}; returns the task,
 * owned.  body: {"host","lun","write":bool}; for a share {"user","write"}. */
int control_target_test(const char *id, const json_t *body, json_t **ret_task, struct config_error *e);
int control_share_test(const char *id, const json_t *body, json_t **ret_task, struct config_error *e);
/* body: {"format","text"}.  {"format","findings","objects","plan"}: what other software's configuration becomes, and with
 * dry_run false that it is made, all or none. */
int control_import_config(const json_t *body, bool dry_run, const struct config_actor *who, json_t **ret_result, struct config_error *e);
/* Copies from other servers; each is a file below the state folder, and goes on after a restart.  body: docs/openapi.yaml, ImportNew.
 * All return owned objects.  dry_run: {"object","plan"}, and nothing is made. */
int control_import_create(const json_t *body, bool dry_run, json_t **ret_import, struct config_error *e);
int control_import_get(const char *name, json_t **ret_import, struct config_error *e);
json_t *control_import_list(void);
int control_import_start(const char *name, json_t **ret_import, struct config_error *e);  /* again, after an end */
/* patch: rate_limit at any time, passwords while it does not run. */
int control_import_set(const char *name, const json_t *patch, json_t **ret_import, struct config_error *e);
int control_import_delete(const char *name, struct config_error *e);     /* what was copied stays */

/* ---- the machine -------------------------------------------------------------------------------------------- */
/* [{"address","interface","family","prefix","loopback","up","speed_mbit"}] */
json_t *control_addresses(void);
/* {"version","licence","kernel","os","machine","libraries":[{"name","version","licence"}]} */
json_t *control_about(void);

#endif
