/* SPDX-License-Identifier: GPL-3.0-or-later */
/* initiator.c - see initiator.h; a file of its own, since the rigs of scsi/ and nvme/ use the same words. */
#include "../scsi/rig.h"
#include "initiator.h"

static struct nx nexus;
static struct scsi_lun_map *map;
static struct scsi_unit *unit;
static struct cmd sent;
static uint8_t block[512], list[24];

void initiator_open(struct reactor *const *reactors, unsigned count, struct reactor *on, struct volume *v)
{
	const struct scsi_unit_spec u = { .volume = v };
	assert_int_equal(scsi_start(reactors, count), 0);
	assert_int_equal(scsi_unit_new(&u, &unit), 0);
	const struct scsi_lun_entry e = { .unit = unit };
	assert_int_equal(scsi_lun_map_new(&e, 1, &map), 0);
	nx_open(&nexus, on, "iqn.2026-11.test:i,i,0x00023d000001", 1, map);
	nx_calm(&nexus, 0);
}

static unsigned result(const struct cmd *c)
{
	return c->status == SCSI_CHECK_CONDITION ? cmd_sense(c) : (unsigned)c->status << 24;
}

unsigned initiator_do(const uint8_t cdb[16], const void *out, size_t out_len)
{
	struct cmd c = { .out = out, .out_len = out_len };
	memcpy(c.cdb, cdb, 16);
	(void)cmd_do(&nexus, 0, &c);
	return result(&c);
}

unsigned initiator_pr_out(unsigned action, unsigned type, uint64_t key, uint64_t action_key)
{
	initiator_send_pr_out(action, type, key, action_key);
	return initiator_wait();
}

unsigned initiator_tur(void)
{
	return initiator_do((const uint8_t[16]){ 0 }, NULL, 0);
}

static const uint8_t write_10[16] = { 0x2a, 0, 0, 0, 0, 0, 0, 0, 1 };
unsigned initiator_write(void)
{
	return initiator_do(write_10, block, sizeof(block));
}

void initiator_send(const uint8_t cdb[16], const void *out, size_t out_len)
{
	sent = (struct cmd){ .out = out, .out_len = out_len };
	memcpy(sent.cdb, cdb, 16);
	cmd_send(&nexus, 0, &sent);
}

void initiator_send_write(void)
{
	initiator_send(write_10, block, sizeof(block));
}

void initiator_send_pr_out(unsigned action, unsigned type, uint64_t key, uint64_t action_key)
{
	const uint8_t cdb[16] = { 0x5f, (uint8_t)action, (uint8_t)type, 0, 0, 0, 0, 0, sizeof(list) };
	put64(list, key);
	put64(list + 8, action_key);
	initiator_send(cdb, list, sizeof(list));
}

bool initiator_is_over(unsigned ms)
{
	return cmd_is_over(&sent, ms);
}

unsigned initiator_wait(void)
{
	cmd_wait(&sent);
	return sent.aborted ? 0x40000000 : result(&sent);
}

void initiator_close(void)
{
	nx_close(&nexus);
	scsi_lun_map_unref(map);
	scsi_unit_unref(unit);
	scsi_stop();
}
