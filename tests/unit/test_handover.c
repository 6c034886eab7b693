// SPDX-License-Identifier: GPL-2.0-only
/* A channel as another driver has left it, taken and left by one of ours */
#include <string.h>

#include <synthio/handover.h>

#include "tap.h"

static struct vmbus_channel vc;

void vmbus_set_sc_create_callback(struct vmbus_channel *channel,
				  void (*callback)(struct vmbus_channel *sub))
{
	channel->sc_creation_callback = callback;
}

void vmbus_set_chn_rescind_callback(struct vmbus_channel *channel,
				    void (*callback)(struct vmbus_channel *c))
{
	channel->chn_rescind_callback = callback;
}

static u64 their_id(struct vmbus_channel *channel, u64 id)
{
	(void)channel;
	return id;
}

static void their_cpu(struct vmbus_channel *channel, u32 old, u32 new)
{
	(void)channel;
	(void)old;
	(void)new;
}

static void their_channel(struct vmbus_channel *channel)
{
	(void)channel;
}

static void our_channel(struct vmbus_channel *channel)
{
	(void)channel;
}

static void their_callback(void *context)
{
	(void)context;
}

/* As hv_storvsc, hv_netvsc, hv_sock and uio_hv_generic leave it, all at once */
static void litter(void)
{
	memset(&vc, 0, sizeof(vc));
	vc.next_request_id_callback = their_id;
	vc.request_addr_callback = their_id;
	vc.change_target_cpu_callback = their_cpu;
	vc.chn_rescind_callback = their_channel;
	vc.sc_creation_callback = their_channel;
	vc.onchannel_callback = their_callback;
	vc.callback_mode = HV_CALL_ISR;
	vc.per_channel_state = &vc;
	vc.rqstor_size = 64;
	/* freed when it was closed */
	vc.requestor.req_arr = (u64 *)8;
	vc.requestor.req_bitmap = (unsigned long *)8;
	vc.requestor.size = 64;
	vc.max_pkt_size = 16;
	vc.low_latency = true;
}

static void test_take(void)
{
	litter();
	synthio_take_channel(&vc, 4096, HV_CALL_DIRECT, our_channel);
	CHECK(!vc.next_request_id_callback && !vc.request_addr_callback &&
	      !vc.rqstor_size && !vc.requestor.req_arr &&
	      !vc.requestor.req_bitmap && !vc.requestor.size, "request ids");
	CHECK(!vc.change_target_cpu_callback && !vc.chn_rescind_callback,
	      "callbacks");
	CHECK(!vc.per_channel_state && !vc.low_latency, "settings");
	CHECK(vc.max_pkt_size == 4096 && vc.callback_mode == HV_CALL_DIRECT &&
	      vc.sc_creation_callback == our_channel, "ours");
}

static void test_take_default(void)
{
	litter();
	synthio_take_channel(&vc, 0, HV_CALL_BATCHED, NULL);
	CHECK(!vc.max_pkt_size && vc.callback_mode == HV_CALL_BATCHED &&
	      !vc.sc_creation_callback, "what others had");
}

static void test_leave(void)
{
	struct vmbus_channel new;

	memset(&new, 0, sizeof(new));
	litter();
	synthio_leave_channel(&vc);
	CHECK(!memcmp(&vc, &new, sizeof(vc)), "not as new");
}

int main(void)
{
	tap_test("a channel is taken whatever is in it", test_take);
	tap_test("nothing of the other driver's is a default", test_take_default);
	tap_test("a channel is left as new", test_leave);
	return tap_done();
}
