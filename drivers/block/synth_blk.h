/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of synth_blk share. From the wire up:
 *
 *   sbc.c		SCSI commands and answers as bytes
 *   identify.c		what a unit is asked, and what follows
 *   channel.c		channels of a controller: open, close, send, receive
 *   proto.c		what is said on them: initialisation, single commands
 *   request.c		requests of disks: from blk-mq to the host
 *   complete.c		and back
 *   inflight.c		all that a disk has at the host
 *   disk.c		a logical unit as a disk
 *   scan.c		which units there are
 *   controller.c	the life of a controller: probe, reset, suspend, removal
 *   debugfs.c, trace.h	what can be seen of it
 *
 * Locks, outermost first:
 *
 *   synd_ctrl.mutex	discovery, reset, suspend and removal, one at a time;
 *			whoever sends a single command holds it. Nobody may
 *			wait for I/O under it (synd_ctrl_lock()), nor for
 *			CPU hotplug, which does
 *   owner_mutex		(channel.c) from a sub-channel to its controller
 *   synd_ctrl.open_mutex  the array of channels grows (sub-channels)
 *   synd_chan.rx_lock	(irq) the incoming ring of a channel has one reader,
 *			and the slots of requests sent on it one taker
 *
 * A request and its memory belong to the host from the moment when its slot gets
 * an id until whoever takes that id back (synd_slot_take()) has it: the one
 * completion that names it, or, once the host confirmed that it touches nothing
 * any more, the reset or removal of the controller.
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
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <synthio/storvsp.h>

#include "compat.h"
#include "identify.h"

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

struct synd_ctrl;
struct synd_disk;

/*
 * Transaction ids. What names a request: generation, hardware queue, disk, tag.
 * 0 is what the host sends on its own. Two things of the same tag never share
 * an id in 2^24 uses, so an answer that comes late or twice names nothing.
 */
#define SYND_ID_GEN_MASK	0xffffffu
#define SYND_ID_SINGLE		0xffffu	/* disk number of single commands */

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

/* ---- channel.c ------------------------------------------------------------ */

/**
 * struct synd_chan - one channel of a controller
 * @ctrl: its controller
 * @vc: the channel; valid while @open
 * @index: 0 is the primary
 * @cpu: that the host interrupts for it, when it was opened
 * @rx_lock: see the top of this file
 * @open: under @rx_lock
 * @polled: interrupts stay masked, somebody looks into the ring
 * @task: goes on reading after a long stretch in the interrupt
 * @sent: packets sent; under no lock, an estimate
 * @full: sends that found no room; likewise
 * @starved: a queue waits for room
 * @interrupts: looks that an interrupt caused; this and the rest under @rx_lock
 * @completions: answers to requests
 * @polled_completions: those of them that were found without an interrupt
 * @largest: most answers that one look into the ring has found
 * @looks: looks into the ring that have found some
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

	u64 interrupts;
	u64 completions;
	u64 polled_completions;
	u64 largest;
	u64 looks;
	u64 bad;
};

/**
 * struct synd_batch - requests that a look into the ring has found done
 * @iob: those that blk-mq ends as a batch
 * @others: the rest, by synd_cmd.next
 */
struct synd_batch {
	struct io_comp_batch iob;
	struct request *others;
};

int synd_chan_open_primary(struct synd_ctrl *c);
void synd_chan_accept(struct synd_ctrl *c, unsigned int wanted);
bool synd_chan_close_all(struct synd_ctrl *c);
void synd_chan_disown(struct synd_ctrl *c);
struct synd_chan *synd_chan_lost(struct synd_ctrl *c);
bool synd_chan_rescinded(struct synd_chan *ch);
void synd_chan_set_polled(struct synd_chan *ch);
int synd_chan_send(struct synd_chan *ch, struct vmbus_packet_mpb_array *mpb,
		   u32 mpb_len, struct storvsp_packet *pkt, u64 id);
int synd_chan_poll(struct synd_chan *ch, struct io_comp_batch *iob);
int synd_chan_init(struct synd_ctrl *c);
void synd_chan_free(struct synd_ctrl *c);
void synd_chan_bad(struct synd_chan *ch, const char *what, u64 id);

/* ---- proto.c -------------------------------------------------------------- */

/**
 * struct synd_single - a command outside of blk-mq
 * @node: in synd_ctrl.unanswered
 * @id: 0 if it is not on its way. Under the primary channel's rx_lock, as are
 *	the next two
 * @target: whom it asks
 * @lun: likewise
 * @done: the answer is in @answer
 * @answer: as it came, zeroes behind it
 * @answer_len: bytes that came
 * @buffer: SBC_ANSWER_MAX bytes for its data
 */
struct synd_single {
	struct list_head node;
	u64 id;
	u8 target;
	u8 lun;
	struct completion done;
	struct storvsp_packet answer;
	u32 answer_len;
	u8 *buffer;
};

void synd_proto_fill_srb(const struct synd_ctrl *c, struct storvsp_packet *pkt,
			 u8 target, u8 lun, u8 data_in, u32 bytes);
