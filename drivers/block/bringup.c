// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens all channels of a controller, and gives them to hardware queues.
 */
#include <linux/bitmap.h>
#include <linux/cpumask.h>

#include "synth_blk.h"

#define SUB_CHANNEL_WAIT	(5 * HZ)

/* Open as many sub-channels as the driver has use for and the host offers */
static void open_subchannels(struct synd_ctrl *c)
{
	unsigned int cpus = min(synd_queues ?: num_present_cpus(),
				num_present_cpus());
	unsigned int want = min(cpus + synd_poll_queues,
				(unsigned int)SYND_MAX_CHANNELS);

	/* after the first time there are hardware queues, and they stay */
	if (c->nr_queues)
		want = c->nr_queues;
	want = min(want, c->max_subchannels + 1u);
	if (want < 2)
		return;
	synd_chan_accept(c, want);
	if (!synd_storvsp_create_subchannels(c, want - 1) &&
	    !wait_event_timeout(c->chan_wait,
				READ_ONCE(c->nr_chans) >= want ||
				READ_ONCE(c->hv->channel->rescind),
				SUB_CHANNEL_WAIT))
		synd_warn(c, "the host gave %u of %u sub-channels: queues share channels\n",
			  READ_ONCE(c->nr_chans) - 1, want - 1);
	synd_chan_accept(c, 0);
}

/* Of the channels without a queue that with the lowest CPU from @cpu on, or NULL */
static struct synd_chan *next_channel(struct synd_ctrl *c,
				      const unsigned long *taken,
				      unsigned int cpu)
{
	struct synd_chan *ch, *best = NULL;
	unsigned int i;

	for (i = 0; i < c->nr_chans; i++) {
		ch = &c->chans[i];
		if (!test_bit(i, taken) && ch->cpu >= cpu &&
		    (!best || ch->cpu < best->cpu))
			best = ch;
	}
	return best;
}

/*
 * Choose the channel of each hardware queue. Sub-channels come in any order, and with
 * polled queues a CPU has two of them. The queues with interrupts get channels of
 * different CPUs, as far as there are such, and after a reset those of the same CPUs
 * as before. The first is the primary, which carries the driver's own commands and
 * is therefore never polled.
 */
static void lay_out_queues(struct synd_ctrl *c)
{
	DECLARE_BITMAP(taken, SYND_MAX_CHANNELS) = { };
	unsigned int n = READ_ONCE(c->nr_chans), interrupting, q = 0, cpu = 0;
	struct synd_chan *ch = &c->chans[0];

	if (!c->nr_queues) {
		c->nr_queues = n;
		c->nr_polled = min(synd_poll_queues, n - 1);
	}
	interrupting = c->nr_queues - c->nr_polled;

	do {
		c->queues[q++] = ch;
		set_bit(ch->index, taken);
		ch = next_channel(c, taken, cpu);
		if (ch && ch->cpu == c->chans[0].cpu)
			ch = next_channel(c, taken, ch->cpu + 1);
		if (ch)
			cpu = ch->cpu + 1;
	} while (ch && q < interrupting);

	while (q < c->nr_queues) {
		ch = next_channel(c, taken, 0) ?: &c->chans[0];
		if (q >= interrupting && ch->index)
			synd_chan_set_polled(ch);
		c->queues[q++] = ch;
		set_bit(ch->index, taken);
	}
}

/**
 * synd_bring_up() - open the channels of a controller and initialise it
 * @c: its channels are closed
 *
 * Once the primary is open, the host has closed what was open before, even if it did
 * not confirm that when it was asked to: nothing of earlier requests is used any
 * more, and they are sent again when queues run.
 *
 * Context: process, ctrl->mutex held, queues quiesced or frozen, sleeps for a bounded
 * time.
 * Return: 0; -EPROTO if the host can't be used; another error if it did not answer.
 *	On failure all channels are closed, if that was confirmed: ctrl->unconfirmed.
 */
int synd_bring_up(struct synd_ctrl *c)
{
	struct synd_disk *d;
	int ret;

	ret = synd_chan_open_primary(c);
	if (ret)
		return ret;
	synd_command_forget(c, true);
	synd_quarantine_release(c);
	list_for_each_entry(d, &c->disk_list, node)
		synd_disk_requeue(d, NULL);
	ret = synd_storvsp_initialise(c);
	if (ret) {
		synd_chan_close_all(c);
		return ret;
	}
	open_subchannels(c);
	lay_out_queues(c);
	return 0;
}
