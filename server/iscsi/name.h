/* SPDX-License-Identifier: GPL-3.0-or-later */
/* name.h - patterns over iSCSI names: how rules find who logs in.  Pure functions. */
#ifndef HOLDFAST_ISCSI_NAME_H
#define HOLDFAST_ISCSI_NAME_H

#include "core/base.h"

/* '*' any run, '?' any one character, everything else itself, ASCII letters without case (names
 * are compared after stringprep, which folds them: RFC 3722). */
bool iscsi_glob_match(const char *pattern, const char *name);

#endif
