// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: channels come, go, and move.
 */
#include <linux/delay.h>
#include <linux/hyperv.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/wait.h>

#include <synthio/testdev.h>

#include "chantest.h"
#include "compat.h"

#define CT_RING_DEFAULT		(64u << 10)

static int ct_parse_open(struct ct_device *dev, const struct ct_args *a)
{
	int i;

	dev->mode = HV_CALL_BATCHED;
	dev->copy = false;
	dev->ring = CT_RING_DEFAULT;
	dev->rqstor = 64;
	for (i = 1; i < a->n; i++) {
		if (!strcmp(a->v[i], "batched"))
			dev->mode = HV_CALL_BATCHED;
		else if (!strcmp(a->v[i], "direct"))
			dev->mode = HV_CALL_DIRECT;
		else if (!strcmp(a->v[i], "isr"))
			dev->mode = HV_CALL_ISR;
		else if (!strcmp(a->v[i], "copy"))
			dev->copy = true;
		else if (!strncmp(a->v[i], "ring=", 5) &&
			 !kstrtou32(a->v[i] + 5, 0, &dev->ring))
			continue;
		else if (!strncmp(a->v[i], "rqstor=", 7) &&
			 !kstrtou32(a->v[i] + 7, 0, &dev->rqstor))
			continue;
		else
			return -EINVAL;
	}
	return 0;
}

static int cmd_open(struct ct_device *dev, struct ct_args *a)
{
	int ret = ct_parse_open(dev, a);

	if (ret)
		return ret;
	if (dev->primary)
		return -EISCONN;
	ret = ct_open(dev);
	if (ret)
		ct_say("open: %d\n", ret);
	return ret;
}

static int cmd_close(struct ct_device *dev, struct ct_args *a)
{
	ct_close(dev);
	return 0;
}

static int cmd_loop(struct ct_device *dev, struct ct_args *a)
{
	u32 n, i;
	int ret;

	ret = ct_number(a, 1, 10, &n);
	if (ret)
		return ret;
	a->n -= min(a->n, 2) - 1;
	memmove(&a->v[1], &a->v[2], sizeof(a->v) - 2 * sizeof(a->v[0]));
	ret = ct_parse_open(dev, a);
	for (i = 0; i < n && !ret && !dev->gone; i++) {
		ret = ct_open(dev);
		if (ret)
			break;
		ret = ct_echo_one(dev, dev->primary, i % 4096);
		ct_close(dev);
	}
	ct_say("%u rounds\n", i);
	return dev->gone ? -ENODEV : ret;
}

static int cmd_subchannels(struct ct_device *dev, struct ct_args *a)
{
	unsigned int i;
	u32 n;
	int ret;

	ret = ct_number(a, 1, 1, &n);
	if (ret)
		return ret;
	ret = ct_call(dev, dev->primary, SYNTHIO_TEST_SUBCHANNELS, n, 0, NULL, 0);
	if (ret)
		return ret;
	if (!wait_event_timeout(ct_wait,
				READ_ONCE(dev->nr_subs) >= n ||
				dev->sub_error || dev->gone,
				msecs_to_jiffies(ct_timeout_ms))) {
		ct_say("%u of %u sub-channels came\n", dev->nr_subs, n);
		return -ETIMEDOUT;
	}
	if (dev->sub_error) {
		ct_say("opening a sub-channel: %d\n", dev->sub_error);
		return dev->sub_error;
	}
	for (i = 0; i < dev->nr_subs && !ret; i++)
		ret = ct_echo_one(dev, dev->subs[i], 1000 + i);
	ct_say("%u sub-channels\n", dev->nr_subs);
	return ret;
}

static int cmd_subecho(struct ct_device *dev, struct ct_args *a)
{
	u32 size, count, i, sub;
	int ret;

	ret = ct_number(a, 1, 100, &size) ?: ct_number(a, 2, 1, &count);
	if (!ret && !dev->nr_subs)
		return -ENOENT;
	for (i = 0; i < count && !ret; i++)
		for (sub = 0; sub < dev->nr_subs && !ret; sub++)
			ret = ct_echo_one(dev, dev->subs[sub], size);
	return ret;
}

/* late 1: the host rescinds sub-channels not at their close but at "late 0" */
static int cmd_late(struct ct_device *dev, struct ct_args *a)
{
	u32 late;
	int ret = ct_number(a, 1, 1, &late);

	return ret ?: ct_call(dev, dev->primary, SYNTHIO_TEST_LATE, late, 0,
			      NULL, 0);
}

/* modify VP CPU: the channel's interrupts then come to CPU */
static int cmd_modify(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	u32 vp, cpu;
	int ret;

	ret = ct_number(a, 1, 0, &vp) ?: ct_number(a, 2, vp, &cpu);
	if (ret)
		return ret;
	ret = vmbus_send_modifychannel(c->vc, vp);
	if (ret) {
		ct_say("modify: %d\n", ret);
		return ret;
	}
	/* Older hosts don't confirm: an echo later it has been done */
	msleep(50);
	ret = ct_echo_one(dev, c, 64) ?: ct_echo_one(dev, c, 64);
	ct_say("called back on CPU %u\n", c->callback_cpu);
	if (!ret && c->callback_cpu != cpu)
		ret = -ERANGE;
	return ret;
}

