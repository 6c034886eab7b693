/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel of an adapter, which is a queue of its netdev: what its tx side, its rx
 * side and its NAPI instance need.
 */
#ifndef SYNTHIO_NET_QUEUE_H
#define SYNTHIO_NET_QUEUE_H

#include <linux/dim.h>
#include <linux/hyperv.h>
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>

#include <synthio/netvsp.h>

#include "compat.h"
#include "quarantine.h"
#include "rndis.h"
#include "state.h"

#define SYNN_MAX_RANGES		32	/* GPA ranges of one send */
#define SYNN_MAX_PFNS		96
#define SYNN_HEADER_ROOM	128	/* for an RNDIS header; divides a page */
#define SYNN_HEADERS_IN_PAGE	(PAGE_SIZE / SYNN_HEADER_ROOM)
#define SYNN_MIN_SLOTS		64
#define SYNN_MAX_SLOTS		4096

static_assert(SYNN_HEADER_ROOM >= RNDIS_PACKET_HEADER_MAX);

struct synn_adapter;

/* ---- transaction ids ---------------------------------------------------------- */

/*
 * A transaction id names something that the host owes a completion: its kind, a
 * generation and a slot. What the host sends on its own has the id 0. The same id is
 * not used again in 2^40 sends.
 */
#define SYNN_ID_SEND		1ull	/* a slot of the channel */
#define SYNN_ID_NVSP		2ull	/* synn_adapter.nvsp */
#define SYNN_ID_CONTROL		3ull	/* synn_adapter.control */

static inline u64 synn_id(u64 kind, u64 gen, u32 slot)
{
	return kind << 56 | (gen & ((1ull << 40) - 1)) << 16 | slot;
}

static inline u32 synn_id_kind(u64 id)
{
	return id >> 56;
}

static inline u32 synn_id_slot(u64 id)
{
	return id & 0xffff;
}

/* ---- sending ------------------------------------------------------------------ */

/**
 * struct synn_slot - a send that the host may have
 * @id: transaction id; 0 if the host does not have it
 * @owner: skb or xdp_frame that is freed with it; NULL for copies
 * @is_frame: @owner is an xdp_frame
 * @packets: of the stack, for byte queue limits
 * @bytes: likewise
 * @since: jiffies, when it was sent
 */
struct synn_slot {
	u64 id;
	void *owner;
	bool is_frame;
	u16 packets;
	u32 bytes;
	unsigned long since;
};

/**
 * struct synn_free_list - numbers of free slots, as a ring
 * @ring: the numbers
 * @mask: size of the ring - 1
 * @head: where the sender allocates the next one, under the tx lock
 * @tail: where NAPI frees the next one
 */
struct synn_free_list {
	u16 *ring;
	u32 mask;
	u32 head;
	u32 tail;
};

/**
 * struct synn_sends - memory of a queue's sends, which the host may read
 * @quarantine: keeps it if the host has not confirmed that it is done with it
 * @slots: first those that own a section of the send buffer, then GPA slots, whose
 *	packets are named to the host by their addresses
 * @nr_slots: how many
 * @headers: pages for the RNDIS headers of GPA slots
 * @nr_headers: how many pages
 */
struct synn_sends {
	struct synn_quarantined quarantine;
	struct synn_slot *slots;
	u32 nr_slots;
	void **headers;
	u32 nr_headers;
};

/**
 * struct synn_tx_stats - counters of a tx queue; written under the tx lock, but for
 *	@errors
 */
struct synn_tx_stats {
	struct u64_stats_sync syncp;
	u64 packets;
	u64 bytes;
	u64 copied;		/* packets copied into the send buffer */
	u64 ring_packets;	/* packets of the ring, whatever they hold */
	u64 tso;
	u64 csum_help;		/* checksums that the host can't compute */
	u64 linearized;		/* skbs with too many fragments */
	u64 ring_full;
	u64 stopped;
	u64 woken;
	u64 dropped;		/* could not be sent, or ended with a session */
	u64 xdp_bytes;
	u64 xdp_xmit;
	u64 xdp_xmit_dropped;
	u64 xdp_tx;
	u64 xdp_tx_dropped;
	u64 errors;		/* completions with an error status; NAPI */
};

