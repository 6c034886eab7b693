/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of synth_net share. From the wire up:
 *
 *   rndis.c		RNDIS messages as bytes
 *   channel.c		channels of a card: open, close, NAPI, reading the ring
 *   nvsp.c		negotiation, the two buffers, sub-channels
 *   control.c		RNDIS requests, one at a time, and what the host tells
 *   event.c		what is seen to in a process: link, filter, neighbours
 *   offload.c		what the host can do to packets, and what it is to do
 *   link.c		a session with the host: up, down, again
 *   tx.c, rx.c, xdp.c	packets
 *   txinfo.c		what goes with a packet to the host
 *   coalesce.c		fewer interrupts
 *   netdev.c		what the network stack calls
 *   stats.c		how many packets there were
 *   ethtool.c		what ethtool calls
 *   card.c		the life of a card: probe, removal, hibernation
 *   debugfs.c, trace.h	what can be seen of it
 *
 * Locks, outermost first:
 *
 *   RTNL		sessions begin and end, the number of queues changes
 *   synn_card.mutex	requests to the host, one at a time. Work items that need
 *			no more than that take it without RTNL
 *   owner_mutex	(channel.c) from a sub-channel to its card
 *   synn_card.open_mutex  the array of channels grows (sub-channels)
 *   tx lock of a queue	(bh) everything in synn_tx but its completions
 *   synn_card.wait_lock  (irq) which answers are waited for; netpoll may call NAPI's
 *			poll in an interrupt
 *
 * A channel's NAPI instance is the only reader of its ring, and the only one who
 * takes the slots of sends back; so neither needs a lock.
 *
 * A send and its memory belong to the host from the moment when its slot gets an
 * id until the one completion that names it, or until the host has confirmed that
 * the session is over. The receive buffer belongs to both for all of a session.
 * synn_link_down() ends one: it closes the doors for senders (synn_tx.open, under
 * the tx lock), then waits for the readers (napi_disable()), then closes the
 * channels, then takes the buffers' GPADLs back. Nobody but itself looks at any
 * of it then. What the host did not confirm to have let go of is never freed.
 */
#ifndef SYNTHIO_SYNTH_NET_H
#define SYNTHIO_SYNTH_NET_H

#include <linux/completion.h>
#include <linux/etherdevice.h>
#include <linux/hyperv.h>
#include <linux/if_vlan.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/u64_stats_sync.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <synthio/copy.h>
#include <synthio/netvsp.h>

#include "compat.h"
#include "rndis.h"

#define SYNN_NAME		"synth_net"
#define SYNN_MAX_QUEUES		NVSP_MAX_CHANNELS
#define SYNN_MAX_RANGES		32	/* pieces of memory in one send */
#define SYNN_MAX_PFNS		96
#define SYNN_HEADER_ROOM	128	/* for what precedes a frame; divides a page */
#define SYNN_MIN_SLOTS		64
#define SYNN_MAX_SLOTS		4096
#define SYNN_SECTION_BYTES	1728	/* what hosts make of a receive buffer */
#define SYNN_MIN_SECTIONS	256
#define SYNN_MAX_SECTIONS	18000	/* a GPADL has 8190 pages */
#define SYNN_ANSWER_MAX		256	/* bytes of a control message of the host */

static_assert(SYNN_HEADER_ROOM >= RNDIS_PACKET_HEADER_MAX);

/**
 * synn_message() - begin an NVSP message
 * @m: all of it is zero but for
 * @type: NVSP_*
 *
 * An initializer need not clear what lies behind the member of the union that it
 * names, and the host gets to see all of it.
 */
static inline void synn_message(struct nvsp_message *m, u32 type)
{
	memset(m, 0, sizeof(*m));
	m->type = type;
}

struct synn_card;

/* ---- transaction ids --------------------------------------------------------- */

/*
 * What names something that the host owes an answer: kind, generation, slot. 0 is
 * what the host sends on its own. The same id is not used again in 2^40 sends.
 */
