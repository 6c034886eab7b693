/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of synth_blk share. A file calls only files above it in this list:
 *
 *   sbc.c, sense.c	SCSI commands and answers as bytes
 *   identify.c		what a unit is asked, and what follows
 *   state.c		tables of states
 *   life.c		changes of states; events that lower files leave for upper ones
 *   quarantine.c	memory that the host may still use
 *   channel.c		channels of a controller: open, close, send
 *   command.c		SCSI commands of the driver's own
 *   storvsp.c		initialisation of a controller
 *   request.c		requests of disks: from blk-mq to the host
 *   complete.c		and back
 *   inflight.c		all requests that a disk has at the host
 *   poll.c		reads rings; hands on what is in them
 *   queue.c		blk-mq's operations, timeouts
 *   disk.c		a logical unit as a disk
 *   pause.c		whether the host answers, and what may be begun
 *   scan.c		which units there are
 *   bringup.c		opens all channels, and gives them to hardware queues
 *   recover.c		reset, recovery, identity of units after a reset
 *   sysfs.c		attributes of a controller
 *   controller.c	probe, hibernation, removal
 *   debugfs.c, trace.h	what can be seen of all that
 *
 * Locks, outermost first:
 *
 *   synd_ctrl.mutex	scan, reset, suspend and removal, one at a time; held while
 *			a command of the driver's own is sent and answered. Nothing
 *			under it may wait for I/O of these disks (synd_ctrl_lock()),
 *			nor for CPU hotplug, which may wait for such I/O
 *   owner_mutex	(channel.c) from a sub-channel to its controller
 *   synd_ctrl.open_mutex  the array of channels grows (sub-channels)
 *   synd_chan.rx_lock	(irq) the incoming ring of a channel has one reader, and
 *			ids of what was sent on it are taken back by one
 *   ring lock of the bus (irq) inside of which an id is published
 *
 * Readers of debugfs and sysfs take rx_lock and RCU only, so that they see
 * something while the mutex is held by a wait for the host.
 *
 * A request and its memory belong to the host from the moment when its id is
 * published, which is when its packet can no longer fail to be sent, until the id is
 * taken back: by the one completion that names it, or, once the host has confirmed
 * that it touches nothing any more, by a reset or the removal of the controller.
 */
#ifndef SYNTHIO_SYNTH_BLK_H
#define SYNTHIO_SYNTH_BLK_H

#include <linux/blk-mq.h>
#include <linux/completion.h>
#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <synthio/storvsp.h>

#include "compat.h"
#include "identify.h"
#include "state.h"

#define SYND_NAME		"synth_blk"
#define SYND_MAX_CHANNELS	64
#define SYND_MAX_DISKS		256	/* of a controller */
#define SYND_MAX_TARGETS	2	/* that hosts use, all on path 0 */
#define SYND_MAX_LUNS		256	/* of a target */
#define SYND_MAX_TRANSFER	(2u << 20)
#define SYND_MAX_PAGES		(SYND_MAX_TRANSFER / HV_HYP_PAGE_SIZE + 1)
#define SYND_MAX_DEPTH		1024
#define SYND_MAX_RETRIES	5	/* of a request; then it fails */
#define SYND_RETRY_DELAY	20	/* ms until it is tried again */
#define SYND_BUSY_DELAY		20	/* ms until a busy unit is asked again */
#define SYND_BUSY_LIMIT		(60 * HZ)	/* for how long */
#define SYND_DELAY_MAX		(30 * HZ)	/* from one try of a reset or scan to the next */
/* Packets of versions before 5.1 are shorter; the initialisation uses those, too */
#define SYND_OLD_VERSIONS_END	STORVSP_VERSION_5_1

struct synd_ctrl;
struct synd_disk;

/*
 * Transaction ids: generation, hardware queue, disk and tag of a request. 0 is the
 * id of packets that the host sends on its own. Two requests with the same tag do
 * not have the same id within 2^24 uses, so that an answer which comes late or twice
 * names no request.
 */
#define SYND_ID_GEN_MASK	0xffffffu
#define SYND_ID_COMMAND		0xffffu	/* disk number of the driver's own commands */

