// SPDX-License-Identifier: GPL-2.0-only
/*
 * SCSI commands of the driver's own, outside of blk-mq, on the primary channel: they
 * ask a unit what it is. storvsp.c sends its packets through here, too.
 *
 * One of them at a time is waited for, under ctrl->mutex. A command that is not
 * answered in time is put aside with its buffer, to which the host may still write,
 * until the host answers after all or has closed the channel; the next command gets
 * another buffer. So a unit that does not answer does not keep others from being
 * asked. The time that a whole scan may wait is bounded. So is the memory: once
 * MAX_UNANSWERED commands are put aside, one more is added in EXTRA_PERIOD at most.
 */
#include <linux/delay.h>
#include <linux/slab.h>

#include <synthio/host_state.h>

#include "synth_blk.h"

/* How often a command is tried while its unit has other things to report */
#define TRIES			5
#define TRY_DELAY		20	/* ms between them */
#define BUSY_DELAY		100	/* ms, if the unit is busy */
#define MAX_UNANSWERED		64
#define EXTRA_PERIOD		(30 * HZ)
/* How long a unit may take to answer: at least, and if it has not answered before */
#define UNIT_WAIT_MIN		3u	/* s */
#define SILENT_WAIT		HZ
#define PROBE_WAIT		(3 * HZ)
#define PAUSE_WAITS		10	/* a pause lasts that many times as long, at most */

/**
 * synd_command_fill_srb() - fill a request in, except for its CDB
 * @c: controller
 * @pkt: all of it is written
 * @target: SCSI target
 * @lun: LUN
 * @data_in: STORVSP_DATA_*
 * @bytes: of data
 */
void synd_command_fill_srb(const struct synd_ctrl *c, struct storvsp_packet *pkt,
			 u8 target, u8 lun, u8 data_in, u32 bytes)
{
	static const u32 direction[] = {
		[STORVSP_DATA_OUT] = STORVSP_SRB_DATA_OUT,
		[STORVSP_DATA_IN] = STORVSP_SRB_DATA_IN,
		[STORVSP_DATA_NONE] = 0,
	};
	struct storvsp_srb *srb = &pkt->srb;

	memset(pkt, 0, sizeof(*pkt));
	pkt->operation = STORVSP_EXECUTE_SRB;
	pkt->flags = STORVSP_REQUEST_COMPLETION;
	srb->target_id = target;
	srb->lun = lun;
	srb->sense_info_length = STORVSP_SENSE_MAX;
	srb->data_in = data_in;
	srb->data_transfer_length = bytes;
	if (c->version < SYND_OLD_VERSIONS_END) {
		srb->length = STORVSP_SRB_OLD;
		return;
	}
	srb->length = sizeof(*srb);
	srb->queue_action = STORVSP_SIMPLE_TAG_REQUEST;
	srb->srb_flags = direction[data_in] | STORVSP_SRB_QUEUE_ACTION_ENABLE |
			 STORVSP_SRB_NO_SYNCH_TRANSFER |
			 STORVSP_SRB_NO_QUEUE_FREEZE;
	srb->time_out_value = 60;
}

/**
 * synd_command_mpb() - describe a buffer of the kernel to the host
 * @mpb: with room for its pages
 * @buffer: contiguous in physical memory
 * @bytes: not 0
 *
 * Return: bytes of @mpb that are used.
 */
u32 synd_command_mpb(struct vmbus_packet_mpb_array *mpb, const void *buffer,
		   u32 bytes)
{
	u64 first = virt_to_phys((void *)buffer);
	u32 offset = offset_in_hvpage(first), i;
	u32 pages = HVPFN_UP(offset + bytes);

	mpb->rangecount = 1;
	mpb->range.len = bytes;
	mpb->range.offset = offset;
	for (i = 0; i < pages; i++)
		mpb->range.pfn_array[i] = HVPFN_DOWN(first) + i;
	return struct_size(mpb, range.pfn_array, pages);
}

/**
 * synd_command_judge() - what the answer to a request means
 * @pkt: its first @len bytes are the host's
 * @len: bytes
 * @command: what kind of command it was
 *
 * An answer that is too short to have a status is an I/O error.
 */
struct sbc_verdict synd_command_judge(const struct storvsp_packet *pkt, u32 len,
				    enum sbc_command command)
{
	const u32 sense = offsetof(struct storvsp_packet, srb.sense_data);
	const struct storvsp_srb *srb = &pkt->srb;
	struct sbc_answer a = { .command = command };

