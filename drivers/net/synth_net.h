/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of synth_net share. Each file calls only files of its own line and
 * of the lines above it (except for callbacks that the kernel calls):
 *
 *   state.c, rndis.c		tables of states and decisions; RNDIS messages as bytes
 *   note.c, quarantine.c	changes of state, events that are noted for later;
 *				memory that the host may still use
 *   channel.c			opens, closes and sends
 *   nvsp.c, control.c		NVSP messages; RNDIS requests, one at a time
 *   filter.c, carrier.c,	what the host is told and asked by such requests
 *   offload.c, rss.c
 *   message.c			RNDIS messages of the host that are no packets
 *   txring.c, txqueue.c	tx queues: slots, ring packets, completions; their
 *				memory, start and stop
 *   txinfo.c, tx.c		packets to the host
 *   xdp.c, rx.c		XDP programs; packets from the host
 *   coalesce.c, poll.c		fewer interrupts; the NAPI poll function, which reads a
 *				ring and hands its packets to the files above
 *   session.c			a session with the host: open, close, start
 *   service.c, event.c		what a work item does: resets and stalls; other events
 *   netdev.c, stats.c,		what the network stack and ethtool call
 *   ethtool.c
 *   adapter.c, debugfs.c	the life of an adapter; what can be seen of it
 *
 * Locks, outermost first:
 *
 *   RTNL			sessions are opened and closed, the number of queues
 *				changes
 *   synn_adapter.mutex		requests to the host, one at a time. Work items that
 *				need no more than that take it without RTNL
 *   synthio_owner_mutex	from a sub-channel to its adapter
 *   synn_adapter.open_mutex	the number of open channels grows (sub-channels)
 *   tx lock of a queue		(bh) everything in synn_tx except completions
 *   synn_adapter.wait_lock	(irq) which answers are waited for; netpoll may call the
 *				NAPI poll function with interrupts off
 *   synn_adapter.state_lock	(irq) writes of synn_adapter.state
 *
 * A channel's NAPI instance is the only reader of its ring, and the only one that frees
 * slots of sends, so neither needs a lock.
 *
 * A send and its memory belong to the host from the moment when its slot gets an
 * id until the one completion that names it, or until the host has confirmed that
 * the session is closed. The receive buffer belongs to both during a session.
 * synn_session_close() first shuts out senders (SYNN_TX_CLOSED, under the tx lock), then
 * waits for the readers (napi_disable()), then closes the channels, then tears down the
 * buffers' GPADLs. After that only synn_session_close() itself uses any of that memory.
 * Memory that the host has not confirmed is quarantined (quarantine.c).
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
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <synthio/copy.h>
#include <synthio/host_state.h>
#include <synthio/netvsp.h>

#include "compat.h"
#include "quarantine.h"
#include "queue.h"
#include "rndis.h"
#include "state.h"

#define SYNN_NAME		"synth_net"
#define SYNN_MAX_QUEUES		NVSP_MAX_CHANNELS
#define SYNN_SECTION_BYTES	1728	/* sections that hosts divide a receive buffer into */
#define SYNN_MIN_SECTIONS	256
#define SYNN_MAX_SECTIONS	18000	/* a GPADL has 8190 pages */
#define SYNN_ANSWER_MAX		256	/* bytes of a control message of the host */

/* The stack's watchdog: longer than a stall takes to be noticed */
#define SYNN_WATCHDOG		(10 * HZ)

/**
 * synn_message() - begin an NVSP message
 * @m: all of it is zeroed except for
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

/**
 * struct synn_buffer - memory that the host reads or writes during a session
 * @quarantine: keeps it if the host has not confirmed that it is done with it
 * @data: of vzalloc()
 * @bytes: its size
 * @gpadl: the GPADL by which the host knows it
 * @announced: an NVSP message has named it to the host
 */
struct synn_buffer {
	struct synn_quarantined quarantine;
	void *data;
	u32 bytes;
	struct vmbus_gpadl gpadl;
	bool announced;
};

/**
 * struct synn_session - what was negotiated with the host for a session
 * @version: NVSP_VERSION_*
 * @message_bytes: size of an NVSP message of that version
 * @max_ranges: GPA ranges that the host accepts in a send
 * @receive: the receive buffer
 * @sections: sections that the host has divided it into
 * @send: the send buffer
 * @section_bytes: size of a section of it
 * @limits: of a transfer
 * @offloads: that the host has
 * @rss: what the host can do for RSS
 * @mtu: the MTU that the host was told
 * @max_mtu: the MTU that the host grants
 * @unsupported: requests that the host does not know: type << 32 | OID
 * @nr_unsupported: how many
 */
