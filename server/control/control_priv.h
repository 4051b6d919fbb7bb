/* SPDX-License-Identifier: GPL-3.0-or-later */
/* control_priv.h - what the files of control/ share.  All of it belongs to the control thread (a reactor
 * that may wait for others) unless a line says "any thread". */
#ifndef HOLDFAST_CONTROL_PRIV_H
#define HOLDFAST_CONTROL_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "block/block.h"
#include "control/control.h"
#include "iscsi/iscsi.h"
#include "nvmf/nvmf.h"
#include "scsi/scsi.h"

extern struct log_topic log_control;

#define SECOND_NS UINT64_C(1000000000)
#define VOLUME_RETRY_S 10
#define CLOSE_DEADLINE_MS 5000           /* of a volume whose backend has requests */
#define PORTAL_RETRY_S 5
#define POOL_RETRY_S 30

/* ---- registry: what runs, by the id of its object --------------------------------------------------- */
#define REGISTRY_BUCKETS 4096
struct node {
	struct list all;                 /* in order of arrival */
	struct node *next;               /* in its bucket */
	char id[CONFIG_ID_BYTES];
};
struct registry {
	struct list all;
	size_t count;
	struct node *bucket[REGISTRY_BUCKETS];
};
void registry_init(struct registry *g);
struct node *registry_find(const struct registry *g, const char *id); /* NULL: not there */
void registry_add(struct registry *g, struct node *n, const char *id);
void registry_remove(struct registry *g, struct node *n);

/* ---- the room ---------------------------------------------------------------------------------------- */
struct control {
	struct control_opts opts;
	char *state_dir;                 /* owned */
	struct reactor *reactor;
	struct config *db;
	bool started;                    /* everything that the store says has been tried once */
	char started_at[32];
	uint64_t started_ns;
	struct registry volumes, targets, portals;
	struct timer retry;              /* armed only while something waits to be tried again */
	uint64_t close_by_ns;            /* while it stops: the deadline of all volumes together; 0: each has its own */
	bool closes_late;                /* a volume was left with requests that its backend does not end */
};
extern struct control ctl;

/* ---- json.c: short words for jansson ------------------------------------------------------------------ */
const char *text_of(const json_t *o, const char *member);        /* "" when it is not a text */
const char *text_or_null(const json_t *o, const char *member);   /* also NULL when it is empty */
void time_to_text(int64_t unix_s, char out[32]);                 /* RFC 3339, UTC */
int64_t int_of(const json_t *o, const char *member);
bool true_of(const json_t *o, const char *member);
/* The stored row with ids for references; returns owned. */
int row_get(enum model_kind k, const char *id, json_t **ret_row, struct config_error *e);
int rows_where(enum model_kind k, const char *field, const char *value, json_t **ret_rows, struct config_error *e);
/* For sentences: the name, or what else people know it by.  Works on rows and on objects. */
void object_label(enum model_kind k, const json_t *o, char *buf, size_t buf_bytes);

/* ---- runtime_pool.c ------------------------------------------------------------------------------------ */
struct pool_facts {
	bool online, not_mounted;        /* its disk, which we formatted, is not mounted there */
	char reason[WHY_BYTES], file_system[32];
	uint64_t total_bytes, free_bytes;
};
void pool_facts(const char *path, struct pool_facts *ret_facts);
int pool_prepare(const char *path, char *why, size_t why_bytes); /* is it a folder fit for data? */
bool pool_check_all(void);               /* raises and resolves alerts; true: look again later */

void bans_restore(void);                 /* status.c */

