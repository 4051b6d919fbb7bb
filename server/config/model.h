/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model.h - what objects there are and which fields they have: one row per field.
 *
 * The rows drive the columns that config/ reads and writes, the checks on input, the JSON of the
 * API, the flags of the CLI and the test of docs/openapi.yaml, so that they cannot disagree.
 * In the control plane an object is a jansson object whose members are these fields. */
#ifndef HOLDFAST_CONFIG_MODEL_H
#define HOLDFAST_CONFIG_MODEL_H

#include "core/base.h"

enum model_kind {
	MODEL_POOL,
	MODEL_VOLUME,
	MODEL_PORTAL,
	MODEL_TARGET,
	MODEL_LUN,
	MODEL_HOST,
	MODEL_HOST_GROUP,
	MODEL_ACCESS,
	MODEL_ACCOUNT,
	MODEL_SETTING,
	MODEL_ACME_ACCOUNT,
	MODEL_CERTIFICATE,
	MODEL_ACME_HISTORY,
	MODEL_CHANNEL,
	MODEL_AUDIT,
	MODEL_EVENT,
	MODEL_TASK,
	MODEL_TOKEN,
	MODEL_LOGIN,
	MODEL_SHARE,
	MODEL_USER,
	MODEL_GROUP,
	MODEL_QUOTA,
	MODEL_KINDS
};

enum field_type {
	FIELD_TEXT,                      /* UTF-8, min..max bytes */
	FIELD_INT,                       /* min..max */
	FIELD_BOOL,
	FIELD_ENUM,                      /* one of values ("a|b|c") */
	FIELD_TIME,                      /* RFC 3339 UTC text */
	FIELD_REF,                       /* name of an object of kind ref; stored as its id */
	FIELD_TEXTS,                     /* array of texts */
	FIELD_REFS,                      /* array of names of kind ref */
	FIELD_MAP,                       /* object of texts: plugin options */
	FIELD_SECRET,                    /* write-only; sealed at rest; reads as true (set) or false */
	FIELD_JSON                       /* any, only written by the server (audit, events) */
};
enum field_flags {
	FIELD_REQUIRED = 1,              /* must be given at creation */
	FIELD_FIXED = 2,                 /* may be given at creation, never changes */
	FIELD_SERVER = 4,                /* set by the server, refused in input */
	FIELD_UNIQUE = 8,
	FIELD_NULLABLE = 16,
	FIELD_LIVE = 32,                 /* not stored: filled in from what runs (FIELD_SERVER too) */
};
struct field {
	const char *name;                /* JSON member and SQL column */
	enum field_type type;
	unsigned flags;
	int64_t min, max;                /* INT: value; TEXT: bytes; TEXTS: count */
	const char *values;              /* ENUM */
	enum model_kind ref;             /* REF, REFS */
	const char *check;               /* name of a further check: "iqn-glob", "cidr", "name", .. or NULL */
	const char *default_json;        /* as JSON text; NULL: null or, without NULLABLE, required */
	const char *help;                /* one sentence, for --help and the docs */
};
struct model {
	enum model_kind kind;
	const char *name, *plural;       /* "volume", "volumes": JSON, URL and CLI */
	const char *table;
	const struct field *fields;      /* beside id, revision, created_at, updated_at that all have */
	size_t field_count;
	const char *help;
};
extern const struct model models[MODEL_KINDS];
const struct model *model_by_name(const char *name_or_plural);
const struct field *model_field(const struct model *m, const char *name);

#endif