#define SYNN_ID_SEND		1ull	/* a slot of the channel */
#define SYNN_ID_NVSP		2ull	/* synn_card.single */
#define SYNN_ID_CONTROL		3ull	/* synn_card.control */

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

/* ---- sending -------------------------------------------------------------------- */

/**
 * struct synn_slot - a ring packet that the host has
 * @id: transaction id, 0 if the host does not have it
 * @owner: skb or xdp_frame that is freed with it; NULL for copies
 * @is_frame: it is an xdp_frame
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
 * struct synn_free - slots that are free: a ring of their numbers
 * @ring: the numbers
 * @mask: size of the ring - 1
 * @head: where the sender takes the next one, under the tx lock
 * @tail: where NAPI puts the next one
 */
struct synn_free {
	u16 *ring;
	u32 mask;
	u32 head;
	u32 tail;
};

/**
 * struct synn_tx_stats - of one queue; written under the tx lock, but for the last
 */
struct synn_tx_stats {
	struct u64_stats_sync syncp;
	u64 packets;
	u64 bytes;
	u64 copied;		/* into the send buffer */
	u64 ring_packets;	/* all, whatever was in them */
	u64 tso;
	u64 csum_help;		/* checksums that the host can't compute */
	u64 linearized;		/* too many pieces */
	u64 ring_full;
	u64 stopped;
	u64 woken;
	u64 dropped;		/* could not be sent, or were lost with a session */
	u64 xdp_bytes;
	u64 xdp_xmit;
	u64 xdp_xmit_dropped;
	u64 xdp_tx;
	u64 xdp_tx_dropped;
	u64 errors;		/* status in a completion; NAPI */
};

/**
 * struct synn_tx - the sending side of a channel
 * @txq: the stack's queue
 * @open: packets may be sent; under the tx lock
 * @blocked: the stack's queue is stopped, for want of room or of slots
 * @dead: the channel takes nothing any more
 * @held: @mpb is put together, and waits for room in the ring
 * @held_len: bytes of it that are used
 * @held_slot: its slot
 * @held_bytes: of the packet
 * @gen: of the last id
 * @slots: first those with a section of the send buffer each, then the others
 * @nr_slots: how many
 * @nr_sections: how many of them have a section
 * @sections: free ones of the former
 * @plain: free ones of the latter
 * @copy_max: bytes of a packet that is copied into a section
 * @section_room: bytes of a section that may be used
 * @section_bytes: bytes from one section to the next
 * @first_section: index of the first one in the send buffer
 * @send_buffer: memory of the first one
 * @max_packets: messages in one section
 * @align: of the second message in a section and so on, - 1
 * @pend: slot of the section that is filled, or -1
 * @pend_used: bytes of it that are used
 * @pend_last: where the last message begins
 * @pend_packets: messages in it
 * @headers: memory for what precedes frames, a page for each 32 plain slots
 * @nr_headers: pages of it
 * @mpb: where descriptions of packets are put together
 */
struct synn_tx {
	struct netdev_queue *txq;
	bool open;
	bool blocked;
	bool dead;
	bool held;
	u32 held_len;
	u32 held_slot;
	u32 held_bytes;
	u64 gen;
	struct synn_slot *slots;
	u32 nr_slots;
	u32 nr_sections;
	struct synn_free sections;
	struct synn_free plain;

	u32 copy_max;
	u32 section_room;
	u32 section_bytes;
	u32 first_section;
	u8 *send_buffer;
	u32 max_packets;
	u32 align;
	int pend;
	u32 pend_used;
	u32 pend_last;
	u32 pend_packets;

	void **headers;
	u32 nr_headers;
	union {
		struct vmbus_packet_mpb_array mpb;
		u8 mpb_room[sizeof(struct vmbus_packet_mpb_array) +
			    SYNN_MAX_RANGES * sizeof(struct hv_mpb_array) +
			    SYNN_MAX_PFNS * sizeof(u64)];
	} __aligned(8);

	struct synn_tx_stats stats;
};