static inline u64 synd_id(u32 gen, u32 queue, u32 disk, u32 tag)
{
	return (u64)(gen & SYND_ID_GEN_MASK) << 40 | (u64)queue << 32 |
	       disk << 16 | tag;
}

static inline u32 synd_id_tag(u64 id)
{
	return id & 0xffff;
}

static inline u32 synd_id_disk(u64 id)
{
	return id >> 16 & 0xffff;
}

static inline u32 synd_id_queue(u64 id)
{
	return id >> 32 & 0xff;
}

/* ---- life.c ----------------------------------------------------------------- */

/* What a file notices and another one, which stands above it, acts upon; bits */
enum synd_event {
	SYND_EVENT_SCAN,		/* units may have changed */
	SYND_EVENT_CHANNEL_LOST,	/* a sub-channel was rescinded alone */
	SYND_EVENT_RESET,		/* a request has timed out reset_after times */
};

void synd_note(struct synd_ctrl *c, enum synd_event event);
void synd_ctrl_set_state(struct synd_ctrl *c, enum synd_ctrl_state to);
void synd_disk_set_state(struct synd_disk *d, enum synd_disk_state to);
void synd_ctrl_lock(struct synd_ctrl *c);
void synd_ctrl_unlock(struct synd_ctrl *c);

/* ---- quarantine.c ------------------------------------------------------------- */

unsigned int synd_quarantine_request(const struct synd_ctrl *c,
				     struct request *rq);
unsigned int synd_quarantine_page(const struct synd_ctrl *c, void *page);
unsigned int synd_quarantined(const struct synd_ctrl *c);
void synd_quarantine_release(const struct synd_ctrl *c);
void synd_quarantine_exit(void);

/* ---- channel.c ------------------------------------------------------------ */

/**
 * struct synd_chan - one channel of a controller
 * @ctrl: its controller
 * @vc: the bus's channel; valid while @open
 * @index: 0 is the primary
 * @cpu: which the host interrupted for this channel when it was opened
 * @rx_lock: see the top of this file
 * @open: the ring may be read; under @rx_lock
 * @polled: the host's interrupts stay masked, the ring is polled
 * @task: reads on after IRQ_BUDGET packets in an interrupt
 * @sent: packets sent; without a lock, an estimate
 * @full: sends that found no room; likewise
 * @starved: a queue waits for room
 * @last_packet: jiffies, when a packet was read last
 * @interrupts: reads of the ring that an interrupt caused; this and the rest under
 *	@rx_lock
 * @completions: answers to requests
 * @polled_completions: those of them that were found without an interrupt
 * @largest: most packets that one read of the ring has found
 * @reads: reads of the ring that have found packets
 * @bad: packets from the host that could not be used
 */
struct synd_chan {
	struct synd_ctrl *ctrl;
	struct vmbus_channel *vc;
	unsigned int index;
	unsigned int cpu;
	spinlock_t rx_lock;
	bool open;
	bool polled;
	struct tasklet_struct task;

	u64 sent;
	u64 full;
	bool starved;
	unsigned long last_packet;

	u64 interrupts;
	u64 completions;
	u64 polled_completions;
	u64 largest;
	u64 reads;
	u64 bad;
};

int synd_chan_open_primary(struct synd_ctrl *c);
void synd_chan_accept(struct synd_ctrl *c, unsigned int wanted);
bool synd_chan_close_all(struct synd_ctrl *c);
void synd_chan_disown(struct synd_ctrl *c);
struct synd_chan *synd_chan_find_lost(struct synd_ctrl *c);
bool synd_chan_rescinded(struct synd_chan *ch);
void synd_chan_set_polled(struct synd_chan *ch);
int synd_chan_send(struct synd_chan *ch, struct vmbus_packet_mpb_array *mpb,
		   u32 mpb_len, struct storvsp_packet *pkt, u64 id, u64 *slot);
int synd_chan_init(struct synd_ctrl *c, void (*interrupt)(void *chan));
void synd_chan_free(struct synd_ctrl *c);
void synd_chan_bad(struct synd_chan *ch, const char *what, u64 id);
u64 synd_chan_completions(const struct synd_ctrl *c);

