/* SPDX-License-Identifier: GPL-3.0-or-later */
/* initiator.h - one SCSI nexus for tests of NVMe: what both command sets see of one volume. */
#ifndef HOLDFAST_TESTS_NVME_INITIATOR_H
#define HOLDFAST_TESTS_NVME_INITIATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reactor;
struct volume;
void initiator_open(struct reactor *const *reactors, unsigned count, struct reactor *on, struct volume *v);
/* 0: GOOD; a sense as 0x062a03; 0x18000000: RESERVATION CONFLICT. */
unsigned initiator_do(const uint8_t cdb[16], const void *out, size_t out_len);
/* PERSISTENT RESERVE OUT with a scope and type of `type`. */
unsigned initiator_pr_out(unsigned action, unsigned type, uint64_t key, uint64_t action_key);
unsigned initiator_tur(void);
unsigned initiator_write(void);          /* block 0 */
/* The same, sent only, one at a time: whether it is over within ms, and its result. */
void initiator_send(const uint8_t cdb[16], const void *out, size_t out_len);
void initiator_send_write(void);
void initiator_send_pr_out(unsigned action, unsigned type, uint64_t key, uint64_t action_key);
bool initiator_is_over(unsigned ms);
unsigned initiator_wait(void);
void initiator_close(void);

#endif
