// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compares <synthio/vmbus.h> with <linux/hyperv.h> at build time. The reference host uses
 * the former, since user space can't include the latter.
 */
#include <linux/hyperv.h>

#include <synthio/vmbus.h>

#define SAME_SIZE(ours, theirs)						\
	static_assert(sizeof(struct ours) == sizeof(struct theirs))
#define SAME_PLACE(ours, field, theirs, their_field)			\
	static_assert(offsetof(struct ours, field) ==			\
		      offsetof(struct theirs, their_field))

SAME_SIZE(vmbus_wire_message, hv_message);
SAME_SIZE(vmbus_wire_header, vmbus_channel_message_header);
SAME_SIZE(vmbus_wire_offer, vmbus_channel_offer_channel);
SAME_SIZE(vmbus_wire_relid, vmbus_channel_rescind_offer);
SAME_SIZE(vmbus_wire_relid, vmbus_channel_close_channel);
SAME_SIZE(vmbus_wire_relid, vmbus_channel_relid_released);
SAME_SIZE(vmbus_wire_open, vmbus_channel_open_channel);
SAME_SIZE(vmbus_wire_open_result, vmbus_channel_open_result);
SAME_SIZE(vmbus_wire_gpadl_header, vmbus_channel_gpadl_header);
SAME_SIZE(vmbus_wire_gpadl_body, vmbus_channel_gpadl_body);
SAME_SIZE(vmbus_wire_gpadl_created, vmbus_channel_gpadl_created);
SAME_SIZE(vmbus_wire_gpadl_teardown, vmbus_channel_gpadl_teardown);
SAME_SIZE(vmbus_wire_gpadl_torndown, vmbus_channel_gpadl_torndown);
SAME_SIZE(vmbus_wire_initiate_contact, vmbus_channel_initiate_contact);
SAME_SIZE(vmbus_wire_version_response, vmbus_channel_version_response);
SAME_SIZE(vmbus_wire_modify, vmbus_channel_modifychannel);
SAME_SIZE(vmbus_wire_modify_response, vmbus_channel_modifychannel_response);
SAME_SIZE(vmbus_wire_tl_connect, vmbus_channel_tl_connect_request);
SAME_SIZE(vmbus_wire_packet, vmpacket_descriptor);

SAME_PLACE(vmbus_wire_offer, chn_flags, vmbus_channel_offer_channel,
	   offer.chn_flags);
SAME_PLACE(vmbus_wire_offer, user_def, vmbus_channel_offer_channel,
	   offer.u.std.user_def);
SAME_PLACE(vmbus_wire_offer, sub_channel_index, vmbus_channel_offer_channel,
	   offer.sub_channel_index);
SAME_PLACE(vmbus_wire_offer, child_relid, vmbus_channel_offer_channel,
	   child_relid);
SAME_PLACE(vmbus_wire_offer, connection_id, vmbus_channel_offer_channel,
	   connection_id);
SAME_PLACE(vmbus_wire_gpadl_header, rangecount, vmbus_channel_gpadl_header,
	   rangecount);
SAME_PLACE(vmbus_wire_initiate_contact, msg_sint,
	   vmbus_channel_initiate_contact, msg_sint);
SAME_PLACE(vmbus_wire_initiate_contact, monitor_page1,
	   vmbus_channel_initiate_contact, monitor_page1);
SAME_PLACE(vmbus_wire_version_response, msg_conn_id,
	   vmbus_channel_version_response, msg_conn_id);
SAME_PLACE(vmbus_wire_ring, pending_send_sz, hv_ring_buffer, pending_send_sz);
SAME_PLACE(vmbus_wire_ring, feature_bits, hv_ring_buffer, feature_bits);
/* the struct fills a page of the kernel, of which the host sees 4 KiB */
static_assert(sizeof(struct hv_ring_buffer) ==
	      PAGE_SIZE - HV_HYP_PAGE_SIZE + sizeof(struct vmbus_wire_ring));