/* ---- command.c -------------------------------------------------------------- */

/**
 * struct synd_command - a command of the driver's own, outside of blk-mq
 * @node: in synd_ctrl.unanswered
 * @id: its id while the host has it, else 0. Published by the bus's ring write,
 *	taken back under the primary channel's rx_lock
 * @target: SCSI target that it asks
 * @lun: LUN
 * @done: the answer is in @answer
 * @answer: as it came, zeroes behind it
 * @answer_len: bytes that came
 * @buffer: SBC_ANSWER_MAX bytes for its data
 */
struct synd_command {
	struct list_head node;
	u64 id;
	u8 target;
	u8 lun;
	struct completion done;
	struct storvsp_packet answer;
	u32 answer_len;
	u8 *buffer;
};

void synd_command_fill_srb(const struct synd_ctrl *c, struct storvsp_packet *pkt,
			   u8 target, u8 lun, u8 data_in, u32 bytes);
u32 synd_command_mpb(struct vmbus_packet_mpb_array *mpb, const void *buffer,
		     u32 bytes);
struct sbc_verdict synd_command_judge(const struct storvsp_packet *pkt, u32 len,
				      enum sbc_command command);
int synd_command_send(struct synd_ctrl *c, struct storvsp_packet *pkt, u32 room,
		      unsigned long wait);
void synd_command_done(struct synd_chan *ch, u64 id, const void *payload,
		       u32 len);
unsigned int synd_command_forget(struct synd_ctrl *c, bool confirmed);
void synd_command_scan_begins(struct synd_ctrl *c);
int synd_command_identify(struct synd_ctrl *c, u8 target, u8 lun,
			  struct sbc_disk *d);
int synd_command_report_luns(struct synd_ctrl *c, u8 target, u8 *bitmap);
int synd_command_probe_host(struct synd_ctrl *c);

/* ---- storvsp.c ---------------------------------------------------------------- */

int synd_storvsp_initialise(struct synd_ctrl *c);
int synd_storvsp_create_subchannels(struct synd_ctrl *c, u16 count);

/* ---- disk.c --------------------------------------------------------------- */

/**
 * struct synd_slot - a tag while the host has its request
 * @id: transaction id, 0 if the host does not have the request. Published by the
 *	ring write of the submitter, which owns the tag; cleared under rx_lock
 * @rq: the request
 * @gen: generation of the last id
 * @since: jiffies, when the request was sent
 */
struct synd_slot {
	u64 id;
	struct request *rq;
	u32 gen;
	unsigned long since;
};

/**
 * struct synd_hctx - a hardware queue of a disk
 * @disk: its disk
 * @index: hardware queue, and of the controller's queues
 * @slots: by tag
 */
struct synd_hctx {
	struct synd_disk *disk;
	unsigned int index;
	struct synd_slot *slots;
};

/**
 * struct synd_cmd - what blk-mq keeps for the driver with each request
 * @next: in synd_batch.others, or in a list of requests that were taken back
 * @deferred: in synd_ctrl.deferred
 * @verdict: how the host has ended it; outcome SBC_OK in the normal case
 * @retries: times that it was tried again
 * @timeouts: times that it took too long while the host answered others
 * @busy: the unit was busy
 * @busy_since: jiffies, of the first time
 * @expected: bytes that the host must report as moved
 * @zeroes_unmap: WRITE SAME of zeroes had the UNMAP bit
 * @param: parameter list of UNMAP
 */
struct synd_cmd {
	struct request *next;
	struct llist_node deferred;
	struct sbc_verdict verdict;
	u8 retries;
	u8 timeouts;
	bool busy;
	unsigned long busy_since;
	u32 expected;
	bool zeroes_unmap;
	u8 *param;
};

/* What the next step of a scan does with a disk */
enum synd_plan {
	SYND_PLAN_KEEP,
	SYND_PLAN_ADD,
	SYND_PLAN_UPDATE,
	SYND_PLAN_REMOVE,
};

/* Commands that a unit has refused; bits of synd_disk.refusals */
enum synd_refusal {
	SYND_REFUSES_UNMAP,
	SYND_REFUSES_WRITE_SAME,
	SYND_REFUSES_WRITE_SAME_UNMAP,
	SYND_REFUSES_FLUSH,
};