struct synn_session {
	u32 version;
	u32 message_bytes;
	u32 max_ranges;
	struct synn_buffer *receive;
	u32 sections;
	struct synn_buffer *send;
	u32 section_bytes;
	struct rndis_limits limits;
	struct rndis_offloads offloads;
	struct rndis_rss rss;
	u32 mtu;
	u32 max_mtu;
	u64 unsupported[16];
	unsigned int nr_unsupported;
};

/**
 * struct synn_nvsp_request - an NVSP message that waits for its completion
 * @id: 0 if there is none; under wait_lock, as the other fields
 * @gen: generation of the last id
 * @done: completed with the answer
 * @answer: the answer, padded with zeroes
 * @answer_len: bytes that came
 */
struct synn_nvsp_request {
	u64 id;
	u64 gen;
	struct completion done;
	struct nvsp_message answer;
	u32 answer_len;
};

/* The life of a control request */
enum synn_request_state {
	SYNN_REQUEST_IDLE,	/* the host does not have the page */
	SYNN_REQUEST_SENT,	/* a caller waits */
	SYNN_REQUEST_ABANDONED,	/* the caller has given up; the host has the page */
};

/**
 * struct synn_control_page - the page that the host reads a control request from
 * @quarantine: keeps it if the host has not confirmed that it is done with it
 * @data: the page
 */
struct synn_control_page {
	struct synn_quarantined quarantine;
	u8 *data;
};

/**
 * struct synn_control - an RNDIS request that waits for its answer
 * @state: written under wait_lock, as the other fields
 * @page: that the host reads it from
 * @id: transaction id of the packet; 0 after its completion
 * @request: request id; 0 if no answer is waited for
 * @abandoned: request id of the last one that nothing waits for any more
 * @gen: generation of the last id
 * @done: completed when the answer is here and the host has completed the packet, or
 *	when the host refuses it
 * @status: NVSP status of the packet
 * @answer: the answer
 * @answer_len: its bytes, 0 if there is none
 */
struct synn_control {
	enum synn_request_state state;
	struct synn_control_page *page;
	u64 id;
	u32 request;
	u32 abandoned;
	u64 gen;
	struct completion done;
	u32 status;
	u8 *answer;
	u32 answer_len;
};

/* Bits of synn_adapter.events: what event_work is to do */
enum {
	SYNN_EVENT_CARRIER,	/* query the media's state and speed, set the carrier */
	SYNN_EVENT_FILTER,	/* tell the host the packet filter */
	SYNN_EVENT_KEEPALIVE,	/* answer a keepalive of the host */
	SYNN_EVENT_MEDIA_LOST,	/* the media was disconnected, or changed: for CARRIER */
	SYNN_EVENT_ANNOUNCE,	/* the carrier is back: announce to the neighbours */
	SYNN_EVENT_GROW,	/* a sub-channel came late: use it */
};

/* Bits of synn_adapter.checks: what the service task is to look at */
enum {
	SYNN_CHECK_TX,		/* the stack's watchdog has reported a queue */
	SYNN_CHECK_HEALTH,	/* something may be wrong */
	SYNN_CHECK_RESET,	/* another session is needed */
	SYNN_CHECK_RETRY,	/* try to open a session without waiting for the backoff */
};

/* The media's state, as far as the host has reported it in this session */
enum synn_media {
	SYNN_MEDIA_UNKNOWN,
	SYNN_MEDIA_DISCONNECTED,
	SYNN_MEDIA_CONNECTED,
};