/* ---- runtime_volume.c ---------------------------------------------------------------------------------- */
struct rt_volume {
	struct node node;
	json_t *row;                     /* as applied; owned */
	struct volume *volume;           /* NULL: could not even be opened offline */
	struct scsi_unit *unit;
	struct volume_watcher watcher;
	char reason[256];                /* when volume is NULL */
	bool building;                   /* a task makes its backing */
	uint64_t used_bytes, used_at_ns; /* asked now and then: it may be slow */
	bool used_known;
};
/* The spec of a row; strings live as long as the row and the holder. */
struct volume_spec_hold {
	struct volume_spec spec;
	struct volume_setting setting[64];
	json_t *pool;                    /* owned */
	uint8_t key[VOLUME_KEY_BYTES];
	char key_why[WHY_BYTES];
};
int volume_spec_of(const json_t *row, struct volume_spec_hold *ret_hold, char *why, size_t why_bytes);
void volume_spec_done(struct volume_spec_hold *h);
/* volume_key.c.  The key of an encrypted volume's row: made in the transaction that makes the volume (adopt: it must be there
 * already), and lent to a spec that is going to be opened, or why there is none. */
int volume_key_make(const json_t *row, bool adopt, struct config_error *e);
void volume_key_lend(const json_t *row, struct volume_spec_hold *h);
void volume_keys_start(void);
void volume_keys_stop(void);
/* The same for a volume without a row: the note that pending keeps, {"row","pool_path"}. */
json_t *volume_note_of(const json_t *row); /* returns owned */
int volume_spec_of_note(const json_t *note, struct volume_spec_hold *ret_hold, char *why, size_t why_bytes);
struct rt_volume *rt_volume_find(const char *id);
/* Opens and registers. must_serve: an OFFLINE backend is an error. */
int rt_volume_open(const json_t *row, bool must_serve, struct rt_volume **ret_volume, char *why, size_t why_bytes);
void rt_volume_close(struct rt_volume *v);
void rt_volume_stop(struct rt_volume *v); /* at the end of the daemon: does not unregister alerts */
void rt_volume_check(struct rt_volume *v); /* alerts and retries */
void rt_volume_acknowledged(const char *type, const char *name); /* somebody knows of an alert */
bool rt_volume_is_online(const struct rt_volume *v);
void rt_volume_reason(const struct rt_volume *v, char *buf, size_t buf_bytes);
int rt_volume_change(const json_t *old_row, const json_t *new_row, char *why, size_t why_bytes);
bool volume_retry_all(void);             /* true: some are still offline */
bool volume_builds_slowly(const json_t *row);
int reservations_start(void);
void reservations_stop(void);

/* ---- runtime_target.c ---------------------------------------------------------------------------------- */
struct rt_target {
	struct node node;
	bool nvme;
	struct iscsi_target *target;     /* NULL: could not be made, or nvme */
	struct nvmf_subsystem *subsystem; /* NULL: could not be made, or iSCSI */
	char name[224];                  /* IQN or NQN */
	char reason[256];
	json_t *host_states;             /* like the row's path_states: those that hosts asked for in this run, by SET TARGET PORT GROUPS; or NULL */
};
struct rt_target *rt_target_find(const char *id);
int rt_target_add(const json_t *row, char *why, size_t why_bytes);
int rt_target_update(const json_t *row, char *why, size_t why_bytes);
void rt_target_remove(const char *id);
/* What an update to the rows as they are in the store now would do to sessions. */
void rt_target_preview(const json_t *row, unsigned *ret_touched, unsigned *ret_closed);
bool target_retry_all(void);
int rt_target_update_by_volume(const char *volume_id); /* those that map it */
unsigned target_session_count(const char *name);
/* The hosts of an access row, in order: appends {"host":row,"luns":[..]} to list. */
int access_hosts(const json_t *access, json_t *list, struct config_error *e);

/* ---- runtime_paths.c: states of paths, in words of the row and of SCSI ---------------------------------------- */
struct scsi_path;
struct scsi_path path_state_of(const json_t *states, const json_t *host_states, uint16_t group);
void paths_start(void);                  /* hosts may ask for others from now on */
void paths_stop(void);

/* ---- runtime_subsystem.c: the same for targets of protocol nvme --------------------------------------------- */
/* Makes *subsystem, or updates it. */
int rt_subsystem_apply(const json_t *row, struct nvmf_subsystem **subsystem, char *why, size_t why_bytes);
void rt_subsystem_preview(const json_t *row, struct nvmf_subsystem *n, unsigned *ret_touched, unsigned *ret_closed);