/* How a disk's queue is held */
enum synd_hold {
	SYND_HOLD_NONE,
	SYND_HOLD_QUIESCED,	/* nothing is sent; requests wait in the queue */
	SYND_HOLD_FROZEN,	/* no request is in the queue, new ones wait outside */
};

/**
 * struct synd_disk - a logical unit
 * @ctrl: its controller
 * @node: in synd_ctrl.disk_list; under synd_ctrl.mutex
 * @number: index in synd_ctrl.disks
 * @letter: of the name: 0 is synda
 * @target: SCSI target
 * @lun: SCSI LUN
 * @block_shift: log2 of the logical block size
 * @id: what the unit has reported of itself
 * @set: tags of this disk alone, so that it can't use up those of others
 * @gd: the disk; NULL while planned
 * @hctx: one for each hardware queue
 * @state: enum synd_disk_state; written by synd_disk_set_state()
 * @hold: enum synd_hold; under synd_ctrl.mutex
 * @lost_hold: replace_lost_channels() holds the queue; under synd_ctrl.mutex
 * @plan: what the next step of the scan does with it
 * @scanned: what the unit has reported in that scan
 * @update_pending: requests were in the way of taking that over
 * @refusals: bits of enum synd_refusal
 * @refusals_work: applies them to the queue's limits
 * @part_work: reads the partition table
 * @check_work: reads the unit's identity after a reset, in SYND_DISK_CHECKING
 * @check_delay: jiffies until the next try of that
 * @retries: requests tried again
 * @timeouts: requests that took too long
 * @errors: requests that failed
 * @attentions: unit attentions
 */
struct synd_disk {
	struct synd_ctrl *ctrl;
	struct list_head node;
	unsigned int number;
	int letter;
	u8 target;
	u8 lun;
	u8 block_shift;
	struct sbc_disk id;
	struct blk_mq_tag_set set;
	struct gendisk *gd;
	struct synd_hctx *hctx;
	enum synd_disk_state state;
	enum synd_hold hold;
	bool lost_hold;
	enum synd_plan plan;
	struct sbc_disk scanned;
	bool update_pending;
	unsigned long refusals;
	struct work_struct refusals_work;
	struct work_struct part_work;
	struct delayed_work check_work;
	unsigned long check_delay;

	atomic64_t retries;
	atomic64_t timeouts;
	atomic64_t errors;
	atomic64_t attentions;
};

struct synd_disk *synd_disk_alloc(struct synd_ctrl *c, u8 target, u8 lun,
				  const struct sbc_disk *id);
int synd_disk_add(struct synd_disk *d);
bool synd_disk_remove(struct synd_disk *d, bool surprise, unsigned long wait);
bool synd_disk_update(struct synd_disk *d, struct sbc_disk *id,
		      unsigned long wait);

/* ---- request.c ------------------------------------------------------------ */

static inline struct synd_disk *synd_disk_of(const struct request *rq)
{
	return rq->q->queuedata;
}

blk_status_t synd_queue_rq(struct blk_mq_hw_ctx *hctx,
			   const struct blk_mq_queue_data *bd);
void synd_request_release(struct request *rq);
int synd_request_init(void);
void synd_request_exit(void);

/* ---- complete.c ----------------------------------------------------------- */

/**
 * struct synd_batch - requests that a read of a ring has found completed
 * @iob: those that blk-mq ends as a batch
 * @others: the rest, by synd_cmd.next
 */
struct synd_batch {
	struct io_comp_batch iob;
	struct request *others;
};

void synd_complete(struct request *rq);
void synd_request_completed(struct synd_chan *ch, u64 id, const void *payload,
			    u32 len, struct synd_batch *batch);
void synd_request_finish_batch(struct synd_batch *batch);
void synd_request_finish_deferred(struct work_struct *work);
void synd_apply_refusals(struct work_struct *work);

/* ---- inflight.c ----------------------------------------------------------- */

