// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "fake_disk.h"

#define NEGOTIATION_ID	5

static bool fake_disk_operation(struct fake_guest *f, struct fake_channel *ch,
				struct fake_packet *pkt, bool (*await)(void),
				uint32_t op, uint16_t version)
{
	struct storvsp_packet p = { .operation = op, .flags = 1 };

	p.version.major_minor = version;
	if (!fake_send(ch, 6, 1, NEGOTIATION_ID, NULL, 0, &p, sizeof(p)))
		return false;
	fake_signal(f, ch);
	if (!await() || pkt->desc.trans_id != NEGOTIATION_ID)
		return false;
	memcpy(&p, pkt->payload, sizeof(p));
	return p.status == STORVSP_STATUS_SUCCESS;
}

bool fake_disk_negotiate(struct fake_guest *f, struct fake_channel *ch,
			 struct fake_packet *pkt, bool (*await)(void))
{
	return fake_disk_operation(f, ch, pkt, await,
				   STORVSP_BEGIN_INITIALIZATION, 0) &&
	       fake_disk_operation(f, ch, pkt, await,
				   STORVSP_QUERY_PROTOCOL_VERSION,
				   STORVSP_VERSION_6_2) &&
	       fake_disk_operation(f, ch, pkt, await,
				   STORVSP_QUERY_PROPERTIES, 0) &&
	       fake_disk_operation(f, ch, pkt, await,
				   STORVSP_END_INITIALIZATION, 0);
}

bool fake_disk_send(struct fake_channel *ch, uint64_t id, uint8_t opcode,
		    uint64_t gpa, unsigned int block)
{
	uint64_t extra[3] = { 1ull << 32, FAKE_DISK_BLOCK, gpa / RAM_PAGE };
	struct storvsp_packet p = { .operation = 3, .flags = 1 };

	p.srb.length = sizeof(p.srb);
	p.srb.cdb_length = 10;
	p.srb.data_in = opcode == FAKE_DISK_READ ? STORVSP_DATA_IN :
						   STORVSP_DATA_OUT;
	p.srb.data_transfer_length = FAKE_DISK_BLOCK;
	p.srb.cdb[0] = opcode;
	p.srb.cdb[5] = block * (FAKE_DISK_BLOCK / 512);
	p.srb.cdb[8] = FAKE_DISK_BLOCK / 512;
	return fake_send(ch, 9, 1, id, extra, sizeof(extra), &p, sizeof(p));
}