/**
 * struct synn_adapter - a network adapter; lies in its net_device
 * @dev: its net_device
 * @hv: its device on the bus
 * @state: written by synn_set_state(); read without a lock
 * @state_lock: see the top of this file, as for the other locks
 * @mutex: likewise
 * @open_mutex: likewise
 * @wait_lock: likewise
 * @chans: channels; once allocated they stay, for their statistics
 * @nr_open: channels that are open; grows under @open_mutex
 * @accepted: sub-channels with an index below this are opened when they are offered;
 *	under @open_mutex
 * @granted: channels in all that the host has promised; under @mutex
 * @chan_wait: woken when @nr_open grows
 * @nr_queues: queues that the stack uses; under RTNL
 * @wanted_queues: of ethtool -L, or the default
 * @wanted_slots: GPA slots of a queue (ethtool -G tx)
 * @wanted_sections: sections of the receive buffer (ethtool -G rx)
 * @session: the session
 * @nvsp: an NVSP request
 * @control: an RNDIS request
 * @events: bits of SYNN_EVENT_*
 * @event_work: handles them
 * @event_tries: repetitions of a request that was not answered; under @mutex
 * @keepalive_id: request id of the host's keepalive
 * @filter: packet filter that the host has, as far as that is known
 * @filter_on: the interface is up: packets are wanted
 * @checks: bits of SYNN_CHECK_*
 * @service_work: the service task
 * @settled_at: jiffies, when SYNN_SETTLING may end
 * @retry_at: jiffies, when another attempt to open a session is due
 * @backoff: seconds between attempts
 * @node: in the list of all adapters
 * @wq: for both works
 * @speed: in 100 bit/s
 * @media: what the host reports
 * @holdoff_until: jiffies, until when the carrier stays off; 0: no hold-off. Under
 *	@mutex
 * @send_table: which queue the host wants packets of a hash on
 * @rss_table: which queue the host puts packets of a hash into
 * @rss_entries: its size
 * @rss_key: of the hash
 * @rss_hashes: NDIS_HASH_*: what the hash is computed of
 * @csum_mask: SYNN_CSUM_*: checksums that the host computes
 * @msg_level: for ethtool
 * @prog: XDP program; under RTNL
 * @rx_usecs: time without interrupts, of ethtool -C
 * @adaptive: DIM chooses it
 * @quarantine: memory that the host may still use; under @mutex
 * @quarantined: pages of it
 * @resets: sessions that were opened again
 * @stalls: times that the host did not respond
 * @tx_timeouts: queues that the stack's watchdog has reported
 * @dentry: debugfs
 */
struct synn_adapter {
	struct net_device *dev;
	struct hv_device *hv;
	enum synn_state state;
	spinlock_t state_lock;
	struct mutex mutex;
	struct mutex open_mutex;
	spinlock_t wait_lock;

	struct synn_chan *chans[SYNN_MAX_QUEUES];
	unsigned int nr_open;
	unsigned int accepted;
	unsigned int granted;
	wait_queue_head_t chan_wait;
	unsigned int nr_queues;
	unsigned int wanted_queues;
	u32 wanted_slots;
	u32 wanted_sections;

	struct synn_session session;
	struct synn_nvsp_request nvsp;
	struct synn_control control;

	unsigned long events;
	struct delayed_work event_work;
	unsigned int event_tries;
	u32 keepalive_id;
	u32 filter;
	bool filter_on;

	unsigned long checks;
	struct delayed_work service_work;
	unsigned long settled_at;
	unsigned long retry_at;
	u32 backoff;
	struct list_head node;
	struct workqueue_struct *wq;

	u32 speed;
	enum synn_media media;
	unsigned long holdoff_until;

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

	struct list_head quarantine;
	u64 quarantined;
	u64 resets;
	u64 stalls;
	u64 tx_timeouts;
	struct dentry *dentry;
};

/* synn_adapter.rss_hashes at first. Fragments of UDP have no ports to be hashed */
#define SYNN_RSS_HASHES		(NDIS_HASH_IPV4 | NDIS_HASH_IPV6 | \
				 NDIS_HASH_TCP_IPV4 | NDIS_HASH_TCP_IPV6)

/* synn_adapter.csum_mask */
#define SYNN_CSUM_TCP4		1u
#define SYNN_CSUM_UDP4		2u
#define SYNN_CSUM_TCP6		4u
#define SYNN_CSUM_UDP6		8u
#define SYNN_CSUM_OPTIONS4	16u
#define SYNN_CSUM_EXTENSIONS6	32u

static inline struct synn_adapter *synn_priv(const struct net_device *dev)
{
	return netdev_priv(dev);
}

static inline bool synn_rescinded(const struct synn_adapter *ad)
{
	return READ_ONCE(ad->hv->channel->rescind);
}

/* ---- note.c ------------------------------------------------------------------- */

bool synn_set_state(struct synn_adapter *ad, enum synn_state to);
void synn_chan_set_state(struct synn_chan *ch, enum synn_chan_state to);
void synn_event(struct synn_adapter *ad, unsigned int event);
void synn_check(struct synn_adapter *ad, unsigned int check);
void synn_bad_packet(struct synn_chan *ch, const char *what, u64 id);

/* ---- channel.c ---------------------------------------------------------------- */