static int cmd_where(struct ct_device *dev, struct ct_args *a)
{
	int ret = ct_echo_one(dev, dev->primary, 64);

	ct_say("%u\n", dev->primary->callback_cpu);
	return ret;
}

/* offer: what the bus keeps of our offer, in hex, for message */
static int cmd_offer(struct ct_device *dev, struct ct_args *a)
{
	struct vmbus_channel *vc = dev->hv->channel;

	ct_say("relid %u connection %u\n%*phN\n", vc->offermsg.child_relid,
	       vc->offermsg.connection_id, (int)sizeof(vc->offermsg.header),
	       &vc->offermsg.header);
	return 0;
}

static u64 litter_id(struct vmbus_channel *vc, u64 addr)
{
	WARN_ONCE(1, "called for a driver that did not set it\n");
	return VMBUS_RQST_ERROR;
}

static void litter_cpu(struct vmbus_channel *vc, u32 old, u32 cpu)
{
	WARN_ONCE(1, "called for a driver that did not set it\n");
}

static void litter_channel(struct vmbus_channel *vc)
{
	WARN_ONCE(1, "called for a driver that did not set it\n");
}

/* litter: leave in the channel what drivers of the kernel's leave, and more */
static int cmd_litter(struct ct_device *dev, struct ct_args *a)
{
	struct vmbus_channel *vc = dev->hv->channel;

	vc->next_request_id_callback = litter_id;
	vc->request_addr_callback = litter_id;
	vc->change_target_cpu_callback = litter_cpu;
	vmbus_set_chn_rescind_callback(vc, litter_channel);
	vmbus_set_sc_create_callback(vc, litter_channel);
	set_channel_read_mode(vc, HV_CALL_ISR);
	set_per_channel_state(vc, dev);
	vc->rqstor_size = 7;
	vc->max_pkt_size = 64;
	vc->low_latency = true;
	return 0;
}

const char *ct_litter_in(const struct vmbus_channel *vc)
{
	if (vc->next_request_id_callback || vc->request_addr_callback)
		return "callbacks for request ids";
	if (vc->change_target_cpu_callback)
		return "a callback for another CPU";
	if (vc->chn_rescind_callback || vc->sc_creation_callback ||
	    vc->onchannel_callback)
		return "a callback";
	if (vc->callback_mode != HV_CALL_BATCHED)
		return "a mode";
	if (vc->per_channel_state)
		return "a pointer";
	if (vc->rqstor_size || vc->max_pkt_size || vc->low_latency)
		return "a size";
	return NULL;
}

/* new: whether the channel was found as new when the device came */
static int cmd_new(struct ct_device *dev, struct ct_args *a)
{
	if (!dev->litter)
		return 0;
	ct_say("left by the driver before: %s\n", dev->litter);
	return -EBUSY;
}

#ifdef CT_RING_SYSFS
static int map_rings(struct vmbus_channel *vc, struct vm_area_struct *vma)
{
	return vm_iomap_memory(vma, page_to_phys(vc->ringbuffer_page),
			       (unsigned long)vc->ringbuffer_pagecount << PAGE_SHIFT);
}

/* ringfile: both rings in a file of the channel's directory, as uio_hv_generic has */
static int cmd_ringfile(struct ct_device *dev, struct ct_args *a)
{
	u32 on;
	int ret = ct_number(a, 1, 1, &on);

	if (ret)
		return ret;
	if (on)
		return hv_create_ring_sysfs(dev->primary->vc, map_rings);
	return hv_remove_ring_sysfs(dev->primary->vc);
}
#else
static int cmd_ringfile(struct ct_device *dev, struct ct_args *a)
{
	return -EOPNOTSUPP;
}
#endif

const struct ct_command ct_manage[] = {
	{ "open", false, true, cmd_open,
	  "[batched|direct|isr] [copy] [ring=BYTES] [rqstor=N]" },
	{ "close", false, false, cmd_close, "" },
	{ "loop", false, true, cmd_loop, "ROUNDS [as open]: open, echo, close" },
	{ "subchannels", true, false, cmd_subchannels, "COUNT: have that many, in all" },
	{ "subecho", true, false, cmd_subecho, "SIZE [COUNT]" },
	{ "late", true, false, cmd_late, "[0|1]: rescinds of sub-channels" },
	{ "modify", true, false, cmd_modify, "VP [CPU]" },
	{ "where", true, false, cmd_where, ": the CPU that is called back on" },
	{ "ringfile", true, false, cmd_ringfile, "0|1: hide or show it in sysfs" },
	{ "offer", false, false, cmd_offer, "" },
	{ "litter", false, true, cmd_litter, ": leave callbacks and settings behind" },
	{ "new", false, false, cmd_new, ": nothing was left by the driver before" },
	{}
};
