// SPDX-License-Identifier: GPL-2.0-only
/* The mouse driver's parser: any packet, and what it finds lies in it */
#include <stdlib.h>

#include "../../drivers/input/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct synm_message msg;
	u8 *copy;

	if (size > 16384)
		return 0;
	copy = malloc(size ?: 1);
	memcpy(copy, data, size);
	if (!synm_parse(copy, size, &msg) && msg.data) {
		if (!msg.len || msg.data < copy ||
		    msg.data + msg.len > copy + size)
			abort();
		if (msg.type == SYNTHHID_DEVICE_INFO &&
		    msg.len > SYNM_MAX_DESCRIPTOR)
			abort();
		synm_fix_descriptor(copy + (msg.data - copy), msg.len);
	}
	free(copy);
	return 0;
}
