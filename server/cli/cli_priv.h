/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli_priv.h - what the files of the holdfast command share.
 *
 * One table of nouns and verbs (verbs.c) drives parsing, --help, completion, the list of verbs in the
 * man page and what most verbs do. */
#ifndef HOLDFAST_CLI_CLI_PRIV_H
#define HOLDFAST_CLI_CLI_PRIV_H

#include <jansson.h>
#include <stdio.h>

#include "core/base.h"

enum cli_exit { CLI_DONE, CLI_REFUSED, CLI_USAGE };

/* ---- the table, verbs.c ---------------------------------------------------------------------------- */
enum flag_type {
	FLAG_TEXT,
	FLAG_SIZE,                       /* 10G, binary; an integer of bytes in the body */
	FLAG_INT,
	FLAG_YES,                        /* no value: true when given */
	FLAG_ON_OFF,                     /* on|off */
	FLAG_LIST,                       /* may be repeated; an array of texts */
	FLAG_MAP,                        /* k=v, may be repeated; an object of texts */
	FLAG_SECRET_FILE,                /* first line of a file, "-" for standard input */
};
enum flag_where {
	IN_BODY,                         /* member `field` of the body */
	IN_QUERY,                        /* query parameter `field` */
	IN_VERB,                         /* the verb's function reads it */
};
struct flag {
	const char *name;                /* without the dashes */
	const char *metavar;             /* NULL when it takes no value */
	enum flag_type type;
	enum flag_where where;
	const char *field;
	const char *values;              /* "a|b|c" or NULL */
	const char *noun;                /* its value is the name of one of these, or NULL */
	bool required;
	const char *help;
};

enum column_type { COL_TEXT, COL_COUNT, COL_SIZE, COL_YES, COL_LIST, COL_STATE, COL_TIME, COL_LUNS };
struct column {
	const char *title, *member;
	enum column_type type;
};

struct cli;
struct verb {
	const char *name;
	const char *args;                /* "NAME", "TARGET VOLUME", "[FILE]" or "" */
	const struct flag *flags;        /* ends with a nameless one; may be NULL */
	const char *method, *route;      /* what it asks for, for its function and the tests */
	const char *help;
	const char *confirm;             /* what is lost; asked on a terminal.  NULL: nothing */
	int (*run)(struct cli *c);
};
struct noun {
	const char *name;
	const char *plural;              /* of the address, or NULL */
	const char *help;
	const struct verb *verbs;        /* ends with a nameless one; a verb called "" needs no word */
	const struct column *columns;    /* of its list; ends with a titleless one */
	enum { LIST_PAGES, LIST_NEWEST, LIST_WHOLE } list; /* how its list comes: newest with a limit, or unpaged */
};
extern const struct noun cli_nouns[];    /* ends with a nameless one */
extern const struct flag cli_global_flags[];
const struct noun *noun_find(const char *name);
const struct verb *verb_find(const struct noun *n, const char *name);
/* NULL: there is none. */
const struct flag *flag_find(const struct verb *v, const char *name, size_t name_len);
const struct flag *flag_find_global(const char *name, size_t name_len);
/* How many words a verb takes: least and most. */
void verb_arity(const struct verb *v, size_t *ret_least, size_t *ret_most);

/* ---- a command line, args.c ---------------------------------------------------------------------------- */
enum output { OUT_TABLE, OUT_JSON, OUT_NAME };
#define ARGS_MAX 8
#define GIVEN_MAX 256
struct cli {
	const struct noun *noun;
	const struct verb *verb;
	const char *arg[ARGS_MAX];
	size_t arg_count;
	struct {
		const struct flag *flag;
		const char *value;       /* "" when it takes none */
	} given[GIVEN_MAX];
	size_t given_count;
	enum output output;
	bool dry_run, yes, wants_help, wants_version;
	const char *state_dir, *socket;
	bool colours;                    /* of stdout */
	void *curl;                      /* client.c's */
};
/* CLI_DONE or CLI_USAGE, with the reason on stderr. */
int args_parse(struct cli *c, int argc, char **argv);
/* The value of a flag (the last one given), or NULL. */
const char *cli_flag(const struct cli *c, const char *name);
/* Adds the flags that belong into the body.  CLI_DONE, CLI_USAGE. */
int args_body(const struct cli *c, json_t *body);
/* Asks for a secret on the terminal, without showing it; without a terminal its first line is standard input's.  The same codes. */
int args_ask_secret(const struct cli *c, const char *question, const char *field, json_t *body);
/* Waits until a task has ended, and tells its steps meanwhile; returns owned. */
int follow_task(struct cli *c, const char *id, json_t **ret_task);
/* The secret in the file that an IN_VERB flag names, as its field of the body.  CLI_DONE, CLI_USAGE, CLI_REFUSED. */
int args_secret(const struct cli *c, const char *flag, json_t *body);
/* "?force=true&dry_run=true" or ""; owned. */
char *args_query(const struct cli *c);