	if (len < sense || pkt->operation != STORVSP_COMPLETE_IO)
		return (struct sbc_verdict){ .outcome = SBC_IO_ERROR };
	a.srb_status = srb->srb_status;
	a.scsi_status = srb->scsi_status;
	a.sense = srb->sense_data;
	a.sense_len = min3((u32)srb->sense_info_length, len - sense,
			   STORVSP_SENSE_MAX);
	return sbc_judge(&a);
}

/**
 * synd_command_done() - the answer to a command of the driver's own has come
 * @ch: channel on which it came
 * @id: as it came
 * @payload: @len bytes
 * @len: may be anything
 *
 * Context: any, rx_lock held.
 */
void synd_command_done(struct synd_chan *ch, u64 id, const void *payload,
		       u32 len)
{
	struct synd_ctrl *c = ch->ctrl;
	struct synd_command *s;

	/* these are protected by the primary's lock, which is held then */
	if (ch->index) {
		synd_chan_bad(ch, "an answer without a command", id);
		return;
	}
	s = c->command;
	/* acquire: see synd_request_completed() */
	if (s && smp_load_acquire(&s->id) == id) {
		len = min_t(u32, len, sizeof(s->answer));
		memset(&s->answer, 0, sizeof(s->answer));
		memcpy(&s->answer, payload, len);
		s->answer_len = len;
		WRITE_ONCE(s->id, 0);
		complete(&s->done);
		return;
	}
	list_for_each_entry(s, &c->unanswered, node) {
		if (s->id != id)
			continue;
		/* the next command frees it. The unit answers again: ask it */
		WRITE_ONCE(s->id, 0);
		synd_note(c, SYND_EVENT_SCAN);
		return;
	}
	synd_chan_bad(ch, "an answer without a command", id);
}

static void command_free(struct synd_command *s)
{
	free_page((unsigned long)s->buffer);
	kfree(s);
}

/* Free commands that were put aside and have been answered since */
static void free_answered(struct synd_ctrl *c)
{
	struct synd_command *s, *next;
	LIST_HEAD(done);

	spin_lock_irq(&c->chans[0].rx_lock);
	list_for_each_entry_safe(s, next, &c->unanswered, node) {
		if (s->id)
			continue;
		list_move(&s->node, &done);
		c->nr_unanswered--;
	}
	spin_unlock_irq(&c->chans[0].rx_lock);
	list_for_each_entry_safe(s, next, &done, node)
		command_free(s);
}

/**
 * synd_command_forget() - no answer to an earlier command will come any more
 * @c: its channels are closed, or were closed since those commands were sent
 * @confirmed: by the host; else pages that it may still write to are quarantined
 *
 * Context: process; no commands are sent.
 * Return: how many pages are kept.
 */
unsigned int synd_command_forget(struct synd_ctrl *c, bool confirmed)
{
	struct synd_command *s, *next;
	unsigned int kept = 0;
	LIST_HEAD(old);

	spin_lock_irq(&c->chans[0].rx_lock);
	list_splice_init(&c->unanswered, &old);
	c->nr_unanswered = 0;
	if (c->command)
		list_add(&c->command->node, &old);
	c->command = NULL;
	spin_unlock_irq(&c->chans[0].rx_lock);
	list_for_each_entry_safe(s, next, &old, node) {
		if (!confirmed && s->id) {
			kept += synd_quarantine_page(c, s->buffer);
			s->buffer = NULL;
		}
		command_free(s);
	}
	return kept;
}

static struct synd_command *command_get(struct synd_ctrl *c)
{
	struct synd_command *s = c->command;

	if (s)
		return s;
	s = kzalloc(sizeof(*s), GFP_KERNEL);
	if (!s)
		return NULL;
	s->buffer = (void *)__get_free_page(GFP_KERNEL);
	if (!s->buffer) {
		kfree(s);
		return NULL;
	}
	init_completion(&s->done);
	spin_lock_irq(&c->chans[0].rx_lock);
	c->command = s;
	spin_unlock_irq(&c->chans[0].rx_lock);
	return s;
}

/* Whether another buffer may be put aside, if it comes to that */
static bool may_send(const struct synd_ctrl *c)
{
	return c->nr_unanswered < MAX_UNANSWERED ||
	       !time_before(jiffies, c->next_extra);
}

/*
 * Until a controller is initialised nothing else can be done with it: a pause of the
 * host is waited out then, within a bound. Otherwise the command is put aside.
 */
static bool outlast_pause(const struct synd_ctrl *c, unsigned long limit)
{
	return (c->state == SYND_CTRL_STARTING ||
		c->state == SYND_CTRL_RESETTING) &&
	       synthio_host_stalled(c->hv) && time_before(jiffies, limit);
}