void synd_disk_set_hold(struct synd_disk *d, enum synd_hold hold);
bool synd_disk_frozen(struct synd_disk *d);
unsigned int synd_disk_in_flight(struct synd_disk *d);
unsigned long synd_disk_oldest(struct synd_disk *d);
unsigned int synd_disk_requeue(struct synd_disk *d, const struct synd_chan *ch);
unsigned int synd_disk_fail_all(struct synd_disk *d, bool confirmed,
				unsigned int *kept);
void synd_request_run_all(struct synd_ctrl *c);

/* ---- poll.c ------------------------------------------------------------------- */

void synd_poll_interrupt(void *chan);
int synd_poll_channel(struct synd_chan *ch, struct io_comp_batch *iob);
void synd_poll_init(struct synd_ctrl *c);

/* ---- queue.c -------------------------------------------------------------------- */

extern const struct blk_mq_ops synd_mq_ops;

/* ---- pause.c -------------------------------------------------------------------- */

enum synd_host_state synd_pause_state(struct synd_ctrl *c);
int synd_pause_may_begin(struct synd_ctrl *c, enum synd_operation op);

/* ---- scan.c --------------------------------------------------------------- */

int synd_scan_first(struct synd_ctrl *c);
void synd_scan_work(struct work_struct *work);
void synd_scan(struct synd_ctrl *c);

/* ---- bringup.c -------------------------------------------------------------- */

int synd_bring_up(struct synd_ctrl *c);

/* ---- recover.c ---------------------------------------------------------------- */

void synd_hold_all(struct synd_ctrl *c, enum synd_hold hold);
void synd_fail_all(struct synd_ctrl *c, enum synd_ctrl_state state,
		   bool confirmed);
int synd_reset(struct synd_ctrl *c);
int synd_reopen(struct synd_ctrl *c);
void synd_recover_later(struct synd_ctrl *c);
void synd_recover_work(struct work_struct *work);
void synd_check_work(struct work_struct *work);
void synd_event_work(struct work_struct *work);

/* ---- sysfs.c -------------------------------------------------------------------- */

extern const struct attribute_group *synd_ctrl_groups[];

/* ---- controller.c --------------------------------------------------------- */

/**
 * struct synd_ctrl - a controller
 * @hv: its device on the bus
 * @node: in the list of all controllers
 * @ide: an IDE disk, which is target @ide_target, LUN 0
 * @ide_target: see above
 * @state: enum synd_ctrl_state; written by synd_ctrl_set_state() under @mutex, read
 *	without it
 * @unconfirmed: the last close was not confirmed: what the host had it may still
 *	use. Under @mutex
 * @noio: what memalloc_noio_save() returned to the holder of @mutex
 * @mutex: see the top of this file
 * @open_mutex: see the top of this file
 * @interrupt: reads a channel's ring
 * @chans: channels, the primary first
 * @nr_chans: how many are open; grows under @open_mutex
 * @accept: how many channels in all are wanted; under @open_mutex
 * @chan_wait: woken when @nr_chans grows
 * @nr_queues: hardware queues of each disk, the polled ones last
 * @nr_polled: how many of them are polled
 * @queues: which channel a hardware queue uses
 * @version: STORVSP_VERSION_*
 * @packet_len: bytes of a packet of that version
 * @max_subchannels: that the host offers
 * @max_transfer: bytes of one command; disks keep the least that they were given
 * @command: the driver's command that is waited for, or the next one
 * @command_gen: generation of the last one's id
 * @unanswered: commands that were not answered in time, under the primary channel's
 *	rx_lock
 * @nr_unanswered: how many; likewise
 * @next_extra: jiffies: when the next command may be sent if there are too many of
 *	them
 * @answers: to the driver's commands so far
 * @scan_deadline: jiffies: after this, silent units are waited for briefly
 * @disks: by number; RCU
 * @disk_list: the same, in the order of their coming. Changed by one work at a
 *	time, under @mutex
 * @check: function of disks' check_work
 * @wq: for @scan_work; freezable
 * @scan_work: asks which units there are, if @scan_wanted, and carries out the plan
 * @scan_wanted: units are to be asked
 * @scan_incomplete: a unit did not tell what it is
 * @scan_tries: how often such units are asked again
 * @scan_delay: jiffies until a scan that the host did not answer is repeated
 * @ignored: LUNs that were reported not to be disks, by target
 * @events: bits of enum synd_event
 * @event_work: acts upon them
 * @recover_work: tries a reset again, in SYND_CTRL_RECOVERING and SYND_CTRL_FAILED
 * @recover_delay: jiffies until the next try
 * @deferred: requests of pollers that an interrupt found completed
 * @deferred_work: ends them
 * @next_run: disk whose queues are the first to be run when there is room
 * @give_up_work: ends a removal that the host holds up
 * @progress: answers in all when @give_up_work ran last
 * @pause_waits: how often @give_up_work has waited on, since the host was paused
 * @responds_since: jiffies, when the host was last seen to answer after a pause
 * @resets: how often it was reset
 * @dentry: debugfs
 */
