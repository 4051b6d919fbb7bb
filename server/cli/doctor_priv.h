/* SPDX-License-Identifier: GPL-3.0-or-later */
/* doctor_priv.h - what doctor.c, firewall.c and bundle.c share. */
#ifndef HOLDFAST_CLI_DOCTOR_PRIV_H
#define HOLDFAST_CLI_DOCTOR_PRIV_H

#include "cli/cli_priv.h"

/* What a program prints, at most so many bytes; NULL: it cannot be run, or ended with another status than 0.
 * No shell; its errors go nowhere; killed after seconds.  Returns owned. */
char *program_output(const char *const *argv, size_t max_bytes, unsigned seconds);

struct firewall;
struct firewall *firewall_look(void);    /* asks firewalld, ufw and nft; NULL: out of memory */
void firewall_free(struct firewall *f);
const char *firewall_name(const struct firewall *f);
/* Does it keep strangers from this TCP port, as far as can be told?  fix: the command that opens it. */
bool firewall_blocks(const struct firewall *f, unsigned port, char *fix, size_t fix_bytes);
/* For the tests: from what the programs print; NULL: not there. */
struct firewall *firewall_from(const char *firewalld_zone, const char *firewalld_zones, const char *ufw_status, const char *nft_ruleset);

/* [{"check","result":"ok|warning|error","text","fix"}]; returns owned. */
json_t *doctor_findings(struct cli *c, bool *ret_sick);

/* Takes what looks like a secret out of a text or of JSON, in place. */
void scrub_text(char *s);
void scrub_json(json_t *j);

#endif
