// SPDX-License-Identifier: GPL-2.0-only
/*
 * The initialisation of a controller: which version of storvsp, what the host
 * offers, sub-channels. include/synthio/storvsp.h has the order and the formats.
 */
#include "synth_blk.h"

/* newest first */
static const u16 versions[] = {
	STORVSP_VERSION_6_2, STORVSP_VERSION_6_0, STORVSP_VERSION_5_1,
	STORVSP_VERSION_4_2,
};

/* An operation of the initialisation; @pkt is overwritten by the answer */
static int operation(struct synd_ctrl *c, struct storvsp_packet *pkt, u32 op,
		     u32 need)
{
	static const char * const names[] = {
		[STORVSP_BEGIN_INITIALIZATION] = "begin",
		[STORVSP_END_INITIALIZATION] = "end",
		[STORVSP_QUERY_PROTOCOL_VERSION] = "version",
		[STORVSP_QUERY_PROPERTIES] = "properties",
		[STORVSP_CREATE_SUB_CHANNELS] = "sub-channels",
	};
	const struct storvsp_packet *answer;
	u32 len;
	int ret;

	pkt->operation = op;
	pkt->flags = STORVSP_REQUEST_COMPLETION;
	ret = synd_command_send(c, pkt, 0, synd_host_timeout * HZ);
	if (ret) {
		synd_err(c, "initialisation (%s): no answer from the host: %d\n",
			 names[op], ret);
		return ret;
	}
	answer = &c->command->answer;
	len = c->command->answer_len;
	if (answer->operation != STORVSP_COMPLETE_IO ||
	    len < offsetof(struct storvsp_packet, buffer)) {
		synd_err(c, "initialisation (%s): the host's answer is nonsense\n",
			 names[op]);
		return -EPROTO;
	}
	*pkt = *answer;
	if (pkt->status == STORVSP_STATUS_SUCCESS && len < need) {
		synd_err(c, "initialisation (%s): the host's answer is too short\n",
			 names[op]);
		return -EPROTO;
	}
	return 0;
}

/* operation() that the host may not refuse */
static int require(struct synd_ctrl *c, struct storvsp_packet *pkt, u32 op,
		   u32 need)
{
	int ret = operation(c, pkt, op, need);

	return !ret && pkt->status ? -EPROTO : ret;
}

static int negotiate_version(struct synd_ctrl *c)
{
	struct storvsp_packet pkt;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		memset(&pkt, 0, sizeof(pkt));
		pkt.version.major_minor = versions[i];
		ret = operation(c, &pkt, STORVSP_QUERY_PROTOCOL_VERSION, 0);
		if (ret)
			return ret;
		if (pkt.status != STORVSP_STATUS_SUCCESS)
			continue;
		c->version = versions[i];
		c->packet_len = c->version < SYND_OLD_VERSIONS_END ?
				STORVSP_PACKET_OLD : sizeof(pkt);
		return 0;
	}
	synd_err(c, "the host has no version of storvsp from 4.2 to 6.2: the controller can't be used\n");
	return -EPROTO;
}

/**
 * synd_storvsp_initialise() - initialise a controller
 * @c: its primary has just been opened
 *
 * Sets version, packet_len, max_subchannels, max_transfer.
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: 0, -EPROTO for a host with which no disk is possible, or as synd_command_send().
 */
int synd_storvsp_initialise(struct synd_ctrl *c)
{
	struct storvsp_packet pkt = { };
	u32 bytes;
	int ret;

	c->packet_len = STORVSP_PACKET_OLD;
	c->version = 0;
	ret = require(c, &pkt, STORVSP_BEGIN_INITIALIZATION, 0);
	if (ret)
		return ret;
	ret = negotiate_version(c);
	if (ret)
		return ret;

	memset(&pkt, 0, sizeof(pkt));
	ret = require(c, &pkt, STORVSP_QUERY_PROPERTIES,
		      offsetofend(struct storvsp_packet,
				  properties.max_transfer_bytes));
	if (ret)
		return ret;
	c->max_subchannels = 0;
	if (pkt.properties.flags & STORVSP_MULTI_CHANNEL)
		c->max_subchannels = pkt.properties.max_channel_count;
	bytes = round_down(pkt.properties.max_transfer_bytes,
			   HV_HYP_PAGE_SIZE);
	if (!bytes) {
		synd_err(c, "the host takes %u bytes in a transfer, less than a page: the controller can't be used\n",
			 pkt.properties.max_transfer_bytes);
		return -EPROTO;
	}
	c->max_transfer = min(bytes, SYND_MAX_TRANSFER);

	memset(&pkt, 0, sizeof(pkt));
	return require(c, &pkt, STORVSP_END_INITIALIZATION, 0);
}

/**
 * synd_storvsp_create_subchannels() - have the host offer sub-channels
 * @c: an initialised controller
 * @count: at most max_subchannels
 *
 * Context: as synd_storvsp_initialise().
 * Return: 0; -EPROTO if the host refuses. Offers come later, if at all.
 */
int synd_storvsp_create_subchannels(struct synd_ctrl *c, u16 count)
{
	struct storvsp_packet pkt = { .sub_channel_count = count };

	return require(c, &pkt, STORVSP_CREATE_SUB_CHANNELS, 0);
}