/* ---- a VLAN's tag ------------------------------------------------------------------- */

/*
 * It travels beside a frame, in RNDIS' words; programs of XDP have it in the frame,
 * behind the addresses, as it is on a wire.
 */
#define SYNN_ADDRESSES		(2 * ETH_ALEN)

/**
 * synn_tag_in() - put a tag into a frame
 * @frame: room for it behind the addresses
 * @vlan: the tag
 */
static inline void synn_tag_in(void *frame, u32 vlan)
{
	struct vlan_ethhdr *h = frame;

	h->h_vlan_proto = htons(ETH_P_8021Q);
	h->h_vlan_TCI = htons(rndis_tci(vlan));
}

/**
 * synn_tag_of() - the tag that is in a frame
 * @frame: the frame
 * @len: its bytes
 * @vlan: the tag, if there is one
 *
 * Return: its bytes, 0 if there is none.
 */
static inline u32 synn_tag_of(const void *frame, u32 len, u32 *vlan)
{
	const struct vlan_ethhdr *h = frame;

	if (len < sizeof(*h) || h->h_vlan_proto != htons(ETH_P_8021Q))
		return 0;
	*vlan = rndis_vlan(ntohs(h->h_vlan_TCI));
	return VLAN_HLEN;
}

/* ---- receiving -------------------------------------------------------------------- */

/**
 * struct synn_rx_stats - of one queue; written by NAPI
 */
struct synn_rx_stats {
	struct u64_stats_sync syncp;
	u64 packets;
	u64 bytes;
	u64 ranges;
	u64 joined;		/* packets that the host has joined (RSC) */
	u64 csum_ok;
	u64 csum_bad;
	u64 no_memory;
	u64 dropped;		/* the interface is down */
	u64 multicast;
	u64 bad;		/* from the host, could not be used */
	u64 xdp_pass;
	u64 xdp_drop;
	u64 xdp_tx;
	u64 xdp_redirect;
	u64 xdp_aborted;
	u64 xdp_errors;		/* too large, no memory, redirect failed */
	u64 polls;
	u64 interrupts;
	u64 completions;	/* of receives, sent to the host */
	u64 completions_late;	/* found no room in the ring */
};

/**
 * struct synn_piece - a part of a packet in the receive buffer
 */
struct synn_piece {
	const u8 *data;
	u32 len;
};

/**
 * struct synn_done - a receive that the host must be told the end of
 */
struct synn_done {
	u64 id;
	u32 status;
};

/**
 * struct synn_rx - the receiving side of a channel; NAPI alone
 * @buffer: the receive buffer
 * @size: its bytes
 * @pieces: of the packet that is put together
 * @nr_pieces: how many so far
 * @total: their bytes
 * @first: what the host said of the first of them
 * @pool: pages for packets
 * @rxq: for XDP
 * @prog: XDP program
 * @flush: what is to be done at the end of a poll (SYNN_FLUSH_*)
 * @done: receives to be completed, a ring
 * @done_mask: its size - 1
 * @done_head: next to be sent
 * @done_tail: next free
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
	struct synn_done *done;
	u32 done_mask;
	u32 done_head;
	u32 done_tail;
	bool was_running;

	struct synn_rx_stats stats;
};

#define SYNN_FLUSH_REDIRECT	1u
#define SYNN_FLUSH_TX		2u

/**
 * struct synn_chan - a channel of a card, and a queue of its netdev
 * @card: its card
 * @index: 0 is the primary
 * @vc: the channel; valid from its open to its close
 * @open: under RTNL, or open_mutex while sub-channels open
 * @polled: NAPI is enabled; under RTNL
 * @ready: memory and NAPI are there; under RTNL
 * @napi: reads the ring
 * @tx: sending
 * @rx: receiving
 * @retry: has NAPI look again when something waits for room in the ring
 * @timer: likewise, at the end of a time without interrupts
 * @usecs: that time
 * @dim: finds a good one
 * @dim_events: polls, for that
 */
