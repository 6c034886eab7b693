// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is said on a controller's primary channel besides the requests of disks:
 * the initialisation, and single commands that ask a unit what it is.
 *
 * One of these at a time is waited for, under ctrl->mutex. One that is not
 * answered in time is put aside with its buffer, to which the host may still
 * write, until it is answered after all or the channel is closed. So a unit that
 * is silent keeps nobody from asking the others; how many are put aside, and how
 * long all of a look at a controller may wait, is bounded.
 */
#include <linux/delay.h>
#include <linux/slab.h>

#include "synth_blk.h"
#include "trace.h"

/* How often a single command is tried while its unit has other things to say */
#define TRIES			5
#define TRY_DELAY		20	/* ms between them */
#define BUSY_DELAY		100	/* ms, if it is busy */
/* Commands put aside, in all; more are not sent */
#define MAX_UNANSWERED		64
/* What a unit may take to answer, at least and of a unit that owes an answer */
#define UNIT_WAIT_MIN		3u	/* s */
#define SILENT_WAIT		HZ
/* Packets of versions before 5.1; the initialisation speaks like them too */
#define OLD_VERSIONS_END	STORVSP_VERSION_5_1

/* newest first */
static const u16 versions[] = {
	STORVSP_VERSION_6_2, STORVSP_VERSION_6_0, STORVSP_VERSION_5_1,
	STORVSP_VERSION_4_2,
};

/**
 * synd_proto_fill_srb() - a request but for its CDB
 * @c: controller
 * @pkt: all of it is set
 * @target: SCSI target
 * @lun: LUN
 * @data_in: STORVSP_DATA_*
 * @bytes: of data
 */
