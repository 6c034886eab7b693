// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE send_pagebuffer: how the kernel's bus takes a packet with several ranges
 * FORM PAGEBUFFER: vmbus_sendpacket_pagebuffer(), of one page each
 * FORM MPB_DESC: vmbus_sendpacket_mpb_desc()
 */
#include <linux/hyperv.h>

#ifdef PROBE_MPB_DESC
/* an error where there is such a function */
extern int vmbus_sendpacket_pagebuffer;
#endif

int probe(struct vmbus_channel *vc, struct vmbus_channel_packet_page_buffer *p,
	  struct vmbus_packet_mpb_array *mpb);
int probe(struct vmbus_channel *vc, struct vmbus_channel_packet_page_buffer *p,
	  struct vmbus_packet_mpb_array *mpb)
{
#ifdef PROBE_PAGEBUFFER
	return vmbus_sendpacket_pagebuffer(vc, p->range, p->rangecount, p, 8, 1);
#else
	return vmbus_sendpacket_mpb_desc(vc, mpb, sizeof(*mpb), p, 8, 1);
#endif
}