struct synn_chan *synn_chan_alloc(struct synn_adapter *ad, unsigned int index);
int synn_chan_open_primary(struct synn_adapter *ad);
void synn_chan_accept(struct synn_adapter *ad, unsigned int wanted);
void synn_chan_enable_polling(struct synn_adapter *ad);
void synn_chan_quiesce(struct synn_adapter *ad);
int synn_chan_close_all(struct synn_adapter *ad);
void synn_chan_disown(struct synn_adapter *ad);
void synn_chan_free_all(struct synn_adapter *ad, bool confirmed);
void synn_chan_kick(struct synn_chan *ch);
void synn_chan_retry(struct synn_chan *ch);
bool synn_chan_has_room(struct synn_chan *ch, u32 bytes);
bool synn_chan_host_reads(struct synn_chan *ch);
bool synn_chan_send_again(int ret, int *tries);
int synn_chan_send(struct synn_adapter *ad, const void *message, u32 bytes,
		   u64 id, u32 flags);
bool synn_chan_wait(struct synn_adapter *ad, struct completion *done,
		    unsigned int seconds);
int synn_chan_wait_error(struct synn_adapter *ad);

/* ---- nvsp.c ------------------------------------------------------------------- */

int synn_nvsp_negotiate(struct synn_adapter *ad);
int synn_nvsp_buffers(struct synn_adapter *ad);
void synn_nvsp_revoke(struct synn_adapter *ad);
void synn_nvsp_free_buffers(struct synn_adapter *ad);
int synn_nvsp_subchannels(struct synn_adapter *ad, unsigned int count,
			  unsigned int *granted);
void synn_nvsp_completed(struct synn_chan *ch, u64 id, const void *payload,
			 u32 len);
void synn_nvsp_message(struct synn_chan *ch, const void *payload, u32 len);

/* ---- control.c ---------------------------------------------------------------- */

int synn_control_init(struct synn_adapter *ad);
void synn_control_free(struct synn_adapter *ad);
int synn_control_begin(struct synn_adapter *ad);
void synn_control_end(struct synn_adapter *ad, bool confirmed);
int synn_control_initialise(struct synn_adapter *ad);
void synn_control_halt(struct synn_adapter *ad);
int synn_control_query(struct synn_adapter *ad, u32 oid, const void *in,
		       u32 in_len, void *out, u32 room);
int synn_control_query_u32(struct synn_adapter *ad, u32 oid, u32 *value);
int synn_control_set(struct synn_adapter *ad, u32 oid, const void *info, u32 len);
int synn_control_set_address(struct synn_adapter *ad, const u8 *mac);
void synn_control_completed(struct synn_chan *ch, u64 id, const void *payload,
			    u32 len);
void synn_control_answer(struct synn_chan *ch, const u8 *msg, u32 len);
void synn_control_keepalive(struct synn_adapter *ad);
enum synn_probe synn_control_probe(struct synn_adapter *ad);

/* ---- filter.c, carrier.c, offload.c, rss.c, message.c -------------------------- */

int synn_filter_update(struct synn_adapter *ad);
int synn_carrier_update(struct synn_adapter *ad);
void synn_carrier_indicate(struct synn_chan *ch, const u8 *msg, u32 len);
int synn_offload_query(struct synn_adapter *ad);
int synn_offload_set(struct synn_adapter *ad, netdev_features_t features);
u32 synn_rss_hashes(const struct synn_adapter *ad);
int synn_rss_set(struct synn_adapter *ad);
void synn_rss_default(struct synn_adapter *ad);
void synn_rss_query(struct synn_adapter *ad);
void synn_rss_setup(struct synn_adapter *ad);
void synn_message_received(struct synn_chan *ch, const u8 *msg, u32 len);

/* ---- txring.c ----------------------------------------------------------------- */

/**
 * struct synn_tx_batch - the sends that a poll has found completed
 */
struct synn_tx_batch {
	u32 packets;
	u32 bytes;
};

void synn_tx_set_state(struct synn_chan *ch, enum synn_tx_state to);
int synn_tx_slot_alloc(struct synn_free_list *f);
void synn_tx_slot_unalloc(struct synn_free_list *f);
void *synn_tx_slot_header(const struct synn_tx *tx, u32 slot);
void synn_tx_slot_release_owner(struct synn_slot *s, int budget);
bool synn_tx_flush_pending(struct synn_chan *ch);
void synn_tx_stop_queue(struct synn_chan *ch);
void synn_tx_flush_or_stop(struct synn_chan *ch);
u8 *synn_tx_reserve_section(struct synn_chan *ch, u32 bytes);
void synn_tx_flush(struct synn_chan *ch);
bool synn_tx_is_frame(const struct synn_chan *ch, u64 id);
void synn_tx_completed(struct synn_chan *ch, u64 id, const void *payload,
		       u32 len, struct synn_tx_batch *batch, int budget);
