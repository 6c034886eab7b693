/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the network card share:
 *
 *	netvsp.c		the device: channels, what comes on them, link
 *	netvsp_options.c	options, commands of the control socket, status
 *	netvsp_nvsp.c		negotiation, buffers, further channels
 *	netvsp_rndis.c		RNDIS control messages and their answers
 *	netvsp_oid.c		the objects that QUERY and SET speak of
 *	netvsp_tx.c		frames from the guest
 *	netvsp_rx.c		frames to the guest: which it wants, and where
 *	netvsp_slots.c		the receive buffer and who has which part of it
 *	netvsp_state.c		what survives a worker
 *	netvsp_fault.c		what goes wrong on purpose
 *	netvsp_fault_command.c	how it is asked for
 *	netvsp_fault_hold.c	reading nothing, and guessing what was not read
 */
#ifndef SYNTHHOST_NETVSP_H
#define SYNTHHOST_NETVSP_H

#include <synthio/netvsp.h>
#include <synthio/rndis.h>

#include "device.h"
#include "loop.h"
#include "netback.h"
#include "netframe.h"
#include "netvsp_fault.h"
#include "profile.h"
#include "toeplitz.h"

#define NETVSP_MTU_MIN		68u
#define NETVSP_MTU_MAX		65521u
#define NETVSP_MTU		9000u
#define NETVSP_FRAME		1514u		/* of a guest that says nothing useful */
#define NETVSP_SPEED		10000u		/* Mbit/s */
#define NETVSP_SECTION		6144u		/* of the send buffer */
#define NETVSP_SECTION_MIN	1728u
#define NETVSP_SECTION_MAX	65536u
#define NETVSP_BATCH		32u
#define NETVSP_SLOT_RSC		16384u
#define NETVSP_SLOT_MIN		1728u
#define NETVSP_SLOT_MAX		65536u
#define NETVSP_MAX_PACKETS	8u		/* of one section */
#define NETVSP_ALIGN_SHIFT	3u
#define NETVSP_CONTROL_MAX	4096u		/* bytes of a control message */
#define NETVSP_MAX_ANSWERS	64u		/* that wait for a slot */
#define NETVSP_MULTICAST_MAX	64u
#define NETVSP_INFO_MAX		512u		/* per-packet info of a frame */
#define NETVSP_SPARE_SLOTS	4u		/* frames leave so many to control */

/*
 * Where a frame begins in its slot, if the profile has no other place: behind the RNDIS header and all per-packet
 * info there is, and so that what follows the Ethernet header is at the beginning
 * of a cache line.
 */
#define NETVSP_HEADROOM		114u

/* Transaction id of a SWITCH_DATA_PATH of ours; guests complete it or don't */
#define NETVSP_SWITCH_ID	(1ull << 63)

enum netvsp_state {
	NETVSP_CLOSED,
	NETVSP_OPENED,
	NETVSP_VERSION,		/* INIT succeeded */
	NETVSP_CONFIG,		/* NDIS_CONFIG, or version 1 */
	NETVSP_NDIS,		/* NDIS_VERSION */
	NETVSP_RECEIVE,		/* receive buffer */
	NETVSP_READY,		/* send buffer */
};

/*
 * What frames from another program of this machine, whose checksum is left to
 * whoever needs it, come with: the checksum; an old one that the guest is told not
 * to look at, as hosts leave it in what they have joined; or word that it is wrong
 */
enum netvsp_rx_csum {
	NETVSP_RX_CSUM_FILLED,
	NETVSP_RX_CSUM_STALE,
	NETVSP_RX_CSUM_FAILED,
};

enum netvsp_rndis_state {
	NETVSP_RNDIS_NONE,
	NETVSP_RNDIS_UP,
	NETVSP_RNDIS_HALTED,
};

/**
 * struct netvsp_config - what options say, and later guests are told
 * @max_version: newest NVSP version that is taken
 * @mtu: largest that is granted
 * @slot: bytes of a suballocation; 0: what suits the guest
 * @section: bytes of a section of the send buffer
 * @batch: frames in one transfer-pages packet, at most
 * @rsc, @lso, @csum: offloads that are offered
 */
struct netvsp_config {
	unsigned int max_version;
	unsigned int mtu;
	unsigned int slot;
	unsigned int section;
	unsigned int batch;
	bool rsc, lso, csum;
};

/**
 * struct netvsp_slot - a suballocation of the receive buffer
 * @next: of the same packet, or of the free ones
 * @seq: of the packet: one that comes back twice is not another's
 * @count: slots of the packet, 0 in all but its first
 * @channel: that the packet went to
 * @taken: at a takeover: it is part of a packet
 */
struct netvsp_slot {
	uint32_t next;
	uint32_t seq;
	uint16_t count;
	uint16_t channel;
	bool taken;
};

