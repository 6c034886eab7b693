// SPDX-License-Identifier: GPL-2.0-only
/* The display driver's parser: any packet, and what it says is in bounds */
#include <stdlib.h>

#include "../../drivers/video/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct synv_message msg;
	u8 *copy;
	u32 i;

	if (size > 16384)
		return 0;
	copy = malloc(size ?: 1);
	memcpy(copy, data, size);
	if (!synv_parse(copy, size, &msg) &&
	    msg.type == SYNTHVID_RESOLUTION_RESPONSE) {
		if (!msg.modes.count ||
		    msg.modes.count > SYNTHVID_MAX_RESOLUTIONS ||
		    msg.modes.preferred >= msg.modes.count)
			abort();
		for (i = 0; i < msg.modes.count; i++) {
			if (msg.modes.mode[i].width < SYNV_MIN_SIDE ||
			    msg.modes.mode[i].height < SYNV_MIN_SIDE)
				abort();
		}
	}
	free(copy);
	return 0;
}