/* What is built, but not in the ring yet */
enum synn_pending {
	SYNN_PENDING_NONE,
	SYNN_PENDING_SECTION,	/* a section that is being filled, or waits for room */
	SYNN_PENDING_GPA,	/* synn_tx.mpb, which waits for room */
};

/**
 * struct synn_tx - the tx side of a channel
 * @txq: the stack's queue
 * @state: written by synn_tx_set_state() under the tx lock
 * @blocked_since: jiffies, when @state became SYNN_TX_BLOCKED
 * @pending: what waits to be sent
 * @pending_slot: its slot
 * @gen: generation of the last id
 * @sends: slots and headers; NULL without a session
 * @nr_slots: as in @sends. NAPI acquires it before it looks at a slot
 * @nr_sections: the slots below that number own a section each
 * @sections: free ones of these
 * @gpa_slots: free ones of the others
 * @copy_max: a packet of up to so many bytes is copied into a section
 * @section_room: bytes of a section that may be used
 * @section_bytes: bytes from one section to the next
 * @first_section: index of the queue's first section in the send buffer
 * @send_buffer: memory of that section
 * @max_packets: RNDIS messages in one section
 * @align_mask: alignment of the second and later messages in a section, - 1
 * @section_used: of the pending section: bytes that are used
 * @section_last: where its last message begins
 * @section_packets: messages in it
 * @mpb_len: bytes of @mpb that are used
 * @mpb_bytes: bytes of the packet that it describes
 * @mpb: the description of a packet's memory
 */
struct synn_tx {
	struct netdev_queue *txq;
	enum synn_tx_state state;
	unsigned long blocked_since;
	enum synn_pending pending;
	u32 pending_slot;
	u64 gen;
	struct synn_sends *sends;
	u32 nr_slots;
	u32 nr_sections;
	struct synn_free_list sections;
	struct synn_free_list gpa_slots;

	u32 copy_max;
	u32 section_room;
	u32 section_bytes;
	u32 first_section;
	u8 *send_buffer;
	u32 max_packets;
	u32 align_mask;
	u32 section_used;
	u32 section_last;
	u32 section_packets;

	u32 mpb_len;
	u32 mpb_bytes;
	union {
		struct vmbus_packet_mpb_array mpb;
		u8 mpb_room[sizeof(struct vmbus_packet_mpb_array) +
			    SYNN_MAX_RANGES * sizeof(struct hv_mpb_array) +
			    SYNN_MAX_PFNS * sizeof(u64)];
	} __aligned(8);

	struct synn_tx_stats stats;
};

/* ---- VLAN tags ---------------------------------------------------------------- */

/*
 * Between guest and host a tag is per-packet info. XDP programs have it in the frame,
 * behind the addresses.
 */
#define SYNN_ETH_ADDRESSES	(2 * ETH_ALEN)

/**
 * synn_put_vlan_tag() - put a tag into a frame
 * @frame: has room for it behind the addresses
 * @vlan: the tag, as NDIS_INFO_8021Q
 */
static inline void synn_put_vlan_tag(void *frame, u32 vlan)
{
	struct vlan_ethhdr *h = frame;

	h->h_vlan_proto = htons(ETH_P_8021Q);
	h->h_vlan_TCI = htons(rndis_tci(vlan));
}

/**
 * synn_get_vlan_tag() - the tag that is in a frame
 * @frame: the frame
 * @len: its bytes
 * @vlan: filled in if there is a tag
 *
 * Return: bytes of the tag, 0 if there is none.
 */
static inline u32 synn_get_vlan_tag(const void *frame, u32 len, u32 *vlan)
{
	const struct vlan_ethhdr *h = frame;

	if (len < sizeof(*h) || h->h_vlan_proto != htons(ETH_P_8021Q))
		return 0;
	*vlan = rndis_vlan(ntohs(h->h_vlan_TCI));
	return VLAN_HLEN;
}