/* ---- runtime_portal.c ---------------------------------------------------------------------------------- */
struct rt_portal {
	struct node node;
	json_t *row;                     /* owned */
	struct iscsi_portal *iscsi;
	struct nvmf_portal *nvmf;
	void *https;
	bool listening;
	char reason[256];
};
struct rt_portal *rt_portal_find(const char *id);
void rt_portal_add(const json_t *row);   /* a failure to bind is an alert, tried again */
void rt_portal_remove(const char *id);
bool portal_retry_all(void);
void retry_now(void);                    /* as when the timer fires */
void retry_soon(unsigned seconds);       /* arms the retry timer, not later than now + seconds */

/* ---- backup.c: secrets of an export, sealed by a passphrase --------------------------------------------- */
json_t *backup_secret(const uint8_t key[32], enum model_kind k, const json_t *o, const struct field *f); /* returns owned */
json_t *backup_sealing(const char *passphrase, uint8_t key[32]); /* returns owned; NULL: no memory */

/* ---- front_end.c: which protocols this build serves ------------------------------------------------------- */
const char *front_end_missing(enum model_kind k, const char *protocol); /* NULL: it is there; else the reason */

/* ---- change.c, prepare.c, plan.c, steps.c ------------------------------------------------------------------ */
struct touched {
	enum model_kind kind;
	char id[CONFIG_ID_BYTES];
	json_t *old_row, *new_row;       /* refs as ids; NULL: was or is not there; owned */
	size_t change_at;
};
struct step;
struct step_kind {
	const char *name;                /* "volume.open" */
	const char *text;                /* what people read; %s is the object */
	int (*apply)(struct step *s, char *why, size_t why_bytes);
	void (*undo)(struct step *s);    /* NULL: nothing to undo */
	bool after_commit;               /* cannot be undone, so it runs last and may only warn */
};
struct step {
	const struct step_kind *kind;
	const struct touched *touched;   /* borrowed from the batch */
	json_t *row, *old_row;           /* owned */
	json_t *note;                    /* volumes: volume_note_of() as of the plan; owned */
	char object[128], text[320];
	bool keep_data;
	bool done;
	unsigned sessions_touched, sessions_closed;
};
struct batch {
	const struct control_change *change;
	size_t count;
	struct control_result *result;   /* count entries */
	char (*new_id)[CONFIG_ID_BYTES]; /* per change: stays the same when the batch is run again */
	const char *const *want_id;      /* import: ids to use; may be NULL */
	bool adopt;                      /* import: a backing that exists already is taken over */
	struct touched *touched;
	size_t touched_count, touched_room;
	struct step *steps;
	size_t step_count, step_room;
	size_t failed_at;                /* which change, when something failed */
};
/* All or none; the whole way: transaction, plan, apply, commit. */
int batch_run(struct batch *b, const struct config_actor *who, bool dry_run);
void batch_done(struct batch *b);
int batch_touch(struct batch *b, enum model_kind k, const char *id, json_t *old_row, json_t *new_row, size_t change_at); /* takes rows */
/* prepare.c: what the server fills in, and what no single row can check. */
int prepare_create(enum model_kind k, json_t *body, struct config_error *e);
/* The name of the import that writes the volume or share now; NULL: none. */
const char *import_filling(const char *id);
/* -EBUSY while an import writes it. */
int import_check_idle(enum model_kind k, const json_t *row, struct config_error *e);
/* An absolute path without empty parts and single dots, so that one folder is written in one way. */
void path_tidy(char *path);
int check_row(enum model_kind k, const json_t *old_row, const json_t *new_row, const struct control_change *c, struct config_error *e);
int delete_dependants(struct batch *b, size_t at, enum model_kind k, const json_t *row, struct config_error *e);
/* prepare_share.c: the same for shares, users, groups and quotas */
int share_prepare(json_t *body, struct config_error *e);
int user_prepare(json_t *body, struct config_error *e);
int group_prepare(json_t *body, struct config_error *e);
int quota_prepare(json_t *body, struct config_error *e);
int share_row_check(const json_t *old_row, const json_t *row, struct config_error *e);
int share_folder_check(const char *pool_path, const char *below, struct config_error *e);
int pool_keeps_off_shares(const char *path, struct config_error *e);
int user_row_check(const json_t *old_row, const json_t *row, struct config_error *e);
int group_row_check(const json_t *old_row, const json_t *row, struct config_error *e);
int nas_portal_check(const json_t *row, struct config_error *e);
/* A user (group: false) or group that goes: refused while something names it, or taken out with force. */
int account_leaves(struct batch *b, size_t at, bool group, const json_t *row, struct config_error *e);
int user_range_parse(const char *value, unsigned *ret_low, unsigned *ret_high); /* -EINVAL */
/* prepare.c, for the same */
int delete_rows(struct batch *b, size_t at, enum model_kind k, const char *field, const char *id, struct config_error *e);
int busy_rows(enum model_kind k, const char *field, const char *id, const char *what, const char *advice, struct config_error *e);
/* Changes a row that goes along with a change. */
int follow_update(struct batch *b, size_t at, enum model_kind k, const json_t *row, json_t *patch, struct config_error *e); /* takes patch */
/* plan.c */
int plan_make(struct batch *b, struct config_error *e);
struct step *plan_add(struct batch *b, const struct step_kind *kind, const struct touched *t, json_t *row, json_t *old_row);
bool plan_needs_notes(const struct batch *b);            /* makes backings: notes must be durable first */
json_t *plan_json(const struct batch *b);                /* returns owned */
int plan_apply(struct batch *b, struct config_error *e); /* undoes what it did when a step fails */
void plan_undo(struct batch *b);
void plan_finish(struct batch *b);                       /* steps that run after the commit */
/* For the tests: runs before each step; not 0: the step fails with it. */
extern int (*plan_test_hook)(const char *step_name, bool before);
extern const struct step_kind step_volume_make, step_volume_open, step_volume_build, step_volume_change, step_volume_close,
	step_volume_destroy, step_volume_shrink, step_target_add, step_target_update, step_target_remove, step_portal_open, step_portal_close,
	step_setting_apply, step_pool_add, step_pool_remove;
