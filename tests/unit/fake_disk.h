/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk driver for the guest of fake_guest.h: what it sends, on a channel that is open.
 */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include <synthio/storvsp.h>

#include "fake_guest.h"

#define FAKE_DISK_BLOCK		4096u	/* bytes of one request */

#define FAKE_DISK_READ		0x28
#define FAKE_DISK_WRITE		0x2a

/**
 * fake_disk_negotiate() - initialise the controller, version 6.2
 * @await: waits for a packet and has it in @pkt; false if none comes
 *
 * Return: whether each of the four operations succeeded.
 */
bool fake_disk_negotiate(struct fake_guest *f, struct fake_channel *ch,
			 struct fake_packet *pkt, bool (*await)(void));

/**
 * fake_disk_send() - send a request for one block, without a signal
 * @id: transaction id
 * @opcode: FAKE_DISK_READ or FAKE_DISK_WRITE
 * @gpa: where the data is or shall be, one page
 * @block: number of the block, modulo 32
 *
 * Return: false if there is no room.
 */
bool fake_disk_send(struct fake_channel *ch, uint64_t id, uint8_t opcode,
		    uint64_t gpa, unsigned int block);

#endif