#define NETVSP_NO_SLOT		UINT32_MAX

/**
 * struct netvsp_buffer - a buffer of the guest's, mapped
 */
struct netvsp_buffer {
	uint8_t *map;
	size_t bytes;
	uint32_t gpadl;
};

/**
 * struct netvsp_pages - a transfer-pages packet that is being made
 * @set, @owns, @reserved, @count, @range: as behind the common descriptor; the
 *	payload is put behind the last range
 */
struct netvsp_pages {
	uint32_t first, last;
	unsigned int frames;
	struct {
		uint16_t set;
		uint8_t owns;
		uint8_t reserved;
		uint32_t count;
		struct {
			uint32_t bytes;
			uint32_t offset;
		} range[NVSP_MAX_RANGES];
		struct nvsp_message room;
	} __attribute__((packed)) wire;
};

struct netvsp_channel_stats {
	uint64_t tx_packets, tx_bytes;
	uint64_t rx_packets, rx_bytes;
};

/* What hangs at an open channel; @last_id: of the last data packet */
struct netvsp_channel {
	struct channel *ch;
	struct netvsp *n;
	unsigned int index;
	bool unshown;
	uint64_t last_id;
	struct netvsp_channel_stats stats;
	struct netvsp_pages pages;
};

/* A control message for the guest that waits for a slot */
struct netvsp_answer {
	struct netvsp_answer *next;
	uint32_t len;
	uint8_t bytes[];
};

struct netvsp_stats {
	uint64_t tx_packets, tx_bytes, tx_lso, tx_csum, tx_in_section;
	uint64_t tx_refused, tx_failed, tx_dropped, tx_tagged;
	uint64_t rx_packets, rx_bytes, rx_large, rx_csum;
	uint64_t rx_filtered, rx_oversized, rx_malformed, rx_failed;
	uint64_t rx_discarded, rx_no_slots, rx_pages;
	uint64_t control;
};

/* What the guest has set with OID_TCP_OFFLOAD_PARAMETERS */
struct netvsp_offloads {
	bool tx_csum[2][2];	/* [IPv6][UDP] */
	bool rx_csum[2][2];
	bool lso[2];
	bool rsc[2];
};

/* What the guest has set with OID_GEN_RECEIVE_SCALE_PARAMETERS */
struct netvsp_rss {
	bool on;
	uint32_t types;		/* NDIS_HASH_* */
	unsigned int entries;
	uint8_t table[NDIS_RSS_TABLE_MAX];
	uint8_t key[NDIS_RSS_KEY_BYTES];
	struct toeplitz hash;
};

/**
 * struct netvsp - a network card
 * @like: the kind of host that it behaves like
 * @carrier: the cable is plugged in
 * @rx_csum: what is done to checksums of TCP, and said of all
 * @speed: Mbit/s
 * @mac: permanent; @address is what it is now
 * @version, @message_bytes, @capabilities, @mtu: negotiated
 * @offered: subchannels that were asked for
 * @subchannel_ms: how long those are held back
 * @late: that time; at its end they are offered
 * @held_back: it runs
 * @table_due: the send indirection table follows when those are open
 * @deaf: a buffer was revoked: nothing that comes is read
 * @headroom: where a frame begins in its slot
 * @slots, @free: of the receive buffer; @free is the first of the free ones
 * @control_slots, @control_first, @control_free: the first slots are for control
 *	messages alone; of these the first free one, and how many
 * @returned: the first of the slots that came back, which is not committed yet
 * @gone: slots of a receive buffer that was revoked, the same
 * @answers_head, @answers_tail: of the answers, as they are kept; they count on
 * @last_packet: while it retires: when the guest sent something, loop_now()
 * @completions: of what it sent, so far
 * @rx_readable: bit mask of the backend's queues that may have frames
 * @rx_starved: there was no slot for the next one
 * @rx_held, @rx_iov: slots that the next frame will be read into, and their memory
 *	behind the tap header's
 * @vh: that header
 * @back_offloads: as the backend was told
 * @overflow: what finds no room in @rx_held
 */
struct netvsp {
	struct device dev;
	const struct profile_netvsp *like;
	struct netback *back;
	struct netvsp_config configured, config;
	unsigned int queues;
	uint64_t coalesce;
	unsigned int speed;
	bool carrier;
	enum netvsp_rx_csum rx_csum;
	uint8_t mac[6];

	enum netvsp_state state;
	enum netvsp_rndis_state rndis;
	unsigned int version;
	unsigned int message_bytes;
	uint64_t capabilities;
	unsigned int mtu;
	unsigned int offered;
	unsigned int subchannel_ms;
	struct loop_timer late;
	bool held_back;
	bool table_due;
	bool deaf;
	struct netvsp_channel *channels[1 + DEVICE_MAX_SUBCHANNELS];