/* After a crash: finishes what pending rows say. */
void pending_finish(void);

/* ---- setting.c ---------------------------------------------------------------------------------------------- */
enum setting_type { SETTING_TEXT, SETTING_INT, SETTING_ENUM };
struct setting_row {
	const char *key, *help;
	enum setting_type type;
	const char *default_value;
	int64_t min, max;                /* INT; TEXT: bytes */
	const char *values;              /* ENUM: "a|b" */
	int (*check)(const char *value, char *why, size_t why_bytes); /* further check, or NULL */
	void (*apply)(const char *value);/* live; NULL: read when it is needed */
};
extern const struct setting_row setting_rows[];
extern const size_t setting_count;
const struct setting_row *setting_find(const char *key);
int setting_check(const char *key, const char *value, struct config_error *e);
void setting_value(const char *key, char *buf, size_t buf_bytes);
/* mdns.c: what NVMe discovery listens on is told to the local network; the control thread. */
void mdns_refresh(void);                 /* a portal came or went */
void mdns_apply(const char *value);
void mdns_start(void);
void mdns_stop(void);
/* referral.c */
int referrals_check(const char *value, char *why, size_t why_bytes);
void referrals_apply(const char *value);
int64_t setting_int(const char *key);
void settings_apply_all(void);            /* when iscsi/ runs */
void settings_for_iscsi(struct iscsi_opts *o);
void settings_host_changed(void);         /* a host may be the one that discovery asks for */
json_t *setting_object(const struct setting_row *s, const json_t *stored); /* returns owned */