u32 synd_proto_mpb(struct vmbus_packet_mpb_array *mpb, const void *buffer,
		   u32 bytes);
struct sbc_verdict synd_proto_judge(const struct storvsp_packet *pkt, u32 len,
				    enum sbc_command command);
int synd_proto_initialise(struct synd_ctrl *c);
int synd_proto_create_subchannels(struct synd_ctrl *c, u16 count);
unsigned int synd_proto_forget(struct synd_ctrl *c, bool safe);
void synd_proto_look(struct synd_ctrl *c);
void synd_proto_single_done(struct synd_chan *ch, u64 id, const void *payload,
			    u32 len);
int synd_proto_identify(struct synd_ctrl *c, u8 target, u8 lun,
			struct sbc_disk *d);
int synd_proto_report_luns(struct synd_ctrl *c, u8 target, u8 *bitmap);

/* ---- disk.c --------------------------------------------------------------- */

/**
 * struct synd_slot - a tag while the host has its request
 * @id: transaction id, 0 if the host does not have it. Set by the submitter,
 *	which owns the tag; cleared by the taker, under rx_lock
 * @rq: the request
 * @gen: generation of the last id
 * @since: jiffies, when it was sent
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
 * struct synd_cmd - what blk-mq keeps for us with each request
 * @next: in synd_batch.others, or a list of requests that were taken back
 * @later: in synd_ctrl.later
 * @verdict: what the host made of it; outcome SBC_OK in the normal case
 * @retries: times that it was tried again
 * @timeouts: times that it took too long
 * @busy: the unit was busy
 * @busy_since: jiffies, of the first time
 * @expected: bytes that the host must say it has moved
 * @zeroes_unmap: WRITE SAME of zeroes had the UNMAP bit
 * @param: parameter list of UNMAP
 * @bounce: pages of ours, for data in memory that can't be held
 */
struct synd_cmd {
	struct request *next;
	struct llist_node later;
	struct sbc_verdict verdict;
	u8 retries;
	u8 timeouts;
	bool busy;
	unsigned long busy_since;
	u32 expected;
	bool zeroes_unmap;
	u8 *param;
	struct page **bounce;
};