	struct netvsp_buffer receive, send;
	unsigned int headroom, slot_bytes, slot_count, slots_free;
	struct netvsp_slot *slots;
	uint32_t free;
	unsigned int control_slots, control_free;
	uint32_t control_first;
	uint32_t seq;
	struct netvsp_answer *answers, **answers_end;
	unsigned int answer_count;
	uint32_t returned;
	unsigned int gone;
	uint32_t answers_head, answers_tail;

	uint8_t address[6];
	uint32_t filter;
	unsigned int multicasts;
	uint8_t multicast[NETVSP_MULTICAST_MAX][6];
	struct netvsp_offloads offloads;
	struct netvsp_rss rss;

	uint64_t last_packet;
	unsigned int completions;

	struct loop_poller poller;
	uint64_t rx_readable;
	bool rx_starved;
	unsigned int rx_queue;
	unsigned int rx_held_count, rx_want;
	uint32_t rx_held[NETVSP_SLOT_MAX / 1024];
	struct iovec rx_iov[2 + NETVSP_SLOT_MAX / 1024];
	struct netframe_header vh;
	uint16_t rsc_id;
	struct netback_offloads back_offloads;
	uint8_t overflow[NETFRAME_MAX];
	struct netvsp_faults faults;
	struct netvsp_stats stats;
};

/**
 * struct netvsp_saved - what survives a worker, apart from slots and answers
 * @receive, @send: GPADLs of the buffers, 0: none
 *
 * The rest is as in struct netvsp.
 */
struct netvsp_saved {
	struct netvsp_config config;
	uint32_t state, rndis, version, message_bytes, mtu, offered;
	uint64_t capabilities;
	uint32_t subchannel_ms;
	uint32_t receive, send, slot_bytes, seq;
	uint32_t answers_head, answers_tail;
	uint32_t filter, multicasts;
	struct netvsp_offloads offloads;
	uint32_t rss_on, rss_types, rss_entries;
	uint32_t speed, rx_csum;
	uint8_t held_back, table_due, deaf, carrier;
	uint8_t address[6];
	uint8_t multicast[NETVSP_MULTICAST_MAX][6];
	uint8_t rss_table[NDIS_RSS_TABLE_MAX];
	uint8_t rss_key[NDIS_RSS_KEY_BYTES];
};

static inline struct netvsp *to_netvsp(struct device *dev)
{
	return container_of(dev, struct netvsp, dev);
}

/* --- netvsp.c -------------------------------------------------------------- */

extern struct device_kind netvsp_kind;

/**
 * netvsp_set_carrier() - plug the cable in, or out
 */
void netvsp_set_carrier(struct netvsp *n, bool up);

/**
 * netvsp_set_speed() - say another speed
 * @speed: Mbit/s
 */
void netvsp_set_speed(struct netvsp *n, unsigned int speed);

/* --- netvsp_nvsp.c --------------------------------------------------------- */

/**
 * nvsp_packet() - a packet on the primary channel other than of RNDIS
 * @msg: padded with zeroes
 */
void nvsp_packet(struct netvsp *n, struct channel *ch, const struct packet *pkt,
		 const struct nvsp_message *msg);

/**
 * nvsp_channel_opened() - a subchannel is there: has the guest all of them now?
 */
void nvsp_channel_opened(struct netvsp *n);

/**
 * nvsp_send_table() - tell the guest how to spread what it sends
 */
void nvsp_send_table(struct netvsp *n);

/**
 * nvsp_is_padded() - whether a message is zero behind its fields
 * @bytes: of those, behind the type
 */
bool nvsp_is_padded(const struct nvsp_message *msg, size_t bytes);

/**
 * nvsp_switch_path() - say that the synthetic path is the one that is used
 */
void nvsp_switch_path(struct netvsp *n);

/**
 * nvsp_late() - the timer @late: offer what was granted
 * nvsp_set_late() - how long that is to be, from now on if it runs
 */
void nvsp_late(struct loop_timer *timer);
void nvsp_set_late(struct netvsp *n, unsigned int ms);

/**
 * nvsp_release() - forget the buffers
 */
void nvsp_release(struct netvsp *n);

/* --- netvsp_rndis.c -------------------------------------------------------- */

/**
 * rndis_control() - a control message of the guest
 */
void rndis_control(struct netvsp *n, struct channel *ch, const uint8_t *msg,
		   size_t len);

/**
 * rndis_indicate() - tell the guest of a change
 * @info: may be NULL
 */
void rndis_indicate(struct netvsp *n, uint32_t status, const void *info,
		    size_t len);

/**
 * rndis_send() - send a control message, as soon as there is a slot for it
 */
void rndis_send(struct netvsp *n, const void *msg, size_t len);

/**
 * rndis_answer() - the same
 * @oid: of the object that was asked for
 */
