// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parsers of drivers/block/sbc.c and sbc_judge(), given the answers of a
 * hostile host, one after the other for the same disk.
 */
#include <synthio/storvsp.h>

#include "../unit/sbc_check.h"

#define must(cond) do { if (!(cond)) abort(); } while (0)

/* A buffer of just @len bytes, so that the sanitizer sees one too far */
static u8 *exact(const u8 *from, u32 len)
{
	u8 *b = len ? malloc(len) : NULL;

	must(b || !len);
	if (len)
		memcpy(b, from, len);
	return b;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct sbc_disk d;

	sbc_blank(&d);
	/* what to call, how many bytes it gets (half of them short), those */
	while (size >= 3) {
		u32 what = data[0] % (PARSERS + 1);
		u32 len = data[1] & 1 ? data[1] / 2 : data[1] << 8 | data[2];
		u8 page = data[0], flags = data[1], status = data[2];
		int ret;
		u8 *b;

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		b = exact(data, len);
		if (what == PARSERS) {
			struct sbc_answer a = {
				.srb_status = page ^ flags << 3,
				.scsi_status = status,
				.sense = b,
				.sense_len = len,
				.command = flags % 3,
			};

			must(!sbc_feed_judge(&a));
			/* and as one that is looked at in any case */
			a.srb_status = STORVSP_SRB_ERROR |
				       STORVSP_SRB_AUTOSENSE_VALID;
			a.scsi_status = 2;
			must(!sbc_feed_judge(&a));
		} else {
			must(!sbc_feed(&d, what, b, len, &ret));
		}
		free(b);
		data += len;
		size -= len;
	}
	return 0;
}