/* ---- receiving ---------------------------------------------------------------- */

/**
 * struct synn_rx_stats - counters of an rx queue; written by NAPI
 */
struct synn_rx_stats {
	struct u64_stats_sync syncp;
	u64 packets;
	u64 bytes;
	u64 ranges;
	u64 rsc_packets;	/* coalesced by the host (RSC) */
	u64 csum_ok;
	u64 csum_bad;
	u64 no_memory;
	u64 dropped;		/* the interface is down */
	u64 multicast;
	u64 bad;		/* invalid packets and messages of the host */
	u64 xdp_pass;
	u64 xdp_drop;
	u64 xdp_tx;
	u64 xdp_redirect;
	u64 xdp_aborted;
	u64 xdp_errors;		/* too large, no memory, redirect failed */
	u64 polls;
	u64 interrupts;
	u64 completions;	/* of transfers, sent to the host */
	u64 completions_deferred;	/* found no room in the ring */
};

/**
 * struct synn_piece - a part of a packet, in the receive buffer
 */
struct synn_piece {
	const u8 *data;
	u32 len;
};

/**
 * struct synn_rx_completion - a transfer whose completion is to be sent
 */
struct synn_rx_completion {
	u64 id;
	u32 status;
};

#define SYNN_FLUSH_REDIRECT	1u
#define SYNN_FLUSH_TX		2u

/**
 * struct synn_rx - the rx side of a channel; used by NAPI alone while it is enabled
 * @buffer: the receive buffer
 * @size: its bytes
 * @pieces: of the packet that is being collected
 * @nr_pieces: how many so far
 * @total: their bytes
 * @first: per-packet info of the first one
 * @pool: pages for packets
 * @rxq: for XDP
 * @prog: XDP program
 * @flush: SYNN_FLUSH_*: what is to be done at the end of a poll
 * @comp: transfers to be completed, a ring
 * @comp_mask: its size - 1
 * @comp_head: the next one that is sent
 * @comp_tail: the next free entry
 * @was_running: the interface was up when this poll began
 */
struct synn_rx {
	const u8 *buffer;
	u32 size;
	struct synn_piece *pieces;
	u32 nr_pieces;
	u32 total;
	struct rndis_rx first;
	struct page_pool *pool;
	struct xdp_rxq_info rxq;
	struct bpf_prog __rcu *prog;
	u32 flush;
	struct synn_rx_completion *comp;
	u32 comp_mask;
	u32 comp_head;
	u32 comp_tail;
	bool was_running;

	struct synn_rx_stats stats;
};

/**
 * struct synn_chan - a channel of an adapter, and a queue of its netdev
 * @adapter: its adapter
 * @index: 0 is the primary
 * @vc: the channel of the bus; valid from the open to the close
 * @state: written by synn_chan_set_state(), under RTNL, or under open_mutex while
 *	sub-channels open
 * @heard: jiffies, when the host last sent anything; written by NAPI
 * @napi: reads the ring
 * @tx: the tx side
 * @rx: the rx side
 * @retry: schedules NAPI again when something waits for room in the ring
 * @timer: the same at the end of a time without interrupts
 * @usecs: that time
 * @dim: finds a good one
 * @dim_events: number of polls, for @dim
 */
struct synn_chan {
	struct synn_adapter *adapter;
	unsigned int index;
	struct vmbus_channel *vc;
	enum synn_chan_state state;
	unsigned long heard;
	struct napi_struct napi;
	struct synn_tx tx;
	struct synn_rx rx;
	struct delayed_work retry;
	struct hrtimer timer;
	u32 usecs;
	struct dim dim;
	u16 dim_events;
};

static inline bool synn_chan_is_open(const struct synn_chan *ch)
{
	return READ_ONCE(ch->state) >= SYNN_CHAN_OPEN;
}

#endif