void rndis_answer(struct netvsp *n, const void *msg, size_t len, uint32_t oid);

/**
 * rndis_queue() - at a takeover: it waits
 */
void rndis_queue(struct netvsp *n, const void *msg, size_t len);

/**
 * rndis_answers() - send what has waited; slots came back
 */
void rndis_answers(struct netvsp *n);

/* --- netvsp_oid.c ---------------------------------------------------------- */

#define OID_ANSWER_MAX		512u

/**
 * oid_query() - read an object
 * @info, @info_len: what the guest has sent with the query
 * @answer: OID_ANSWER_MAX bytes
 * @len: bytes of the answer
 *
 * Return: NDIS_STATUS_*.
 */
uint32_t oid_query(struct netvsp *n, uint32_t oid, const uint8_t *info,
		   size_t info_len, uint8_t *answer, size_t *len);

/**
 * oid_set() - write one
 */
uint32_t oid_set(struct netvsp *n, uint32_t oid, const uint8_t *info,
		 size_t len);

/**
 * oid_reset() - all that can be set is as a new guest expects it
 */
void oid_reset(struct netvsp *n);

/* --- netvsp_tx.c ----------------------------------------------------------- */

/**
 * tx_packet() - SEND_RNDIS_PACKET, of either sort
 */
void tx_packet(struct netvsp_channel *nc, const struct packet *pkt,
	       const struct nvsp_message *msg);

/* --- netvsp_rx.c ----------------------------------------------------------- */

void rx_readable(struct netback *nb, unsigned int queue);
bool rx_poll(struct loop_poller *poller);

/**
 * rx_changed() - another buffer, filter, offload: read anew how frames come in
 */
void rx_changed(struct netvsp *n);

/**
 * rx_stop() - the receive buffer goes: nothing is written there any more
 */
void rx_stop(struct netvsp *n);

/* --- netvsp_slots.c -------------------------------------------------------- */

/**
 * slots_init() - divide the receive buffer
 *
 * Return: 0 or -ENOMEM.
 */
int slots_init(struct netvsp *n);
void slots_exit(struct netvsp *n);

/**
 * slots_restore() - slots_init() at a takeover: the guest has some already
 * slots_settled() - what has come back is free
 */
int slots_restore(struct netvsp *n);
void slots_settled(struct netvsp *n);

uint32_t slots_take(struct netvsp *n);
void slots_give(struct netvsp *n, uint32_t slot);

/**
 * slots_take_control() - a slot for a control message
 * slots_free_control() - how many there are
 */
uint32_t slots_take_control(struct netvsp *n);
unsigned int slots_free_control(const struct netvsp *n);

static inline uint8_t *slots_memory(const struct netvsp *n, uint32_t slot)
{
	return n->receive.map + (size_t)slot * n->slot_bytes;
}

/**
 * slots_add() - one more range for the packet that a channel is about to get
 * @bytes: of it
 */
void slots_add(struct netvsp_channel *nc, uint32_t slot, uint32_t bytes);

/**
 * slots_send() - send that packet, if it has any
 * @channel_type: NVSP_CHANNEL_*
 */
void slots_send(struct netvsp_channel *nc, uint32_t channel_type);

/**
 * slots_show() - show the guest what was sent
 */
void slots_show(struct netvsp *n);

/**
 * slots_completed() - the guest gives a packet back
 */
void slots_completed(struct netvsp_channel *nc, const struct packet *pkt);

/**
 * slots_channel_gone() - it gives back nothing any more
 */
void slots_channel_gone(struct netvsp *n, unsigned int index);

/* --- netvsp_state.c -------------------------------------------------------- */

void netvsp_save(struct device *dev, void *state);
int netvsp_restore(struct device *dev, const void *state);
void netvsp_settled(struct device *dev);

/**
 * netvsp_keep_packet() - a packet that begins with slot @first was sent
 * netvsp_drop_packet() - it came back. Return: false: it was not kept, and its
 *	slots are free at once
 * netvsp_forget_packet() - that is committed
 * netvsp_kept_packet() - at a takeover: write one that begins with this slot, if
 *	there is one, to @n->slots
 */
void netvsp_keep_packet(struct netvsp *n, uint32_t first);
bool netvsp_drop_packet(struct netvsp *n, uint32_t first);
void netvsp_forget_packet(struct netvsp *n, uint32_t first);
void netvsp_kept_packet(struct netvsp *n, uint32_t first);

/**
 * netvsp_keep_answer() - one more waits; @answers_head counts those that do not
 */
void netvsp_keep_answer(struct netvsp *n, const void *msg, size_t len);

/* --- netvsp_options.c ------------------------------------------------------ */

extern const struct device_option netvsp_options[];
extern const struct device_command netvsp_commands[];

void netvsp_status(struct device *dev, struct text *out);

#endif