struct synn_chan {
	struct synn_card *card;
	unsigned int index;
	struct vmbus_channel *vc;
	bool open;
	bool polled;
	bool ready;
	struct napi_struct napi;
	struct synn_tx tx;
	struct synn_rx rx;
	struct delayed_work retry;
	struct hrtimer timer;
	u32 usecs;
	struct dim dim;
	u16 dim_events;
};

/* ---- the card --------------------------------------------------------------------- */

/**
 * struct synn_buffer - memory that the host reads or writes for a whole session
 * @data: of vzalloc()
 * @bytes: its size
 * @gpadl: what the host knows it by
 * @told: the host was told of it
 */
struct synn_buffer {
	void *data;
	u32 bytes;
	struct vmbus_gpadl gpadl;
	bool told;
};

/**
 * struct synn_link - a session with the host, from open to close
 * @version: NVSP_VERSION_*
 * @message_bytes: of an NVSP message of that version
 * @max_ranges: pieces of memory that the host takes in a send
 * @receive: the receive buffer
 * @sections: that the host made of it
 * @send: the send buffer
 * @section_bytes: of a section of it
 * @limits: of a transfer
 * @offloads: what the host can do
 * @rss: its queues
 * @mtu: that the host was told
 * @max_mtu: that the host grants
 * @refused: questions that the host does not know: type << 32 | OID
 * @nr_refused: how many
 */
struct synn_link {
	u32 version;
	u32 message_bytes;
	u32 max_ranges;
	struct synn_buffer receive;
	u32 sections;
	struct synn_buffer send;
	u32 section_bytes;
	struct rndis_limits limits;
	struct rndis_offloads offloads;
	struct rndis_rss rss;
	u32 mtu;
	u32 max_mtu;
	u64 refused[16];
	unsigned int nr_refused;
};

/**
 * struct synn_single - an NVSP message that waits for its completion
 * @id: 0 if there is none; under wait_lock, as the rest
 * @gen: of the last id
 * @done: it came
 * @answer: what it brought, zeroes behind it
 * @answer_len: bytes that came
 */
struct synn_single {
	u64 id;
	u64 gen;
	struct completion done;
	struct nvsp_message answer;
	u32 answer_len;
};

/**
 * struct synn_control - an RNDIS request that waits for its answer
 * @page: that the host reads it from
 * @id: transaction id of the packet, 0: the host has let go of @page
 * @request: request id, 0 if no answer is waited for
 * @late: of one that nobody waits for any more
 * @gen: of the last id
 * @done: the answer is there, and the host has let go; or it refused
 * @status: NVSP status of the packet
 * @answer: the answer
 * @answer_len: its bytes, 0 if there is none
 * @stuck: the host did not let go of @page in time: no more requests until it does
 */
struct synn_control {
	u8 *page;
	u64 id;
	u32 request;
	u32 late;
	u64 gen;
	struct completion done;
	u32 status;
	u8 *answer;
	u32 answer_len;
	bool stuck;
};

/* What event_work is asked for */
enum {
	SYNN_EVENT_LINK,	/* connected or not, speed: look */
	SYNN_EVENT_FILTER,	/* what is received has changed */
	SYNN_EVENT_KEEPALIVE,	/* the host wants an answer */
	SYNN_EVENT_LOST,	/* the link was gone, or is another one: for LINK */
	SYNN_EVENT_ANNOUNCE,	/* the carrier is back: tell the neighbours */
	SYNN_EVENT_GROW,	/* a sub-channel came late: take it into use */
};

/* What reset_work knows of the host */
enum synn_host {
	SYNN_HOST_THERE,
	SYNN_HOST_STILL,	/* it neither answers nor reads: the card waits */
	SYNN_HOST_BACK,		/* it goes on: see what is missing */
};

/* Whether the card is connected, as far as the host has said so in this session */
enum synn_connected {
	SYNN_LINK_UNKNOWN,
	SYNN_LINK_OFF,
	SYNN_LINK_ON,
};