/* ---- words for people ------------------------------------------------------------------------------------ */
/* "1.5T" to bytes.  -EINVAL, -ERANGE.  units.c */
int size_parse(const char *text, uint64_t *ret_bytes);
/* "1.5 TiB"; exact multiples have no fraction. */
void size_print(uint64_t bytes, char *out, size_t out_bytes);
/* "[::1]:3260" to address and port.  -EINVAL */
int endpoint_parse(const char *text, char *address, size_t address_bytes, unsigned *ret_port);

void help_main(FILE *f);
void help_noun(FILE *f, const struct noun *n);
void help_verb(FILE *f, const struct noun *n, const struct verb *v);
void help_mdoc(FILE *f);                 /* the verbs, for the man page */
int help_mdoc_pages(const char *dir);    /* a page for each noun: holdfast-NOUN.1; an exit status */
int help_describe(FILE *f);              /* the table as JSON, for the tests */
/* "holdfast volume create NAME --size SIZE .."; owned */
char *help_usage(const struct noun *n, const struct verb *v);
/* Nearest word to a mistyped one, or NULL. */
const char *help_nearest(const char *typed, const char *const *words, size_t count);
int complete_run(struct cli *c, int argc, char **argv);

int usage_error(const struct cli *c, const char *fmt, ...) _printf_(2, 3);
int refused(const char *fmt, ...) _printf_(1, 2);

/* ---- printing, print.c -------------------------------------------------------------------------------------- */
void print_list(const struct cli *c, const struct noun *n, const json_t *items);
void print_object(const struct cli *c, const json_t *object);
void print_json(const json_t *j);
void print_plan(const struct cli *c, const json_t *plan);
/* One cell's text without control characters; owned. */
char *cell_text(const json_t *object, const struct column *col);
/* "[::1]:3260": what a portal is called; owned. */
char *endpoint_text(const json_t *portal);
/* Replaces what a terminal would obey. */
void text_tame(char *s);
const char *text(const json_t *o, const char *name);     /* a member that is a text; "" when it is none */
void say(const char *fmt, ...) _printf_(1, 2);           /* a line, tamed, at once */
/* Wraps in a colour when colours are on; name of the colour by the word ("online" green ..). */
const char *state_colour(const char *word);
#define COLOUR_OFF "\033[0m"
#define COLOUR_BOLD "\033[1m"

/* ---- the server, client.c ------------------------------------------------------------------------------------ */
struct reply {
	long status;
	char *body;
	size_t body_len;
	json_t *json;                    /* NULL when it is none */
};
/* CLI_DONE: an answer came, good or not.  CLI_REFUSED: none, with the reason on stderr.
 * body: borrowed or NULL; if_match: or NULL. */
int client_call(struct cli *c, const char *method, const char *path, const json_t *body, const char *if_match,
		struct reply *ret_reply);
void reply_done(struct reply *r);
/* The same, and a refusal is told on stderr too: CLI_DONE only for 2xx. */
int client_do(struct cli *c, const char *method, const char *path, const json_t *body, const char *if_match,
	      struct reply *ret_reply);
