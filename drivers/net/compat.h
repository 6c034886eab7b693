/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels, or architectures, that the network driver
 * meets. Nothing else in this directory looks at HAVE_*, which compat/configure
 * finds out.
 */
#ifndef SYNTHIO_NET_COMPAT_H
#define SYNTHIO_NET_COMPAT_H

#include <linux/dim.h>
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/hyperv.h>
#include <linux/netdevice.h>
#include <linux/vmalloc.h>
#include <net/xdp.h>

#include <synthio/config.h>

/* A card is asked for statistics of its queues */
#ifdef HAVE_QUEUE_STATS_YES
#include <net/netdev_queues.h>
#define COMPAT_QUEUE_STATS 1
#endif

#ifdef HAVE_PAGE_POOL_HELPERS
#include <net/page_pool/helpers.h>
#else
#include <net/page_pool.h>
#endif

#if defined(CONFIG_X86)
#include <asm/cpufeature.h>
#include <asm/processor.h>
#ifdef HAVE_CPUID_API
#include <asm/cpuid/api.h>
#endif
#endif

#include <synthio/driver.h>

/*
 * Whether each byte of "rep movsb" costs: QEMU's emulation of a CPU (TCG) says what
 * it is in a hypervisor's first leaf
 */
static inline bool compat_cpu_is_emulated(void)
{
#if defined(CONFIG_X86)
	u32 max, name[3];

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;
	cpuid(0x40000000, &max, &name[0], &name[1], &name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
#else
	return false;
#endif
}

/* A page_pool's caller in softirq may give pages back without a lock */
static inline void compat_pool_napi(struct page_pool_params *pp,
				    struct napi_struct *napi)
{
#ifdef HAVE_PAGE_POOL_NAPI_YES
	pp->napi = napi;
#endif
}

static inline void compat_timer_setup(struct hrtimer *t,
				      enum hrtimer_restart (*f)(struct hrtimer *))
{
#ifdef HAVE_HRTIMER_SETUP
	hrtimer_setup(t, f, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
#else
	hrtimer_init(t, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	t->function = f;
#endif
}

static inline void compat_dim(struct dim *dim, struct dim_sample *sample)
{
#ifdef HAVE_NET_DIM_POINTER
	net_dim(dim, sample);
#else
	net_dim(dim, *sample);
#endif
}

/* Newer kernels are told what a card can do of XDP */
static inline void compat_xdp_features(struct net_device *dev)
{
#ifdef HAVE_XDP_FEATURES_YES
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_NDO_XMIT;
#endif
}

/*
 * Kernels whose bus has vmbus_sendpacket_pagebuffer() take several ranges only
 * there, of one page each.
 */
#if defined(HAVE_SEND_PAGEBUFFER_PAGEBUFFER) && !defined(SYNTHIO_OWN_NAMES)
#define COMPAT_RANGE_PAGES	1
static inline int compat_send_ranges(struct vmbus_channel *vc,
				     struct vmbus_packet_mpb_array *mpb,
				     u32 mpb_len, void *payload, u32 len, u64 id)
{
	struct vmbus_channel_packet_page_buffer *p = (void *)mpb;

	return vmbus_sendpacket_pagebuffer(vc, p->range, p->rangecount, payload,
					   len, id);
}
#else
#define COMPAT_RANGE_PAGES	U32_MAX
#define compat_send_ranges	vmbus_sendpacket_mpb_desc
#endif

/*
 * Like compat_free_ring() for a buffer that could not be shown to the host: our
 * bus has held it
 */
static inline void compat_free_buffer(void *data, bool safe)
{
#ifndef SYNTHIO_OWN_NAMES
	if (!safe)
		return;
#endif
	vfree(data);
}

/* Where it may be, a NAPI instance has the same id in each session of a card */
static inline void compat_napi_add(struct net_device *dev,
				   struct napi_struct *napi,
				   int (*poll)(struct napi_struct *, int),
				   int index)
{
#ifdef HAVE_NAPI_CONFIG_YES
	netif_napi_add_config(dev, napi, poll, index);
#else
	netif_napi_add(dev, napi, poll);
#endif
}

/* The key and the table of receive side scaling come in one struct */
#ifdef HAVE_RXFH_PARAM
#define COMPAT_RXFH_PARAM 1
#endif
/* what flows are hashed by has callbacks of its own */
#ifdef HAVE_RXFH_FIELDS_OWN
#define COMPAT_RXFH_FIELDS 1
#endif
/* how many rings there are has a callback of its own */
#ifdef HAVE_RX_RING_COUNT_OWN
#define COMPAT_RX_RING_COUNT 1
#endif

#endif