enum synn_state {
	SYNN_STARTING,
	SYNN_LIVE,
	SYNN_SUSPENDED,		/* for hibernation */
	SYNN_FAILED,		/* no session, and none to be had */
	SYNN_LEAVING,
};

/**
 * struct synn_card - a network card; lies in its net_device
 * @dev: its net_device
 * @hv: its device on the bus
 * @state: under RTNL; read without it
 * @mutex: see the top of this file
 * @open_mutex: likewise
 * @wait_lock: likewise
 * @chans: channels; once made they stay, for their statistics
 * @nr_open: channels that are open; grows under @open_mutex
 * @accept: channels in all that are wanted; under @open_mutex
 * @granted: channels in all that the host has promised; under @mutex
 * @chan_wait: somebody waits for @nr_open to grow
 * @nr_queues: that the stack uses; under RTNL
 * @want_queues: of ethtool -L, or the default
 * @want_slots: sends in flight of a queue that are not copies (ethtool -G tx)
 * @want_sections: of the receive buffer (ethtool -G rx)
 * @link: the session
 * @single: see there
 * @control: see there
 * @events: SYNN_EVENT_* that are asked for
 * @event_work: sees to them
 * @event_tries: of what was not answered; under @mutex
 * @keepalive_id: of the host's request
 * @filter: what the host was told to let through, as far as that is known
 * @filter_on: the interface is up, so something
 * @reset_work: close and open again
 * @host: whether it is there; of @reset_work
 * @wq: for both works
 * @speed: 100 bit/s
 * @connected: what the host says
 * @dark: the carrier stays off for a while; under @mutex
 * @dark_until: jiffies, when that ends
 * @send_table: which queue a hash goes to, by the host
 * @rss_table: which queue the host puts a hash into
 * @rss_entries: of it
 * @rss_key: of the hash
 * @rss_hashes: what it is made of: NDIS_HASH_*
 * @csum_mask: what the host computes: SYNN_CSUM_*
 * @msg_level: for ethtool
 * @prog: XDP program; under RTNL
 * @rx_usecs: time without interrupts, of ethtool -C
 * @adaptive: it is found by itself
 * @quarantined: pages that the host may still write, kept for ever
 * @resets: sessions that were begun again
 * @timeouts: that the stack has complained of
 * @bad: control messages that could not be used
 * @dentry: debugfs
 */
struct synn_card {
	struct net_device *dev;
	struct hv_device *hv;
	enum synn_state state;
	struct mutex mutex;
	struct mutex open_mutex;
	spinlock_t wait_lock;

	struct synn_chan *chans[SYNN_MAX_QUEUES];
	unsigned int nr_open;
	unsigned int accept;
	unsigned int granted;
	wait_queue_head_t chan_wait;
	unsigned int nr_queues;
	unsigned int want_queues;
	u32 want_slots;
	u32 want_sections;

	struct synn_link link;
	struct synn_single single;
	struct synn_control control;

	unsigned long events;
	struct delayed_work event_work;
	unsigned int event_tries;
	u32 keepalive_id;
	u32 filter;
	bool filter_on;
	struct delayed_work reset_work;
	enum synn_host host;
	struct workqueue_struct *wq;

	u32 speed;
	enum synn_connected connected;
	bool dark;
	unsigned long dark_until;

	u16 send_table[NVSP_TABLE_ENTRIES];
	u32 rss_table[NDIS_RSS_TABLE_DEFAULT];
	u32 rss_entries;
	u8 rss_key[NDIS_RSS_KEY_BYTES];
	u32 rss_hashes;

	u32 csum_mask;
	u32 msg_level;
	struct bpf_prog *prog;
	u32 rx_usecs;
	bool adaptive;

	bool host_holds;
	u64 quarantined;
	u64 resets;
	u64 timeouts;
	u64 bad;
	struct dentry *dentry;
};

/* synn_card.rss_hashes at first: fragments of UDP have no ports to go by */
#define SYNN_RSS_HASHES		(NDIS_HASH_IPV4 | NDIS_HASH_IPV6 | \
				 NDIS_HASH_TCP_IPV4 | NDIS_HASH_TCP_IPV6)

