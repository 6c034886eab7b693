// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parsers of drivers/net/rndis.c, given the messages of a hostile host. What they
 * accept must lie inside of what they were given.
 */
#include <stdlib.h>

#include "../../drivers/net/rndis.h"

#define must(cond) do { if (!(cond)) abort(); } while (0)

static void is_inside(const u8 *msg, u32 len, const struct rndis_answer *a)
{
	u32 i, sum = 0;

	must(!a->info_len || (a->info >= msg && a->info_len <= len &&
			      (u32)(a->info - msg) <= len - a->info_len));
	for (i = 0; i < a->info_len; i++)
		sum += a->info[i];
	(void)sum;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct rndis_offloads o;
	struct rndis_answer a;
	struct rndis_limits l;
	struct rndis_rss r;
	struct rndis_rx rx;
	u32 len, what;
	u8 *b;

	if (size < 1 || size > 4096)
		return 0;
	what = data[0] % 6;
	len = size - 1;
	/* just as large, so that the sanitizer sees one byte too far */
	b = malloc(len ? len : 1);
	must(b);
	memcpy(b, data + 1, len);

	switch (what) {
	case 0:
		if (!rndis_parse_packet(b, len, &rx))
			must(rx.data >= RNDIS_PACKET_HEADER && rx.data <= len &&
			     rx.len <= len - rx.data);
		break;
	case 1:
		if (!rndis_parse_answer(b, len, &a))
			is_inside(b, len, &a);
		break;
	case 2:
		if (!rndis_parse_indicate(b, len, &a))
			is_inside(b, len, &a);
		break;
	case 3:
		if (!rndis_parse_limits(b, len, &l))
			must(l.max_packets && l.align_shift <= 12);
		break;
	case 4:
		if (rndis_parse_offloads(b, len, &o))
			must(!o.csum4 && !o.csum6 && !o.rsc);
		break;
	default:
		if (!rndis_parse_rss(b, len, &r))
			must(r.queues && r.entries &&
			     r.entries <= NDIS_RSS_TABLE_DEFAULT);
	}
	free(b);
	return 0;
}
