/* SPDX-License-Identifier: GPL-3.0-or-later */
/* asset.h - the built page inside the program: one row per file, made by asset.sh. */
#ifndef HOLDFAST_HTTP_ASSET_H
#define HOLDFAST_HTTP_ASSET_H

#include "core/base.h"

struct asset {
	const char *path;                /* "/index.html"; only A-Z a-z 0-9 . _ / - occur */
	const char *type;
	const char *etag;                /* SHA-256 of the content, quoted */
	bool is_gzip;                    /* stored compressed */
	bool is_hashed;                  /* its name changes with its content */
	const uint8_t *start, *end;
};
extern const struct asset assets[];      /* in order of path (bytes) */
extern const size_t asset_count;

#endif