static int wait_for_answer(struct synd_ctrl *c, struct synd_command *s,
			   unsigned long wait)
{
	unsigned long limit = jiffies + PAUSE_WAITS * wait;
	unsigned long deadline = jiffies + wait;
	struct synd_chan *ch = &c->chans[0];
	int ret = 0;

	while (!wait_for_completion_timeout(&s->done,
					    min_t(unsigned long, wait, HZ / 2))) {
		if (READ_ONCE(ch->vc->rescind)) {
			ret = -ENODEV;
			break;
		}
		if (outlast_pause(c, limit))
			deadline = jiffies + wait;
		if (time_after(jiffies, deadline)) {
			ret = -ETIMEDOUT;
			break;
		}
	}
	if (!ret)
		return 0;
	spin_lock_irq(&ch->rx_lock);
	if (s->id) {
		list_add_tail(&s->node, &c->unanswered);
		c->nr_unanswered++;
		c->next_extra = jiffies + EXTRA_PERIOD;
		c->command = NULL;
	} else {
		ret = 0;
	}
	spin_unlock_irq(&ch->rx_lock);
	return ret;
}

/**
 * synd_command_send() - send a packet and wait for its answer
 * @c: its primary channel is open
 * @pkt: the packet
 * @room: bytes of command->buffer, which are zeroed, that the host may write, or 0
 * @wait: jiffies
 *
 * Context: process, ctrl->mutex held, sleeps for @wait at most, unless the host is
 *	paused during a reset or probe: ten times as long then.
 * Return: 0 with the answer in ctrl->command, -ETIMEDOUT, -ENODEV if the channel was
 *	rescinded or is closed, -ENOMEM, or as synd_chan_send().
 */
int synd_command_send(struct synd_ctrl *c, struct storvsp_packet *pkt, u32 room,
		      unsigned long wait)
{
	union {
		struct vmbus_packet_mpb_array mpb;
		u8 bytes[sizeof(struct vmbus_packet_mpb_array) +
			 sizeof(u64) * (HVPFN_UP(SBC_ANSWER_MAX) + 1)];
	} u = { };
	unsigned long deadline = jiffies + wait;
	struct synd_chan *ch = &c->chans[0];
	struct synd_command *s;
	u32 mpb_len = 0;
	u64 id;
	int ret;

	lockdep_assert_held(&c->mutex);
	if (!ch->open)
		return -ENODEV;
	free_answered(c);
	if (!may_send(c))
		return -ETIMEDOUT;
	s = command_get(c);
	if (!s)
		return -ENOMEM;
	if (room) {
		memset(s->buffer, 0, room);
		mpb_len = synd_command_mpb(&u.mpb, s->buffer, room);
	}
	reinit_completion(&s->done);
	s->target = pkt->srb.target_id;
	s->lun = pkt->srb.lun;
	c->command_gen++;
	/* never 0, whatever the generation */
	id = synd_id(c->command_gen, 0, SYND_ID_COMMAND, 1);

	while (true) {
		ret = synd_chan_send(ch, room ? &u.mpb : NULL, mpb_len, pkt,
				     id, &s->id);
		/* the ring is full of requests, which the host will read */
		if (ret != -EAGAIN || time_after(jiffies, deadline))
			break;
		msleep(20);
	}
	if (ret)
		return ret == -EAGAIN ? -ETIMEDOUT : ret;
	ret = wait_for_answer(c, s, wait);
	if (!ret)
		c->answers++;
	return ret;
}

/**
 * synd_command_scan_begins() - the units of a controller are about to be asked
 * @c: an initialised controller
 *
 * The commands that follow may wait for host_timeout seconds in all for units that
 * do not answer, and after that for a second for each.
 *
 * Context: process, ctrl->mutex held.
 */
void synd_command_scan_begins(struct synd_ctrl *c)
{
	c->scan_deadline = jiffies + synd_host_timeout * HZ;
}

/* How long to wait for an answer of a unit, in jiffies */
static unsigned long answer_wait(struct synd_ctrl *c, u8 target, u8 lun)
{
	unsigned long most = min(synd_host_timeout,
				 max(synd_host_timeout / 3, UNIT_WAIT_MIN)) * HZ;
	const struct synd_command *s;
	bool pending = false;

	spin_lock_irq(&c->chans[0].rx_lock);
	list_for_each_entry(s, &c->unanswered, node) {
		if (s->id && s->target == target && s->lun == lun)
			pending = true;
	}
	spin_unlock_irq(&c->chans[0].rx_lock);
	if (pending || time_after(jiffies + SILENT_WAIT, c->scan_deadline))
		return SILENT_WAIT;
	return min(most, c->scan_deadline - jiffies);
}

/**
 * struct asker - the unit of a controller that commands go to
 * @a: for identify.c
 * @c: an initialised controller
 * @target: SCSI target
 * @lun: LUN
 */