void synd_proto_fill_srb(const struct synd_ctrl *c, struct storvsp_packet *pkt,
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
	if (c->version < OLD_VERSIONS_END) {
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
 * synd_proto_mpb() - name a buffer of the kernel to the host
 * @mpb: with room for the pages of it
 * @buffer: contiguous in physical memory
 * @bytes: not 0
 *
 * Return: bytes of @mpb that are used.
 */
u32 synd_proto_mpb(struct vmbus_packet_mpb_array *mpb, const void *buffer,
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
 * synd_proto_judge() - what the answer to a request means
 * @pkt: its first @len bytes are the host's
 * @len: bytes
 * @command: what it was
 *
 * An answer too short to tell anything is an I/O error.
 */
struct sbc_verdict synd_proto_judge(const struct storvsp_packet *pkt, u32 len,
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
 * synd_proto_single_done() - the answer to a single command
 * @ch: where it came
 * @id: as it came
 * @payload: @len bytes
 * @len: may be anything
 *
 * Context: any, rx_lock held.
 */
void synd_proto_single_done(struct synd_chan *ch, u64 id, const void *payload,
			    u32 len)
{
	struct synd_ctrl *c = ch->ctrl;
	struct synd_single *s = c->single;

	/* all of this is under the primary's lock, which we hold then */
	if (!ch->index && s && s->id == id) {
		len = min_t(u32, len, sizeof(s->answer));
		memset(&s->answer, 0, sizeof(s->answer));
		memcpy(&s->answer, payload, len);
		s->answer_len = len;
		s->id = 0;
		complete(&s->done);
		return;
	}
	if (!ch->index) {
		list_for_each_entry(s, &c->unanswered, node) {
			if (s->id != id)
				continue;
			/* freed by whoever asks next: it answers again */
			s->id = 0;
			synd_scan(c);
			return;
		}
	}
	synd_chan_bad(ch, "an answer that nobody waits for", id);
}

static void single_free(struct synd_single *s)
{
	free_page((unsigned long)s->buffer);
	kfree(s);
}

/* Free what was put aside and has been answered */
static void reap(struct synd_ctrl *c)
{
	struct synd_single *s, *next;
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
		single_free(s);
}

/**
 * synd_proto_forget() - no answer to a single command will come any more
 * @c: its channels are closed
 * @safe: the host has confirmed that; else pages are kept that it may still
 *	write
 *
 * Context: process; nobody sends single commands.
 * Return: how many pages are kept.
 */
unsigned int synd_proto_forget(struct synd_ctrl *c, bool safe)
{
	struct synd_single *s, *next;
	unsigned int kept = 0;

	list_for_each_entry_safe(s, next, &c->unanswered, node) {
		if (!safe && s->id) {
			s->buffer = NULL;
			kept++;
		}
		single_free(s);
	}
	INIT_LIST_HEAD(&c->unanswered);
	c->nr_unanswered = 0;
	if (c->single)
		single_free(c->single);
	c->single = NULL;
	return kept;
}

static struct synd_single *single_get(struct synd_ctrl *c)
{
	struct synd_single *s = c->single;

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
	c->single = s;
	spin_unlock_irq(&c->chans[0].rx_lock);
	return s;
}

/*
 * Send a packet and wait for its answer, at most @wait jiffies. @room: bytes of
 * single->buffer, which are zeroed, that the host may write, or 0. Returns 0, or
 * why there is no answer.
 */
static int transact(struct synd_ctrl *c, struct storvsp_packet *pkt, u32 room,
		    unsigned long wait)
{
	union {
		struct vmbus_packet_mpb_array mpb;
		u8 bytes[sizeof(struct vmbus_packet_mpb_array) +
			 sizeof(u64) * (HVPFN_UP(SBC_ANSWER_MAX) + 1)];
	} u = { };
	unsigned long deadline = jiffies + wait;
	struct synd_chan *ch = &c->chans[0];
	struct synd_single *s;
	u32 mpb_len = 0;
	u64 id;
	int ret;

	lockdep_assert_held(&c->mutex);
	if (!ch->open)
		return -ENODEV;
	reap(c);
	if (c->nr_unanswered >= MAX_UNANSWERED)
		return -ETIMEDOUT;
	s = single_get(c);
	if (!s)
		return -ENOMEM;
	if (room) {
		memset(s->buffer, 0, room);
		mpb_len = synd_proto_mpb(&u.mpb, s->buffer, room);
	}

	reinit_completion(&s->done);
	c->single_gen++;
	/* never 0, whatever the generation */
	id = synd_id(c->single_gen, 0, SYND_ID_SINGLE, 1);
	spin_lock_irq(&ch->rx_lock);
	s->id = id;
	s->target = pkt->srb.target_id;
	s->lun = pkt->srb.lun;
	spin_unlock_irq(&ch->rx_lock);

	while (true) {
		ret = synd_chan_send(ch, room ? &u.mpb : NULL, mpb_len, pkt,
				     id);
		/* the ring is full of requests: they will be read */
		if (ret != -EAGAIN || time_after(jiffies, deadline))
			break;
		msleep(20);
	}
	if (ret) {
		spin_lock_irq(&ch->rx_lock);
		s->id = 0;
		spin_unlock_irq(&ch->rx_lock);
		return ret == -EAGAIN ? -ETIMEDOUT : ret;
	}

	while (!wait_for_completion_timeout(&s->done,
					    min_t(unsigned long, wait, HZ / 2))) {
		if (READ_ONCE(ch->vc->rescind)) {
			ret = -ENODEV;
			break;
		}
		if (time_after(jiffies, deadline)) {
			ret = -ETIMEDOUT;
			break;
		}
	}
	if (ret) {
		spin_lock_irq(&ch->rx_lock);
		if (s->id) {
			list_add_tail(&s->node, &c->unanswered);
			c->nr_unanswered++;
			c->single = NULL;
		} else {
			ret = 0;
		}
		spin_unlock_irq(&ch->rx_lock);
	}
	if (!ret)
		c->answers++;
	return ret;
}

/* An operation of the initialisation: @pkt becomes the answer */
static int operation(struct synd_ctrl *c, struct storvsp_packet *pkt, u32 op,
		     u32 need)
{
	static const char * const names[] = {
		[STORVSP_BEGIN_INITIALIZATION] = "begin",
		[STORVSP_END_INITIALIZATION] = "end",
		[STORVSP_QUERY_PROTOCOL_VERSION] = "version",
		[STORVSP_QUERY_PROPERTIES] = "properties",
		[STORVSP_CREATE_SUB_CHANNELS] = "sub-channels",
	};
	const struct storvsp_packet *answer;
	u32 len;
	int ret;

	pkt->operation = op;
	pkt->flags = STORVSP_REQUEST_COMPLETION;
	ret = transact(c, pkt, 0, synd_host_timeout * HZ);
	if (ret) {
		synd_err(c, "initialisation (%s): no answer from the host: %d\n",
			 names[op], ret);
		return ret;
	}
	answer = &c->single->answer;
	len = c->single->answer_len;
	if (answer->operation != STORVSP_COMPLETE_IO ||
	    len < offsetof(struct storvsp_packet, buffer)) {
		synd_err(c, "initialisation (%s): the host's answer is nonsense\n",
			 names[op]);
		return -EPROTO;
	}
	*pkt = *answer;
	if (pkt->status == STORVSP_STATUS_SUCCESS && len < need) {
		synd_err(c, "initialisation (%s): the host's answer is too short\n",
			 names[op]);
		return -EPROTO;
	}
	return 0;
}

static int negotiate_version(struct synd_ctrl *c)
{
	struct storvsp_packet pkt;
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		memset(&pkt, 0, sizeof(pkt));
		pkt.version.major_minor = versions[i];
		ret = operation(c, &pkt, STORVSP_QUERY_PROTOCOL_VERSION, 0);
		if (ret)
			return ret;
		if (pkt.status != STORVSP_STATUS_SUCCESS)
			continue;
		c->version = versions[i];
		c->packet_len = c->version < OLD_VERSIONS_END ?
				STORVSP_PACKET_OLD : sizeof(pkt);
		return 0;
	}
	synd_err(c, "the host speaks no version of storvsp from 4.2 to 6.2\n");
	return -EPROTO;
}

/**
 * synd_proto_initialise() - initialise a controller
 * @c: its primary has just been opened
 *
 * Sets version, packet_len, max_subchannels, max_transfer.
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: 0, -EPROTO for a host that we can't talk to, or as transact().
 */
int synd_proto_initialise(struct synd_ctrl *c)
{
	struct storvsp_packet pkt = { };
	u32 bytes;
	int ret;

	c->packet_len = STORVSP_PACKET_OLD;
	c->version = 0;
	ret = operation(c, &pkt, STORVSP_BEGIN_INITIALIZATION, 0);
	if (!ret && pkt.status)
		ret = -EPROTO;
	if (ret)
		return ret;
	ret = negotiate_version(c);
	if (ret)
		return ret;

	memset(&pkt, 0, sizeof(pkt));
	ret = operation(c, &pkt, STORVSP_QUERY_PROPERTIES,
			offsetofend(struct storvsp_packet,
				    properties.max_transfer_bytes));
	if (!ret && pkt.status)
		ret = -EPROTO;
	if (ret)
		return ret;
	c->max_subchannels = 0;
	if (pkt.properties.flags & STORVSP_MULTI_CHANNEL)
		c->max_subchannels = pkt.properties.max_channel_count;
	bytes = round_down(pkt.properties.max_transfer_bytes,
			   HV_HYP_PAGE_SIZE);
	if (!bytes) {
		synd_err(c, "the host takes %u bytes in a transfer: too few\n",
			 pkt.properties.max_transfer_bytes);
		return -EPROTO;
	}
	c->max_transfer = min(bytes, SYND_MAX_TRANSFER);

	memset(&pkt, 0, sizeof(pkt));
	ret = operation(c, &pkt, STORVSP_END_INITIALIZATION, 0);
	if (!ret && pkt.status)
		ret = -EPROTO;
	return ret;
}

/**
 * synd_proto_create_subchannels() - have the host offer sub-channels
 * @c: an initialised controller
 * @count: at most max_subchannels
 *
 * Context: as synd_proto_initialise().
 * Return: 0; -EPROTO if the host refuses. Offers come later, if at all.
 */
int synd_proto_create_subchannels(struct synd_ctrl *c, u16 count)
{
	struct storvsp_packet pkt = { .sub_channel_count = count };
	int ret;

	ret = operation(c, &pkt, STORVSP_CREATE_SUB_CHANNELS, 0);
	return !ret && pkt.status ? -EPROTO : ret;
}

/**
 * synd_proto_look() - a look at the units of a controller begins
 * @c: an initialised controller
 *
 * What follows may wait for host_timeout seconds in all for units that do not
 * answer, and after that for a second for each.
 *
 * Context: process, ctrl->mutex held.
 */
void synd_proto_look(struct synd_ctrl *c)
{
	c->look_until = jiffies + synd_host_timeout * HZ;
}

/* How long to wait for an answer of a unit, in jiffies */
static unsigned long patience_with(struct synd_ctrl *c, u8 target, u8 lun)
{
	unsigned long most = min(synd_host_timeout,
				 max(synd_host_timeout / 3, UNIT_WAIT_MIN)) * HZ;
	const struct synd_single *s;
	bool owes = false;

	spin_lock_irq(&c->chans[0].rx_lock);
	list_for_each_entry(s, &c->unanswered, node) {
		if (s->id && s->target == target && s->lun == lun)
			owes = true;
	}
	spin_unlock_irq(&c->chans[0].rx_lock);
	if (owes || time_after(jiffies + SILENT_WAIT, c->look_until))
		return SILENT_WAIT;
	return min(most, c->look_until - jiffies);
}

/**
 * struct asker - asks one unit of a controller
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
 * One SCSI command with data from the host: struct sbc_asker says more. A unit
 * that is busy or wants attention is asked again a few times.
 */
static int ask(struct sbc_asker *a, const u8 *cdb, u8 cdb_len, u32 room,
	       struct sbc_verdict *v)
{
	struct asker *asker = container_of(a, struct asker, a);
	struct synd_ctrl *c = asker->c;
	const struct synd_single *s;
	struct storvsp_packet pkt;
	unsigned int try;
	int ret;

	*v = (struct sbc_verdict){ };
	for (try = 0; try < TRIES; try++) {
		synd_proto_fill_srb(c, &pkt, asker->target, asker->lun,
				    STORVSP_DATA_IN, room);
		pkt.srb.cdb_length = cdb_len;
		memcpy(pkt.srb.cdb, cdb, cdb_len);
		ret = transact(c, &pkt, room,
			       patience_with(c, asker->target, asker->lun));
		if (ret)
			return ret;
		s = c->single;
		a->answer = s->buffer;
		*v = synd_proto_judge(&s->answer, s->answer_len, SBC_CMD_KNOWN);
		if (v->outcome == SBC_OK)
			return min(s->answer.srb.data_transfer_length, room);
		/* what it has told here it does not tell again */
		if (v->hints && v->retry)
			synd_scan(c);
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
 * synd_proto_identify() - ask a unit what it is
 * @c: an initialised controller
 * @target: SCSI target
 * @lun: LUN
 * @d: gets the answer, see sbc_identify()
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time:
 *	synd_proto_look().
 * Return: as sbc_identify(): -ETIMEDOUT if the unit does not answer.
 */
int synd_proto_identify(struct synd_ctrl *c, u8 target, u8 lun,
			struct sbc_disk *d)
{
	struct asker asker = { { .ask = ask }, c, target, lun };

	return sbc_identify(&asker.a, c->version, d);
}

/**
 * synd_proto_report_luns() - which units a target has
 * @c: an initialised controller
 * @target: SCSI target
 * @bitmap: 32 bytes: bit N is set for LUN N
 *
 * Context: as synd_proto_identify().
 * Return: 0; -EIO or -EOPNOTSUPP if it does not tell, which may also mean that
 *	there is no such target; -ETIMEDOUT if it does not answer; another error
 *	if nobody can be asked any more.
 */
int synd_proto_report_luns(struct synd_ctrl *c, u8 target, u8 *bitmap)
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
