/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of the default build. It is included ahead of every file (see Kbuild),
 * so that <linux/hyperv.h> declares, the channel defines, and device drivers call
 * the client API under names that begin with synth_. synth_vmbus.ko can then be
 * loaded beside a VMBus that the kernel has built in. BUS=stock leaves this
 * header out.
 */
#ifndef SYNTHIO_NAMES_H
#define SYNTHIO_NAMES_H

#define SYNTHIO_OWN_NAMES 1

#define __vmbus_driver_register		__synth_vmbus_driver_register
#define vmbus_driver_unregister		synth_vmbus_driver_unregister
#define vmbus_device_unregister		synth_vmbus_device_unregister
#define vmbus_hvsock_device_unregister	synth_vmbus_hvsock_device_unregister
#define vmbus_allocate_mmio		synth_vmbus_allocate_mmio
#define vmbus_free_mmio			synth_vmbus_free_mmio

#define vmbus_proto_version		synth_vmbus_proto_version
#define vmbus_devs			synth_vmbus_devs
#define vmbus_set_event			synth_vmbus_set_event
#define vmbus_setevent			synth_vmbus_setevent

#define vmbus_alloc_ring		synth_vmbus_alloc_ring
#define vmbus_free_ring			synth_vmbus_free_ring
#define vmbus_connect_ring		synth_vmbus_connect_ring
#define vmbus_disconnect_ring		synth_vmbus_disconnect_ring
#define vmbus_open			synth_vmbus_open
#define vmbus_close			synth_vmbus_close
#define vmbus_establish_gpadl		synth_vmbus_establish_gpadl
#define vmbus_teardown_gpadl		synth_vmbus_teardown_gpadl
#define vmbus_reset_channel_cb		synth_vmbus_reset_channel_cb
#define vmbus_send_tl_connect_request	synth_vmbus_send_tl_connect_request
#define vmbus_send_modifychannel	synth_vmbus_send_modifychannel
#define vmbus_set_sc_create_callback	synth_vmbus_set_sc_create_callback
#define vmbus_set_chn_rescind_callback	synth_vmbus_set_chn_rescind_callback
#define vmbus_prep_negotiate_resp	synth_vmbus_prep_negotiate_resp

#define vmbus_sendpacket		synth_vmbus_sendpacket
#define vmbus_sendpacket_getid		synth_vmbus_sendpacket_getid
#define vmbus_sendpacket_mpb_desc	synth_vmbus_sendpacket_mpb_desc
#define vmbus_recvpacket		synth_vmbus_recvpacket
#define vmbus_recvpacket_raw		synth_vmbus_recvpacket_raw
#define vmbus_next_request_id		synth_vmbus_next_request_id
#define __vmbus_request_addr_match	__synth_vmbus_request_addr_match
#define vmbus_request_addr_match	synth_vmbus_request_addr_match
#define vmbus_request_addr		synth_vmbus_request_addr

#define hv_ringbuffer_get_debuginfo	synth_ringbuffer_get_debuginfo
#define hv_ringbuffer_spinlock_busy	synth_ringbuffer_spinlock_busy
#define hv_pkt_iter_first		synth_pkt_iter_first
#define __hv_pkt_iter_next		__synth_pkt_iter_next
#define hv_pkt_iter_close		synth_pkt_iter_close

#endif