/* synn_card.csum_mask */
#define SYNN_CSUM_TCP4		1u
#define SYNN_CSUM_UDP4		2u
#define SYNN_CSUM_TCP6		4u
#define SYNN_CSUM_UDP6		8u
#define SYNN_CSUM_OPTIONS4	16u
#define SYNN_CSUM_EXTENSIONS6	32u

static inline struct synn_card *synn_card(const struct net_device *dev)
{
	return netdev_priv(dev);
}

/* ---- channel.c ---------------------------------------------------------------------- */

int synn_chan_prepare(struct synn_card *c, unsigned int index);
void synn_chan_unprepare(struct synn_chan *ch, bool safe);
int synn_chan_open_primary(struct synn_card *c);
void synn_chan_accept(struct synn_card *c, unsigned int wanted);
void synn_chan_poll_all(struct synn_card *c);
int synn_chan_close_all(struct synn_card *c);
void synn_chan_stop(struct synn_card *c);
void synn_chan_disown(struct synn_card *c);
void synn_chan_free_all(struct synn_card *c);
void synn_chan_kick(struct synn_chan *ch);
void synn_chan_retry(struct synn_chan *ch);
bool synn_chan_has_room(struct synn_chan *ch, u32 bytes);
void synn_bad(struct synn_chan *ch, const char *what, u64 id);

/* ---- nvsp.c ------------------------------------------------------------------------- */

int synn_nvsp_negotiate(struct synn_card *c);
int synn_nvsp_buffers(struct synn_card *c);
void synn_nvsp_revoke(struct synn_card *c);
int synn_nvsp_free_buffers(struct synn_card *c, bool safe);
int synn_nvsp_subchannels(struct synn_card *c, unsigned int count,
			  unsigned int *granted);
void synn_nvsp_completed(struct synn_chan *ch, u64 id, const void *payload,
			 u32 len);
void synn_nvsp_message(struct synn_chan *ch, const void *payload, u32 len);

/* ---- control.c ---------------------------------------------------------------------- */

int synn_control_init(struct synn_card *c);
void synn_control_free(struct synn_card *c);
void synn_control_begin(struct synn_card *c);
int synn_control_initialise(struct synn_card *c);
void synn_control_halt(struct synn_card *c);
int synn_control_query(struct synn_card *c, u32 oid, const void *in, u32 in_len,
		       void *out, u32 room);
int synn_control_query_u32(struct synn_card *c, u32 oid, u32 *value);
int synn_control_set(struct synn_card *c, u32 oid, const void *info, u32 len);
void synn_control_completed(struct synn_chan *ch, u64 id, const void *payload,
			    u32 len);
void synn_control_message(struct synn_chan *ch, const u8 *msg, u32 len);
void synn_control_keepalive(struct synn_card *c);
bool synn_control_alive(struct synn_card *c);
bool synn_wait(struct synn_card *c, struct completion *done);

/* ---- event.c ------------------------------------------------------------------------ */

void synn_event(struct synn_card *c, unsigned int event);
void synn_event_work(struct work_struct *work);
int synn_filter_update(struct synn_card *c);
int synn_link_update(struct synn_card *c);

/* ---- offload.c ---------------------------------------------------------------------- */

int synn_offload_ask(struct synn_card *c);
int synn_offload_set(struct synn_card *c, netdev_features_t features);
u32 synn_rss_hashes(const struct synn_card *c);
int synn_rss_set(struct synn_card *c);
void synn_rss_default(struct synn_card *c);

/* ---- link.c ------------------------------------------------------------------------- */

int synn_link_up(struct synn_card *c);
void synn_link_down(struct synn_card *c);
int synn_link_again(struct synn_card *c);
int synn_link_restart(struct synn_card *c);
int synn_link_change(struct synn_card *c);
int synn_link_suspend(struct synn_card *c);
void synn_link_go(struct synn_card *c);
void synn_link_grow(struct synn_card *c);
void synn_reset_work(struct work_struct *work);
void synn_reset(struct synn_card *c);