/* ---- event.c ------------------------------------------------------------------------------------------------ */
int events_start(void);
void events_stop(void);
void events_flush(void);                 /* what waits goes to the store */
void events_settle(void);                /* after the first reconcile: old alerts that did not come back are over */
void alert_raise(int level, const char *type, const char *object, const char *fmt, ...) _printf_(4, 5);
void alert_resolve(const char *type, const char *object);
bool alert_is_raised(const char *type, const char *object);
void event_note(int level, const char *type, const char *object, const char *fmt, ...) _printf_(4, 5); /* control_event() without a log line */
json_t *alerts_active(void);             /* returns owned */
int alert_acknowledge(const char *id, const char *who, json_t **ret_event, struct config_error *e); /* returns owned */
void publish(const char *type, json_t *data); /* to the subscribers; takes data */
void publish_config(enum model_kind k, const char *id, const char *verb, uint64_t revision);

/* ---- login.c: what iscsi/ and nvmf/ tell --------------------------------------------------------------------------------- */
void login_event(void *arg, const struct iscsi_event *e); /* any thread */
void connect_event(void *arg, const struct nvmf_event *e); /* any thread */
/* ---- refused.c: who knocked and was not let in --------------------------------------------------------------------------- */
void refused_note(const char *protocol, const char *name, const char *target, const char *peer, const char *reason);
json_t *refused_list(void);              /* returns owned */
void refused_load(void);                 /* those of the run before */
void refused_save(void);                 /* when something has changed */
/* ---- watch.c: counters over time ------------------------------------------------------------------------------------------ */
void watching_start(void);
void watching_stop(void);
/* ---- alert.c ---------------------------------------------------------------------------------------------------- */
const char *alert_fix(const char *type); /* what to do; NULL: nothing is written */

/* ---- bundle.c: several changes that make one wish true ------------------------------------------------------------- */
struct bundle {
	struct control_change change[16];
	size_t count;
	json_t *keep;                    /* array: bodies and ids that the changes borrow */
	json_t *objects;                 /* array of {"kind","verb","id","name"}: also what was there already */
};
int bundle_init(struct bundle *b);
void bundle_done(struct bundle *b);
/* body: taken; also on error. */
int bundle_create(struct bundle *b, enum model_kind k, json_t *body);
int bundle_update(struct bundle *b, enum model_kind k, const char *id, const char *name, json_t *patch);
int bundle_delete(struct bundle *b, enum model_kind k, const char *id, const char *name);
int bundle_found(struct bundle *b, enum model_kind k, const json_t *row); /* is there, stays as it is */
/* Runs them as one batch; ret_plan: owned, may be NULL. */
int bundle_run(struct bundle *b, const struct config_actor *who, bool dry_run, json_t **ret_plan, struct config_error *e);
/* ---- serve.c, connect.c: a host by the name it has on the wire -------------------------------------------------------- */
/* Finds or makes the host that the body names and gives it the name; *ret_name: what it will be called. */
int bundle_host(struct bundle *b, const char *protocol, const json_t *wish, char name[64], struct config_error *e);
int bundle_access(struct bundle *b, const json_t *target, const char *host, int64_t lun, struct config_error *e);
void connect_line(json_t *lines, const char *fmt, ...) _printf_(2, 3); /* one more that is to be typed */
json_t *connect_json(const char *protocol, const char *qualified_name, const json_t *portals, const json_t *host); /* returns owned */
json_t *portals_of(const char *protocol); /* rows of enabled portals; returns owned */
json_t *portal_endpoints(const char *protocol); /* where hosts can reach them, "192.0.2.1:3260"; returns owned */
void endpoint_split(const char *endpoint, char address[96], char port[8]);

/* ---- task.c ----------------------------------------------------------------------------------------------------- */
struct task;
struct task_spec {
	const char *type, *object;
	int (*work)(struct task *t, void *arg);          /* on a worker; 0, -ECANCELED or -errno */
	void (*finished)(struct task *t, void *arg, int status); /* control thread; frees arg */
	void *arg;
	bool can_cancel;
	bool quiet;                      /* nobody needs to see it: no row, no event */
};
int control_task_start(const struct task_spec *s, char id[CONFIG_ID_BYTES], struct config_error *e);
/* On the worker. */
void control_task_progress(struct task *t, int percent, const char *fmt, ...) _printf_(3, 4);
bool control_task_is_cancelled(const struct task *t);
/* What the task was for is done: who cancels it now is refused, and who did before is not heard; only the end of the daemon is. */
void control_task_is_too_late(struct task *t);
/* Runs fn on the control thread and waits, like reactor_call(), but not for a control thread that waits for the task to end:
 * -ECANCELED. */
