// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/synth_blk/ID/: "channels" has the state of controller and host,
 * and how well completions are batched; "disks" their states and counters;
 * "in_flight" the requests that the host has, the first place to look when I/O hangs.
 *
 * No reader takes ctrl->mutex, which may be held for as long as the host is waited
 * for: channels are looked at under their rx_lock, disks under RCU.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "synth_blk.h"

static struct dentry *root;

static int channels_show(struct seq_file *s, void *unused)
{
	struct synd_ctrl *c = s->private;
	unsigned int i, n = READ_ONCE(c->nr_chans);

	seq_printf(s, "state %s, storvsp %u.%u, transfers of %u bytes, %u resets, %u pages quarantined, host %s, %u commands unanswered\n",
		   synd_ctrl_state_names[READ_ONCE(c->state)], c->version >> 8,
		   c->version & 0xff, c->max_transfer, (unsigned int)c->resets,
		   synd_quarantined(c),
		   synd_host_state_names[synd_pause_state(c)],
		   READ_ONCE(c->nr_unanswered));
	for (i = 0; i < n; i++) {
		struct synd_chan *ch = &c->chans[i];

		spin_lock_irq(&ch->rx_lock);
		if (ch->open)
			seq_printf(s, "channel %u%s: cpu %u, sent %llu, signals %llu, no room %llu, interrupts %llu, completions %llu (polled %llu), looks %llu, most in one %llu, bad packets %llu\n",
				   i, ch->polled ? " (polled)" : "",
				   ch->vc->target_cpu, ch->sent,
				   ch->vc->sig_events, ch->full,
				   ch->interrupts, ch->completions,
				   ch->polled_completions, ch->reads,
				   ch->largest, ch->bad);
		spin_unlock_irq(&ch->rx_lock);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(channels);

static void show_disk(struct seq_file *s, struct synd_disk *d)
{
	const struct gendisk *gd = READ_ONCE(d->gd);

	seq_printf(s, "%s: target %u LUN %u, %s, in flight %u, retries %lld, timeouts %lld, errors %lld, unit attentions %lld, wwid %s, serial %s\n",
		   gd ? gd->disk_name : "(none yet)", d->target, d->lun,
		   synd_disk_state_names[READ_ONCE(d->state)],
		   synd_disk_in_flight(d), atomic64_read(&d->retries),
		   atomic64_read(&d->timeouts), atomic64_read(&d->errors),
		   atomic64_read(&d->attentions), d->id.wwid, d->id.serial);
}

/* Under the lock that a completion needs, so that the request stays */
static void show_queue(struct seq_file *s, struct synd_disk *d, unsigned int i)
{
	struct synd_chan *ch = READ_ONCE(d->ctrl->queues[i]);
	unsigned int tag;

	spin_lock_irq(&ch->rx_lock);
	for (tag = 0; tag < synd_queue_depth; tag++) {
		struct synd_slot *slot = &d->hctx[i].slots[tag];
		struct synd_cmd *cmd;
		struct request *rq;

		/* acquire: see synd_request_completed() */
		if (!smp_load_acquire(&slot->id))
			continue;
		rq = slot->rq;
		cmd = blk_mq_rq_to_pdu(rq);
		seq_printf(s, "%s queue %u tag %u: op %u, sector %llu, %u bytes, id 0x%llx, for %u ms, timeouts %u, retries %u\n",
			   d->gd->disk_name, i, tag, (__force u32)req_op(rq),
			   (u64)blk_rq_pos(rq), blk_rq_bytes(rq), slot->id,
			   jiffies_to_msecs(jiffies - slot->since),
			   cmd->timeouts, cmd->retries);
	}
	spin_unlock_irq(&ch->rx_lock);
}

static void show_in_flight(struct seq_file *s, struct synd_disk *d)
{
	unsigned int i;

	for (i = 0; i < d->ctrl->nr_queues; i++)
		show_queue(s, d, i);
}

static void show_all(struct seq_file *s,
		     void (*show)(struct seq_file *s, struct synd_disk *d))
{
	struct synd_ctrl *c = s->private;
	struct synd_disk *d;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < SYND_MAX_DISKS; i++) {
		d = rcu_dereference(c->disks[i]);
		if (d)
			show(s, d);
	}
	rcu_read_unlock();
}

static int disks_show(struct seq_file *s, void *unused)
{
	show_all(s, show_disk);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(disks);

static int in_flight_show(struct seq_file *s, void *unused)
{
	show_all(s, show_in_flight);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(in_flight);

/**
 * synd_debugfs_add() - a directory for a controller
 * @c: controller
 *
 * Context: process.
 */
void synd_debugfs_add(struct synd_ctrl *c)
{
	c->dentry = debugfs_create_dir(dev_name(&c->hv->device), root);
	debugfs_create_file("channels", 0400, c->dentry, c, &channels_fops);
	debugfs_create_file("disks", 0400, c->dentry, c, &disks_fops);
	debugfs_create_file("in_flight", 0400, c->dentry, c, &in_flight_fops);
}

/**
 * synd_debugfs_remove() - the mirror of synd_debugfs_add()
 * @c: controller
 *
 * Context: process; waits for readers.
 */
void synd_debugfs_remove(struct synd_ctrl *c)
{
	debugfs_remove_recursive(c->dentry);
}

/**
 * synd_debugfs_init() - the directory of all controllers
 */
void synd_debugfs_init(void)
{
	root = debugfs_create_dir(SYND_NAME, NULL);
}

/**
 * synd_debugfs_exit() - the mirror of synd_debugfs_init()
 */
void synd_debugfs_exit(void)
{
	debugfs_remove_recursive(root);
}