/* ---- tx.c --------------------------------------------------------------------------- */

netdev_tx_t synn_start_xmit(struct sk_buff *skb, struct net_device *dev);
int synn_tx_prepare(struct synn_chan *ch, u32 first_section, u32 sections);
void synn_tx_unprepare(struct synn_chan *ch, bool safe);
void synn_tx_start(struct synn_chan *ch);
void synn_tx_stop(struct synn_chan *ch);
int synn_tx_frame(struct synn_chan *ch, void *data, u32 len,
		  struct xdp_frame *frame);
void synn_tx_flush(struct synn_chan *ch);
bool synn_tx_is_frame(const struct synn_chan *ch, u64 id);

/**
 * struct synn_tx_batch - what a poll has found sent
 */
struct synn_tx_batch {
	u32 packets;
	u32 bytes;
};

void synn_tx_completed(struct synn_chan *ch, u64 id, const void *payload,
		       u32 len, struct synn_tx_batch *batch, int budget);
void synn_tx_poll_end(struct synn_chan *ch, struct synn_tx_batch *batch,
		      int budget);

/* ---- txinfo.c ----------------------------------------------------------------------- */

int synn_tx_info(struct synn_chan *ch, struct sk_buff *skb, struct rndis_tx *t);
netdev_features_t synn_features_check(struct sk_buff *skb,
				      struct net_device *dev,
				      netdev_features_t f);

/* ---- rx.c --------------------------------------------------------------------------- */

int synn_rx_prepare(struct synn_chan *ch);
void synn_rx_unprepare(struct synn_chan *ch);
int synn_rx_transfer(struct synn_chan *ch,
		     const struct vmpacket_descriptor *desc);
bool synn_rx_complete(struct synn_chan *ch);
bool synn_rx_is_full(const struct synn_chan *ch);

/* ---- xdp.c -------------------------------------------------------------------------- */

int synn_xdp_run(struct synn_chan *ch, struct bpf_prog *prog,
		 struct xdp_buff *xdp);
void synn_xdp_poll_end(struct synn_chan *ch);
int synn_bpf(struct net_device *dev, struct netdev_bpf *bpf);
int synn_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		  u32 flags);
void synn_xdp_apply(struct synn_card *c);
u32 synn_xdp_max_mtu(void);

/* ---- coalesce.c --------------------------------------------------------------------- */

void synn_coalesce_init(struct synn_chan *ch);
void synn_coalesce_start(struct synn_chan *ch);
void synn_coalesce_stop(struct synn_chan *ch);
bool synn_coalesce_sleep(struct synn_chan *ch, int work);
bool synn_coalesce_can_adapt(void);

/* ---- stats.c ------------------------------------------------------------------------ */

void synn_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *st);
#ifdef COMPAT_QUEUE_STATS
extern const struct netdev_stat_ops synn_stat_ops;
#endif

/* ---- netdev.c, ethtool.c ------------------------------------------------------------ */

extern const struct net_device_ops synn_netdev_ops;
extern const struct ethtool_ops synn_ethtool_ops;
void synn_netdev_setup(struct synn_card *c);

/* ---- card.c ------------------------------------------------------------------------- */

const char *synn_state_name(const struct synn_card *c);
int synn_card_register(void);
void synn_card_unregister(void);

/* ---- debugfs.c ---------------------------------------------------------------------- */

void synn_debugfs_init(void);
void synn_debugfs_exit(void);
void synn_debugfs_add(struct synn_card *c);
void synn_debugfs_remove(struct synn_card *c);

/* ---- main.c: parameters, read-only but for the last --------------------------------- */

extern unsigned int synn_queues;
extern unsigned int synn_ring_size;
extern unsigned int synn_receive_buffer;
extern unsigned int synn_send_buffer;
extern unsigned int synn_host_timeout;
extern unsigned int synn_copybreak;

#endif