struct synd_ctrl {
	struct hv_device *hv;
	struct list_head node;
	bool ide;
	u8 ide_target;
	enum synd_ctrl_state state;
	bool unconfirmed;
	unsigned int noio;
	struct mutex mutex;
	struct mutex open_mutex;

	void (*interrupt)(void *chan);
	struct synd_chan *chans;
	unsigned int nr_chans;
	unsigned int accept;
	wait_queue_head_t chan_wait;
	unsigned int nr_queues;
	unsigned int nr_polled;
	struct synd_chan *queues[SYND_MAX_CHANNELS];

	u16 version;
	u32 packet_len;
	u16 max_subchannels;
	u32 max_transfer;

	struct synd_command *command;
	u32 command_gen;
	struct list_head unanswered;
	unsigned int nr_unanswered;
	unsigned long next_extra;
	u64 answers;
	unsigned long scan_deadline;

	struct synd_disk __rcu *disks[SYND_MAX_DISKS];
	struct list_head disk_list;

	void (*check)(struct work_struct *work);
	struct workqueue_struct *wq;
	struct delayed_work scan_work;
	bool scan_wanted;
	bool scan_incomplete;
	unsigned int scan_tries;
	unsigned long scan_delay;
	unsigned long ignored[SYND_MAX_TARGETS][BITS_TO_LONGS(SYND_MAX_LUNS)];
	unsigned long events;
	struct work_struct event_work;
	struct delayed_work recover_work;
	unsigned long recover_delay;
	struct llist_head deferred;
	struct work_struct deferred_work;
	unsigned int next_run;
	struct delayed_work give_up_work;
	u64 progress;
	unsigned int pause_waits;
	unsigned long responds_since;

	u64 resets;
	struct dentry *dentry;
};

#define synd_warn(c, fmt, ...)	dev_warn(&(c)->hv->device, fmt, ##__VA_ARGS__)
#define synd_err(c, fmt, ...)	dev_err(&(c)->hv->device, fmt, ##__VA_ARGS__)
#define synd_info(c, fmt, ...)	dev_info(&(c)->hv->device, fmt, ##__VA_ARGS__)

/* For resets and the like: what makes I/O go on must not wait for I/O */
extern struct workqueue_struct *synd_repair_wq;

int synd_ctrl_register(void);
void synd_ctrl_unregister(void);

/* ---- debugfs.c ------------------------------------------------------------ */

void synd_debugfs_init(void);
void synd_debugfs_exit(void);
void synd_debugfs_add(struct synd_ctrl *c);
void synd_debugfs_remove(struct synd_ctrl *c);

/* ---- main.c: parameters, read-only but for the last ----------------------- */

extern unsigned int synd_queues;
extern unsigned int synd_poll_queues;
extern unsigned int synd_queue_depth;
extern unsigned int synd_ring_size;
extern bool synd_ignore_non_disks;
extern unsigned int synd_timeout_s;
extern unsigned int synd_host_timeout;
extern unsigned int synd_reset_after;

/**
 * synd_next_delay() - the interval until the next try
 * @delay: the one after that, which is twice as long; 0 before the first try
 * @first: the first interval, in jiffies
 */
static inline unsigned long synd_next_delay(unsigned long *delay,
					    unsigned long first)
{
	unsigned long now = *delay ?: first;

	*delay = min_t(unsigned long, 2 * now, SYND_DELAY_MAX);
	return now;
}

#endif
