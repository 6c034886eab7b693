// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network card that reads nothing of the guest's, and completes what it was never
 * given.
 */
#include <string.h>

#include "netvsp.h"

#define GUESS_MAX	4096u
#define GUESS_BYTES	8u

void netvsp_fault_hold(struct netvsp *n, bool on)
{
	unsigned int i;

	for (i = 0; i <= DEVICE_MAX_SUBCHANNELS; i++) {
		if (!n->channels[i])
			continue;
		if (on)
			channel_pause(n->channels[i]->ch);
		else
			channel_resume(n->channels[i]->ch);
	}
}

/* Ids hold a slot and, above it, a number that grows with each packet of the channel */
int netvsp_fault_guess(struct netvsp *n, int argc, char **argv,
		       struct text *out)
{
	const struct nvsp_message rsp = {
		.type = NVSP_SEND_RNDIS_PACKET_COMPLETE,
		.rndis_complete.status = NVSP_STATUS_SUCCESS,
	};
	uint64_t from = 1, to = 1, slots = 1, channel = 0, gen, slot;
	struct netvsp_channel *nc;
	int i, ret = 0;

	for (i = 3; i < argc && !ret; i++) {
		char *value = fault_value(argv[i], out);

		if (!value)
			return -EINVAL;
		if (!strcmp(argv[i], "from"))
			ret = fault_number(argv[i], value, GUESS_MAX, &from, out);
		else if (!strcmp(argv[i], "to"))
			ret = fault_number(argv[i], value, GUESS_MAX, &to, out);
		else if (!strcmp(argv[i], "slots"))
			ret = fault_number(argv[i], value, GUESS_MAX, &slots, out);
		else if (!strcmp(argv[i], "channel"))
			ret = fault_number(argv[i], value,
					   DEVICE_MAX_SUBCHANNELS, &channel, out);
		else
			ret = text_add(out, "guess takes no %s=", argv[i]);
	}
	if (ret)
		return ret;
	nc = n->channels[channel];
	if (!nc)
		return text_add(out, "the channel is not open");
	for (gen = from; gen <= to; gen++) {
		for (slot = 0; slot < slots; slot++)
			channel_inject(nc->ch, PACKET_COMPLETION,
				       ((nc->last_id & ~0xffffull) +
					(gen << 16)) | slot, &rsp,
				       GUESS_BYTES);
	}
	return 0;
}
