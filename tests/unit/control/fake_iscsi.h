/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fake_iscsi.h - iscsi/'s door without a network: it records what control/ asks for, can be told to fail, and has
 * sessions that the test makes up. */
#ifndef TEST_CONTROL_FAKE_ISCSI_H
#define TEST_CONTROL_FAKE_ISCSI_H

#include "iscsi/iscsi.h"

struct iscsi_target {
	struct list link;
	char name[224], alias[256];
	bool enabled, allow_any;
	size_t lun_count, rule_count;
	struct {
		uint16_t lun;
		bool read_only;
		char volume[40];        /* its id */
	} luns[64];
	struct {
		char host[64], iqn[224], address[64], chap_user[256], secret[256], mutual_user[256];
		size_t lun_count;
		uint16_t lun;
	} rules[16];
	unsigned updates;
};
struct fake_iscsi {
	struct iscsi_opts opts;
	struct list targets;
	unsigned target_count, portal_count;
	int fail_bind;                   /* iscsi_portal_add returns it while it is not 0 */
	int fail_target;                 /* iscsi_target_add and _update likewise */
	char session_target[224];        /* one session is logged in there */
	int last_listen_fd;
	char discovery[512];             /* "user:secret" that discovery asks for */
};
extern struct fake_iscsi fake_iscsi;
struct iscsi_target *fake_target(const char *name); /* NULL: not there */

#endif
