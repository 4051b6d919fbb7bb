/* SPDX-License-Identifier: GPL-3.0-or-later */
/* read_priv.h - what the readers of foreign configuration share.  Text in, findings and objects out; nothing else happens. */
#ifndef HOLDFAST_REMOTE_READ_PRIV_H
#define HOLDFAST_REMOTE_READ_PRIV_H

#include "remote/remote.h"

#define OBJECTS_MAX 4096
#define WORDS_MAX 64
#define WORD_BYTES 4096

struct reading {
	const struct remote_config *in;
	char *text;                      /* owned copy with a NUL */
	json_t *objects, *findings;      /* arrays */
	json_t *names;                   /* {"volume":{..}}: taken */
	json_t *pools;                   /* array of {"name","path"}: there, or made by this reading */
	json_t *disks, *targets, *portals; /* of the SAN readers, see san_emit() */
	bool out_of_memory, too_much;
	char why[256];                   /* it is not what it should be */
};

enum finding { KEPT, CHANGED, LOST };
void found(struct reading *r, int line, enum finding level, const char *fmt, ...) _printf_(4, 5);
/* body: taken, also on error. */
void object_add(struct reading *r, const char *kind, int line, json_t *body);
/* A name that our rules allow and nobody has, from what it was called; marks it as taken. */
void name_make(struct reading *r, const char *kind, const char *wish, char name[64]);
/* The pool whose folder holds path, there or new, and what path is called below it.  False, with a finding: none can be made. */
bool pool_for(struct reading *r, int line, const char *path, char pool[64], char below[4096]);
/* A text as JSON; bytes that are not UTF-8 become '?'. */
json_t *text_json(const char *s);
const char *json_text(const json_t *o, const char *member);      /* "" when it is none */
/* The line of the first occurrence of "word" in quotes; 0: nowhere. */
int line_of(const struct reading *r, const char *word);
bool text_is_yes(const char *s);
/* "255.255.0.0" -> 16; -1: it is no mask. */
int mask_bits(const char *mask);

/* Lines of words: blanks part, quotes hold together, \ escapes; ends at comment outside of quotes. */
struct line {
	int number;
	size_t count;
	char *word[WORDS_MAX];           /* into buf */
	char buf[WORD_BYTES];
	bool too_long;
};
/* The next line that holds a word; false: no more.  at: position in r->text.  braces: { and } are words of their own. */
bool line_next(const struct reading *r, size_t *at, int *number, struct line *l, bool braces);

/* ---- san.c: disks and targets become our objects ----------------------------------------------------------------
 * disks:   {"line","name","path" (file or device; absent: ram),"size_bytes","block_size","read_only","removable","type",
 *           "naa","serial","vendor","product"}
 * targets: {"line","iqn","enabled","any","chap":{user,secret,mutual_user,mutual_secret},
 *           "luns":[{"lun","disk","read_only"}], "portals":[{"address","port"}],
 *           "hosts":[{"line","name","iqns":[],"addresses":[],"chap":{..},"luns":[{"lun","disk","read_only"}]}]}
 * A host without luns sees all of the target's. */
json_t *disk_add(struct reading *r, int line, const char *name); /* returns borrowed, NULL: no memory */
json_t *target_add(struct reading *r, int line, const char *iqn);
json_t *host_add(struct reading *r, json_t *target, int line, const char *name);
void lun_add(struct reading *r, json_t *target_or_host, unsigned lun, const char *disk, bool read_only);
void portal_add(struct reading *r, json_t *target, const char *address, unsigned port); /* target NULL: of all */
void set_text(json_t *o, const char *member, const char *s);
void set_int(json_t *o, const char *member, long long n);
void set_true(json_t *o, const char *member, bool on);
void san_emit(struct reading *r);

void read_lio(struct reading *r);
void read_tgt(struct reading *r);
void read_scst(struct reading *r);
void read_samba(struct reading *r);
void read_exports(struct reading *r);

#endif