void synn_tx_poll_end(struct synn_chan *ch, struct synn_tx_batch *batch,
		      int budget);

/* ---- txqueue.c ---------------------------------------------------------------- */

/**
 * struct synn_tx_load - what a tx queue has outstanding
 * @sends: at the host
 * @oldest: milliseconds that the oldest of them has been there
 * @blocked: milliseconds since the queue was blocked; 0 if it is not
 */
struct synn_tx_load {
	u32 sends;
	u32 oldest;
	u32 blocked;
};

int synn_tx_prepare(struct synn_chan *ch, u32 first_section, u32 sections);
void synn_tx_unprepare(struct synn_chan *ch, bool confirmed);
void synn_tx_start(struct synn_chan *ch);
void synn_tx_stop(struct synn_chan *ch);
void synn_tx_load(const struct synn_chan *ch, struct synn_tx_load *load);

/* ---- txinfo.c, tx.c, xdp.c, rx.c ------------------------------------------------ */

int synn_tx_info(struct synn_chan *ch, struct sk_buff *skb, struct rndis_tx *t);
netdev_features_t synn_features_check(struct sk_buff *skb,
				      struct net_device *dev,
				      netdev_features_t f);

netdev_tx_t synn_start_xmit(struct sk_buff *skb, struct net_device *dev);
int synn_tx_frame(struct synn_chan *ch, void *data, u32 len,
		  struct xdp_frame *frame);

int synn_xdp_run(struct synn_chan *ch, struct bpf_prog *prog,
		 struct xdp_buff *xdp);
void synn_xdp_poll_end(struct synn_chan *ch);
int synn_bpf(struct net_device *dev, struct netdev_bpf *bpf);
int synn_xdp_xmit(struct net_device *dev, int n, struct xdp_frame **frames,
		  u32 flags);
void synn_xdp_apply(struct synn_adapter *ad);
u32 synn_xdp_max_mtu(void);

int synn_rx_prepare(struct synn_chan *ch);
void synn_rx_unprepare(struct synn_chan *ch);
int synn_rx_transfer(struct synn_chan *ch,
		     const struct vmpacket_descriptor *desc);
bool synn_rx_complete(struct synn_chan *ch);
bool synn_rx_is_full(const struct synn_chan *ch);

/* ---- coalesce.c, poll.c -------------------------------------------------------- */

void synn_coalesce_init(struct synn_chan *ch);
void synn_coalesce_start(struct synn_chan *ch);
void synn_coalesce_stop(struct synn_chan *ch);
bool synn_coalesce_sleep(struct synn_chan *ch, int work);
bool synn_coalesce_can_adapt(void);
int synn_poll(struct napi_struct *napi, int budget);

/* ---- session.c ----------------------------------------------------------------- */

int synn_session_open(struct synn_adapter *ad);
void synn_session_close(struct synn_adapter *ad);
void synn_session_start(struct synn_adapter *ad);
void synn_session_grow(struct synn_adapter *ad);
int synn_session_reopen(struct synn_adapter *ad);
int synn_session_restart(struct synn_adapter *ad);
int synn_session_change(struct synn_adapter *ad);
int synn_session_suspend(struct synn_adapter *ad);

/* ---- service.c, event.c --------------------------------------------------------- */

int synn_service_init(void);
void synn_service_exit(void);
void synn_service_add(struct synn_adapter *ad);
void synn_service_remove(struct synn_adapter *ad);
void synn_service_work(struct work_struct *work);
void synn_event_work(struct work_struct *work);

/* ---- netdev.c, stats.c, ethtool.c ----------------------------------------------- */

void synn_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *st);
#ifdef COMPAT_QUEUE_STATS
extern const struct netdev_stat_ops synn_stat_ops;
#endif
extern const struct net_device_ops synn_netdev_ops;
extern const struct ethtool_ops synn_ethtool_ops;
void synn_netdev_setup(struct synn_adapter *ad);

/* ---- adapter.c, debugfs.c ------------------------------------------------------- */

int synn_adapter_register(void);
void synn_adapter_unregister(void);

void synn_debugfs_init(void);
void synn_debugfs_exit(void);
void synn_debugfs_add(struct synn_adapter *ad);
void synn_debugfs_remove(struct synn_adapter *ad);

/* ---- main.c: module parameters, read-only except for the last one --------------- */

extern unsigned int synn_queues;
extern unsigned int synn_ring_size;
extern unsigned int synn_receive_buffer;
extern unsigned int synn_send_buffer;
extern unsigned int synn_host_timeout;
extern unsigned int synn_copybreak;

#endif