int control_task_ask(struct task *t, int (*fn)(void *arg), void *arg);
/* What it has found so far, for GET of the task, also for a while after its end; copied. */
void control_task_result(struct task *t, const json_t *result);
void tasks_recover(void);                /* those that a restart cut off are failed */
void tasks_stop(void);                   /* cancels, waits */
size_t task_running_count(void);
void control_task_overlay(json_t *row);            /* progress over the stored row */
int control_task_stop(const char *id, struct config_error *e);

/* ---- domain.c ------------------------------------------------------------------------------------------------------- */
/* Names of a domain in a share's lists as the domain writes them, and their SIDs beside them.  In the open transaction; object: the share as
 * it was answered, replaced when that changes it, or NULL. */
int share_settle_names(const char *id, json_t **object, struct config_error *e);

/* ---- import.c ------------------------------------------------------------------------------------------------------- */
void imports_start(void);                /* those that the last end cut off go on */
void imports_leave(void);                /* before tasks_stop(): what runs goes on at the next start */
void imports_stop(void);

/* ---- certificate_*.c; certificate_priv.h has the rest ----------------------------------------------------------------- */
int certificate_prepare(json_t *body, struct config_error *e);
int account_prepare(json_t *body, struct config_error *e);
int account_check(const json_t *row, struct config_error *e);
int certificate_check(const json_t *old_row, const json_t *row, const struct control_change *c, struct config_error *e);
int certificate_follow(struct batch *b, size_t at, const json_t *old_row, const json_t *row, struct config_error *e); /* one is active */
int certificate_may_go(const json_t *row, struct config_error *e);
const struct step_kind *certificate_step(const json_t *old_row, const json_t *row, bool after); /* NULL: none is needed */
void certificate_fill(json_t *o);
void certificates_start(void);           /* installs the active one, or makes one */
void certificates_stop(void);

/* ---- channel.c: people are told ------------------------------------------------------------------------------------------ */
int channel_check(const json_t *row, struct config_error *e);
void channel_fill(json_t *o);
void channels_changed(void);             /* rows have changed: read again */
void channels_start(void);
void channels_stop(void);

/* ---- runtime_share.c, runtime_user.c, steps_share.c: folders and who uses them ------------------------------------------ */
bool nas_protocol(const char *protocol); /* smb or nfs */
void nas_start(void);                    /* after everything else is served; the servers start a little later */
void nas_stop(void);                     /* the servers go on */
bool nas_retry(void);                    /* true: something is not as it should be */
int nas_check(char *why, size_t why_bytes); /* would the rows as they are now be possible? */
int nas_apply(char *why, size_t why_bytes); /* makes it so */
void nas_portal_state(const char *protocol, bool *ret_listening, char *why, size_t why_bytes);
void share_fill(json_t *o);
void quota_fill(json_t *o);
void user_fill(json_t *o);
struct share_counts {
	bool serving, used_known, counts; /* counts: else the next four are 0 */
	uint64_t read_bytes, write_bytes, read_ops, write_ops, used_bytes;
	unsigned sessions, open_files;
};
void share_counts_each(void (*fn)(const char *id, const char *name, const struct share_counts *c));
void share_sessions_add(json_t *list);   /* any thread */
bool share_folder_is_there(const json_t *share);
int plan_shares(struct batch *b, bool after, struct config_error *e);

/* ---- live.c: the fields that are not stored ----------------------------------------------------------------------- */
struct live_context {
	unsigned *target_sessions;       /* counted once per list */
	json_t *sessions_by_target;      /* IQN -> count */
};
void volume_refresh_used(struct rt_volume *v, uint64_t deadline_ns); /* unless it is fresh, or the deadline is over */
void live_fill(enum model_kind k, json_t *objects); /* an object or an array of them */
json_t *sessions_list(void);

#endif