struct asker {
	struct sbc_asker a;
	struct synd_ctrl *c;
	u8 target;
	u8 lun;
};

/*
 * One SCSI command with data from the host, as struct sbc_asker describes it. A unit
 * that is busy or reports a unit attention is asked again a few times.
 */
static int ask(struct sbc_asker *a, const u8 *cdb, u8 cdb_len, u32 room,
	       struct sbc_verdict *v)
{
	struct asker *asker = container_of(a, struct asker, a);
	struct synd_ctrl *c = asker->c;
	const struct synd_command *s;
	struct storvsp_packet pkt;
	unsigned int try;
	int ret;

	*v = (struct sbc_verdict){ };
	for (try = 0; try < TRIES; try++) {
		synd_command_fill_srb(c, &pkt, asker->target, asker->lun,
				    STORVSP_DATA_IN, room);
		pkt.srb.cdb_length = cdb_len;
		memcpy(pkt.srb.cdb, cdb, cdb_len);
		ret = synd_command_send(c, &pkt, room,
					answer_wait(c, asker->target,
						    asker->lun));
		if (ret)
			return ret;
		s = c->command;
		a->answer = s->buffer;
		*v = synd_command_judge(&s->answer, s->answer_len, SBC_CMD_KNOWN);
		if (v->outcome == SBC_OK)
			return min(s->answer.srb.data_transfer_length, room);
		/* a unit attention is reported once */
		if (v->hints && v->retry)
			synd_note(c, SYND_EVENT_SCAN);
		if (v->outcome == SBC_RETRY_LATER)
			msleep(BUSY_DELAY);
		else if (!v->retry)
			break;
		else if (!v->key)
			msleep(TRY_DELAY);
	}
	return v->outcome == SBC_TARGET_ERROR ? -EOPNOTSUPP : -EIO;
}

/**
 * synd_command_identify() - ask a unit what it is
 * @c: an initialised controller
 * @target: SCSI target
 * @lun: LUN
 * @d: gets the answer, see sbc_identify()
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time:
 *	synd_command_scan_begins().
 * Return: as sbc_identify(): -ETIMEDOUT if the unit does not answer.
 */
int synd_command_identify(struct synd_ctrl *c, u8 target, u8 lun,
			struct sbc_disk *d)
{
	struct asker asker = { { .ask = ask }, c, target, lun };

	return sbc_identify(&asker.a, c->version, d);
}

/**
 * synd_command_report_luns() - which units a target has
 * @c: an initialised controller
 * @target: SCSI target
 * @bitmap: 32 bytes: bit N is set for LUN N
 *
 * Context: as synd_command_identify().
 * Return: 0; -EIO or -EOPNOTSUPP if the target does not list its units, which may
 *	also mean that there is no such target; -ETIMEDOUT if it does not answer;
 *	another error if the channel can't be used any more.
 */
int synd_command_report_luns(struct synd_ctrl *c, u8 target, u8 *bitmap)
{
	struct asker asker = { { .ask = ask }, c, target, 0 };
	u8 cdb[SBC_CDB_MAX] = { };
	struct sbc_verdict v;
	const u8 *answer;
	int n, lun;
	u32 i;

	memset(bitmap, 0, 32);
	n = ask(&asker.a, cdb, sbc_report_luns(cdb, SBC_ANSWER_MAX),
		SBC_ANSWER_MAX, &v);
	if (n < 0)
		return n;
	if (n < 8)
		return -EIO;
	answer = asker.a.answer;
	for (i = 0; i < sbc_luns(answer, n); i++) {
		lun = sbc_lun(answer, i);
		if (lun >= 0)
			bitmap[lun / 8] |= 1 << lun % 8;
	}
	return 0;
}

/**
 * synd_command_probe_host() - whether the host answers at all
 * @c: an initialised controller
 *
 * Asks for INQUIRY data of the first unit. Any answer will do.
 *
 * Context: process, ctrl->mutex held, sleeps for a few seconds at most.
 * Return: 0, -ETIMEDOUT, or as synd_command_send().
 */
int synd_command_probe_host(struct synd_ctrl *c)
{
	const struct synd_disk *d =
		list_first_entry_or_null(&c->disk_list, struct synd_disk, node);
	struct storvsp_packet pkt;

	synd_command_fill_srb(c, &pkt, d ? d->target : c->ide_target,
			      d ? d->lun : 0, STORVSP_DATA_IN, SBC_INQUIRY_MIN);
	pkt.srb.cdb_length = sbc_inquiry(pkt.srb.cdb, SBC_INQUIRY_MIN);
	return synd_command_send(c, &pkt, SBC_INQUIRY_MIN, PROBE_WAIT);
}