/* All pages of a list; owned array.  limit 0: all. */
int client_list(struct cli *c, const char *path, size_t limit, json_t **ret_items);
/* Follows the event stream until the server ends it or fn says false. */
int client_follow(struct cli *c, const char *path, bool (*fn)(struct cli *c, const char *type, json_t *data));
void client_done(struct cli *c);
/* "/api/v1/volumes" and an id as one address; owned. */
char *path_join(const char *base, const char *id);
char *text_format(const char *fmt, ...) _printf_(1, 2); /* owned; ends the program without memory */
char *text_escape(const char *s);        /* percent-encoded; owned */

/* ---- what verbs do -------------------------------------------------------------------------------------------- */
int run_create(struct cli *c);
int run_list(struct cli *c);
int run_show(struct cli *c);
int run_set(struct cli *c);
int run_delete(struct cli *c);
int run_resize(struct cli *c);
int run_portal_add(struct cli *c);
int run_portal_show(struct cli *c);
int run_portal_set(struct cli *c);
int run_portal_enable(struct cli *c);
int run_portal_disable(struct cli *c);
int run_portal_delete(struct cli *c);
int run_target_ana(struct cli *c);
int run_attach(struct cli *c);
int run_detach(struct cli *c);
int run_allow(struct cli *c);
int run_deny(struct cli *c);
int run_key_generate(struct cli *c);
int run_group_add(struct cli *c);
int run_group_remove(struct cli *c);
int run_session_close(struct cli *c);
int run_ban_lift(struct cli *c);
int run_setting_get(struct cli *c);
int run_setting_set(struct cli *c);
int run_export(struct cli *c);
int run_import(struct cli *c);
int run_status(struct cli *c);
int run_event_follow(struct cli *c);
int run_task_cancel(struct cli *c);
int run_certificate_upload(struct cli *c);
int run_certificate_request(struct cli *c);
int run_certificate_activate(struct cli *c);
int run_certificate_renew(struct cli *c);
int run_certificate_revoke(struct cli *c);
int run_with_files_create(struct cli *c); /* flags that name files with PEM texts and the like */
int run_with_files_set(struct cli *c);
int run_account_do(struct cli *c);
int run_channel_test(struct cli *c);
int run_setup_code(struct cli *c);
int run_totp_reset(struct cli *c);
int run_token_create(struct cli *c);
int run_login_end(struct cli *c);
int run_setting_reset(struct cli *c);
int run_target_connect(struct cli *c);
int run_share_connect(struct cli *c);
int run_serve(struct cli *c);
int run_self_test(struct cli *c);
int run_import_start(struct cli *c);
int run_import_stop(struct cli *c);
int run_import_config(struct cli *c);
int run_refused_approve(struct cli *c);
int run_refused_dismiss(struct cli *c);
int run_alert_acknowledge(struct cli *c);
int run_about(struct cli *c);
int run_top(struct cli *c);
int run_explain(struct cli *c);
int run_undo(struct cli *c);
int run_doctor(struct cli *c);
int run_support_bundle(struct cli *c);
int run_history(struct cli *c);
int run_share_allow(struct cli *c);
int run_share_deny(struct cli *c);
int run_share_delete(struct cli *c);
int run_share_files(struct cli *c);
int run_share_close_file(struct cli *c);
int run_user_unlock(struct cli *c);
int run_nas(struct cli *c);
int run_nas_domain(struct cli *c);
int run_nas_join(struct cli *c);
int run_nas_leave(struct cli *c);
int run_nas_names(struct cli *c);
int run_nas_keytab(struct cli *c);
int run_nas_set_keytab(struct cli *c);
int run_nas_remove_keytab(struct cli *c);
int run_snapshot_create(struct cli *c);
int run_snapshot_list(struct cli *c);
int run_snapshot_restore(struct cli *c);
int run_snapshot_delete(struct cli *c);
int run_pool_format(struct cli *c);
int run_quota_set(struct cli *c);
int run_quota_delete(struct cli *c);
/* Says what was done, in the form -o asks for.  object may be NULL. */
void say_done(const struct cli *c, const json_t *object, const char *fmt, ...) _printf_(3, 4);
/* Prints the plan when it was a dry run. */
bool say_dry_run(const struct cli *c, const struct reply *r);
/* True: go on.  Asks on a terminal only. */
bool confirm(const struct cli *c, const char *name);

#endif
