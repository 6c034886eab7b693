/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All differences between kernels, or architectures, in the network driver. No other
 * file of this directory uses HAVE_*, which compat/configure finds out.
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

/* Netdevs have statistics of each queue */
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
 * Whether the CPU is emulated by QEMU (TCG), where "rep movsb" takes time for each byte.
 * TCG says so in the hypervisor's first CPUID leaf.
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

/* NAPI may recycle pages of its page_pool without a lock */
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

/* Newer kernels have flags for what a netdev supports of XDP */
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
 * Frees a buffer whose GPADL could not be established, if @safe. Our bus keeps the
 * pages that the host may still use.
 */
static inline void compat_free_buffer(void *data, bool safe)
{
#ifndef SYNTHIO_OWN_NAMES
	if (!safe)
		return;
#endif
	vfree(data);
}

/* With newer kernels a NAPI instance has the same settings in each session */
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

/* The RSS key and table are passed in one struct */
#ifdef HAVE_RXFH_PARAM
#define COMPAT_RXFH_PARAM 1
#endif
/* The fields of a flow's hash have callbacks of their own */
#ifdef HAVE_RXFH_FIELDS_OWN
#define COMPAT_RXFH_FIELDS 1
#endif
/* The number of rx rings has a callback of its own */
#ifdef HAVE_RX_RING_COUNT_OWN
#define COMPAT_RX_RING_COUNT 1
#endif

#endif
