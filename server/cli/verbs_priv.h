/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verbs_priv.h - how rows of the table are written, and the parts of it that have files of their own. */
#ifndef HOLDFAST_CLI_VERBS_PRIV_H
#define HOLDFAST_CLI_VERBS_PRIV_H

#include "cli/cli_priv.h"

#define END_FLAGS { .name = NULL }
#define TEXT(n, m, f, h) { .name = n, .metavar = m, .type = FLAG_TEXT, .field = f, .help = h }
#define REF(n, m, f, what, h) { .name = n, .metavar = m, .type = FLAG_TEXT, .field = f, .noun = what, .help = h }
#define ENUM(n, f, v, h) { .name = n, .metavar = v, .type = FLAG_TEXT, .field = f, .values = v, .help = h }
#define ON_OFF(n, f, h) { .name = n, .metavar = "on|off", .type = FLAG_ON_OFF, .field = f, .values = "on|off", .help = h }
#define FILTER(n, m, f, h) { .name = n, .metavar = m, .type = FLAG_TEXT, .where = IN_QUERY, .field = f, .help = h }
#define FILTER_ENUM(n, f, v, h) { .name = n, .metavar = v, .type = FLAG_TEXT, .where = IN_QUERY, .field = f, .values = v, .help = h }
#define FILTER_REF(n, m, f, what, h) { .name = n, .metavar = m, .type = FLAG_TEXT, .where = IN_QUERY, .field = f, .noun = what, .help = h }
#define QUERY_YES(n, f, h) { .name = n, .type = FLAG_YES, .where = IN_QUERY, .field = f, .help = h }
#define SECRET(n, f, h) { .name = n, .metavar = "FILE", .type = FLAG_SECRET_FILE, .field = f, .help = h }
#define FORCE(h) QUERY_YES("force", "force", h)
#define COMMENT TEXT("comment", "TEXT", "comment", "Free text for people.")

/* ---- verbs_operate.c ------------------------------------------------------------------------------------- */
extern const struct verb serve_verbs[], refused_verbs[], alert_verbs[], address_verbs[], doctor_verbs[], bundle_verbs[], explain_verbs[], top_verbs[], history_verbs[], about_verbs[];
extern const struct column refused_columns[], alert_columns[], address_columns[];

/* ---- verbs_share.c ---------------------------------------------------------------------------------------- */
extern const struct verb share_verbs[], nas_verbs[], snapshot_verbs[], disk_verbs[], user_verbs[], nas_group_verbs[], quota_verbs[];
extern const struct column snapshot_columns[], disk_columns[], share_columns[], user_columns[], nas_group_columns[], quota_columns[];

/* ---- verbs_remote.c ---------------------------------------------------------------------------------------- */
extern const struct verb import_verbs[];
extern const struct column import_columns[];
extern const struct flag target_test_flags[], share_test_flags[];

#endif