enum synd_plan {
	SYND_KEEP,
	SYND_ADD,
	SYND_UPDATE,
	SYND_REMOVE,
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
 * @id: what it said of itself
 * @set: tags of this disk alone, so that it can't take those of others
 * @gd: the disk; NULL until synd_disk_add()
 * @hctx: one for each hardware queue
 * @plan: what the next step of the scan does with it
 * @fresh: what it has said just now, for that step
 * @update_due: requests were in the way of taking that over
 * @added: device_add_disk() succeeded
 * @gone: requests fail: there is no such unit any more
 * @dying: taken away, requests are still with the host
 * @no_discard: the host refused UNMAP
 * @no_write_zeroes: the host refused WRITE SAME
 * @no_cache: the host refused SYNCHRONIZE CACHE
 * @no_zeroes_unmap: the host refused WRITE SAME with the UNMAP bit
 * @refused_work: tells the block layer of them
 * @part_work: looks for partitions
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
	enum synd_plan plan;
	struct sbc_disk fresh;
	bool update_due;
	bool added;
	bool gone;
	bool dying;
	bool no_discard;
	bool no_write_zeroes;
	bool no_cache;
	bool no_zeroes_unmap;
	struct work_struct refused_work;
	struct work_struct part_work;

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

extern const struct blk_mq_ops synd_mq_ops;

static inline struct synd_disk *synd_disk_of(const struct request *rq)
{
	return rq->q->queuedata;
}

void synd_request_copy(struct request *rq, bool to_host);
void synd_request_release(struct request *rq);
int synd_request_init(void);
void synd_request_exit(void);

/* ---- complete.c ----------------------------------------------------------- */

void synd_complete(struct request *rq);
void synd_request_completed(struct synd_chan *ch, u64 id, const void *payload,
			    u32 len, struct synd_batch *batch);
void synd_request_finish_batch(struct synd_batch *batch);
void synd_request_later(struct work_struct *work);
void synd_request_refused(struct work_struct *work);

/* ---- inflight.c ----------------------------------------------------------- */

void synd_disk_quiesce(struct synd_disk *d);
void synd_disk_unquiesce(struct synd_disk *d);
void synd_disk_freeze(struct synd_disk *d);
bool synd_disk_frozen(struct synd_disk *d);
void synd_disk_unfreeze(struct synd_disk *d);
unsigned int synd_disk_in_flight(struct synd_disk *d);
unsigned int synd_disk_requeue(struct synd_disk *d, const struct synd_chan *ch);
unsigned int synd_disk_fail_all(struct synd_disk *d, bool safe);
void synd_request_run_all(struct synd_ctrl *c);

/* ---- controller.c --------------------------------------------------------- */

enum synd_state {
	SYND_STARTING,
	SYND_LIVE,
	SYND_RESETTING,		/* queues are quiet, channels may be closed */
	SYND_SUSPENDED,		/* for hibernation: closed, queues are frozen */
	SYND_FAILED,		/* requests fail at once */
	SYND_LEAVING,		/* likewise: the host took the controller away */
};

/**
 * struct synd_ctrl - a controller
 * @hv: its device on the bus
 * @ide: an IDE disk, which is target @ide_target, LUN 0
 * @ide_target: see above
 * @state: enum synd_state; written under @mutex, read without it
 * @leaving: it is being removed: no scan, no reset. Under @mutex
 * @frozen: queues are frozen, not only quiet. Under @mutex
 * @reset_wanted: @reset_work does not only look for lost sub-channels
 * @host_holds: a close was not confirmed: what the host had it may still use
 * @noio: what memalloc_noio_save() returned to who holds @mutex
 * @mutex: see the top of this file
 * @open_mutex: see the top of this file
 * @chans: channels, the primary first
 * @nr_chans: how many are open; grows under @open_mutex
 * @accept: how many channels in all are wanted; under @open_mutex
 * @chan_wait: somebody waits for @nr_chans to grow
 * @nr_queues: hardware queues of each disk, the polled ones last
 * @nr_polled: how many of them are polled
 * @queues: which channel a hardware queue uses
 * @version: STORVSP_VERSION_*
 * @packet_len: bytes of a packet of that version
 * @max_subchannels: that the host offers
 * @max_transfer: bytes of one command; what disks were told stays the least
 * @single: the single command that is waited for, or the next one
 * @single_gen: generation of the last one's id
 * @unanswered: those that were not answered in time, under the primary channel's
 *	rx_lock
 * @nr_unanswered: how many; likewise
 * @answers: to single commands so far
 * @look_until: jiffies: when looking for units is to be short
 * @disks: by number; RCU
 * @disk_list: the same, in the order of their coming. Changed by one work at a
 *	time, under @mutex
 * @wq: for @scan_work; freezable
 * @scan_work: look which units there are, if @look, and do what was planned
 * @look: somebody asked for that
 * @unsure: a unit did not tell what it is
 * @patience: how often to look again for such ones
 * @odd: LUNs that were said to be no disks, by target
 * @reset_work: close and open again, send everything again
 * @later: requests of pollers that an interrupt found done, by synd_cmd.later
 * @later_work: ends them
 * @next_run: disk whose queues are the first to be run when there is room
 * @give_up_work: ends a removal that the host holds up
 * @progress: answers in all when @give_up_work last looked
 * @quarantined: pages that the host may still write, kept for ever
 * @resets: how often it was reset
 * @dentry: debugfs
 */
struct synd_ctrl {
	struct hv_device *hv;
	bool ide;
	u8 ide_target;
	enum synd_state state;
	bool leaving;
	bool frozen;
	bool reset_wanted;
	bool host_holds;
	unsigned int noio;
	struct mutex mutex;
	struct mutex open_mutex;

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

	struct synd_single *single;
	u32 single_gen;
	struct list_head unanswered;
	unsigned int nr_unanswered;
	u64 answers;
	unsigned long look_until;

	struct synd_disk __rcu *disks[SYND_MAX_DISKS];
	struct list_head disk_list;

	struct workqueue_struct *wq;
	struct delayed_work scan_work;
	bool look;
	bool unsure;
	unsigned int patience;
	unsigned long odd[SYND_MAX_TARGETS][BITS_TO_LONGS(SYND_MAX_LUNS)];
	struct work_struct reset_work;
	struct llist_head later;
	struct work_struct later_work;
	unsigned int next_run;
	struct delayed_work give_up_work;
	u64 progress;

	u64 quarantined;
	u64 resets;
	struct dentry *dentry;
};

#define synd_warn(c, fmt, ...)	dev_warn(&(c)->hv->device, fmt, ##__VA_ARGS__)
#define synd_err(c, fmt, ...)	dev_err(&(c)->hv->device, fmt, ##__VA_ARGS__)
#define synd_info(c, fmt, ...)	dev_info(&(c)->hv->device, fmt, ##__VA_ARGS__)

void synd_ctrl_lock(struct synd_ctrl *c);
void synd_ctrl_unlock(struct synd_ctrl *c);
void synd_ctrl_timed_out(struct synd_ctrl *c, unsigned int times);
void synd_ctrl_repair(struct synd_ctrl *c);
u64 synd_ctrl_completed(const struct synd_ctrl *c);
const char *synd_ctrl_state_name(const struct synd_ctrl *c);
int synd_ctrl_register(void);
void synd_ctrl_unregister(void);

/* ---- scan.c --------------------------------------------------------------- */

int synd_scan_first(struct synd_ctrl *c);
void synd_scan_work(struct work_struct *work);
void synd_scan(struct synd_ctrl *c);

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
extern bool synd_mixed;
extern unsigned int synd_timeout_s;
extern unsigned int synd_host_timeout;
extern unsigned int synd_reset_after;

#endif
