// SPDX-License-Identifier: GPL-2.0-only
/* The keyboard driver's parser and its PS/2 keyboard: any packet, any command */
#include <stdlib.h>

#include "../../drivers/input/keyboard_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct synk_ps2 ps2 = { 0 };
	u8 answer[SYNK_MAX_ANSWER];
	u8 bytes[SYNK_MAX_BYTES];
	struct synk_message msg;
	size_t i;

	if (!synk_parse(data, size, &msg) && msg.type == SYNTHKBD_EVENT &&
	    synk_bytes(&msg, bytes) > SYNK_MAX_BYTES)
		abort();
	for (i = 0; i < size; i++) {
		u32 count = synk_command(&ps2, data[i], answer);

		if (!count || count > SYNK_MAX_ANSWER)
			abort();
	}
	return 0;
}
