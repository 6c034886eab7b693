// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/synth_vmbus/, for finding out why I/O has stopped.
 *
 * "connection" describes the host and the connection to it. "channels" has a block for
 * each channel: its state, how full its rings are, which side has masked interrupts or
 * waits for room, and when each side signalled last.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>

#include "vmbus.h"

static struct dentry *debugfs_dir;

static int connection_show(struct seq_file *s, void *unused)
{
	struct connection *c = &connection;
	struct transport *t;

	mutex_lock(&c->channel_mutex);
	t = READ_ONCE(c->transport);
	seq_printf(s, "transport      %s\n", t ? t->name : "none");
	seq_printf(s, "host state     %s\n", host_state_name(host_state()));
	seq_printf(s, "state          %s\n", connection_state_name());
	seq_printf(s, "version        %u.%u\n", vmbus_proto_version >> 16,
		   vmbus_proto_version & 0xffff);
	seq_printf(s, "connection id  %u\n", c->message_conn_id);
	seq_printf(s, "messages in    %lld\n", atomic64_read(&c->messages_in));
	seq_printf(s, "messages out   %lld\n", atomic64_read(&c->messages_out));
	seq_printf(s, "post retries   %lld\n", atomic64_read(&c->post_retries));
	seq_printf(s, "leaked pages   %lld\n", atomic64_read(&c->leaked_pages));
	if (t && t->ops->show)
		t->ops->show(t, s);
	mutex_unlock(&c->channel_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(connection);

static void show_age(struct seq_file *s, const char *what, u64 then)
{
	if (then)
		seq_printf(s, "  %-14s %llu us ago\n", what,
			   (ktime_get_mono_fast_ns() - then) / NSEC_PER_USEC);
	else
		seq_printf(s, "  %-14s never\n", what);
}

static void show_ring(struct seq_file *s, const char *name,
		      struct hv_ring_buffer_info *rbi)
{
	struct hv_ring_buffer *rb;

	mutex_lock(&rbi->ring_buffer_mutex);
	rb = rbi->ring_buffer;
	if (rb)
		seq_printf(s, "  %-14s %u of %u bytes used, read %u, write %u, mask %u, pending_send_sz %u, features 0x%x\n",
			   name, hv_get_bytes_to_read(rbi), rbi->ring_datasize,
			   READ_ONCE(rb->read_index),
			   READ_ONCE(rb->write_index),
			   READ_ONCE(rb->interrupt_mask),
			   READ_ONCE(rb->pending_send_sz),
			   READ_ONCE(rb->feature_bits.value));
	mutex_unlock(&rbi->ring_buffer_mutex);
}

static void show_channel(struct seq_file *s, struct vmbus_channel *vc)
{
	static const char * const modes[] = {
		[HV_CALL_BATCHED]	= "batched",
		[HV_CALL_DIRECT]	= "direct",
		[HV_CALL_ISR]		= "isr",
	};
	struct channel *ch = to_channel(vc);

	seq_printf(s, "channel %u %pUl sub-channel %u: %s, %s%s%s\n",
		   vc->offermsg.child_relid, &vc->offermsg.offer.if_instance,
		   vc->offermsg.offer.sub_channel_index, channel_state_name(vc),
		   channel_life_name(ch),
		   vc->rescind && ch->life == LIFE_OFFERED ?
		   ", rescind received" : "",
		   ch->ring_lost ? ", ring lost" : "");
	seq_printf(s, "  cpu %u, call mode %s, connection id %u, GPADLs %d\n",
		   vc->target_cpu, modes[vc->callback_mode],
		   vc->offermsg.connection_id, atomic_read(&ch->gpadls));
	show_ring(s, "to host", &vc->outbound);
	show_ring(s, "from host", &vc->inbound);
	seq_printf(s, "  interrupts     %llu\n", vc->interrupts);
	show_age(s, "last interrupt", ch->last_interrupt);
	seq_printf(s, "  signals        %llu (%llu as the ring stopped being empty, %llu as it stopped being full)\n",
		   vc->sig_events, vc->intr_out_empty, vc->intr_in_full);
	show_age(s, "last signal", ch->last_signal);
	seq_printf(s, "  ring full      %llu times, %llu writes\n",
		   vc->out_full_first, vc->out_full_total);
}

static int channels_show(struct seq_file *s, void *unused)
{
	struct vmbus_channel *vc, *sub;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		show_channel(s, vc);
		list_for_each_entry(sub, &vc->sc_list, sc_list)
			show_channel(s, sub);
	}
	mutex_unlock(&connection.channel_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(channels);

/**
 * debugfs_init() - make the debugfs pages; their absence is no error
 *
 * Context: process.
 */
void debugfs_init(void)
{
	debugfs_dir = debugfs_create_dir("synth_vmbus", NULL);
	debugfs_create_file("connection", 0400, debugfs_dir, NULL,
			    &connection_fops);
	debugfs_create_file("channels", 0400, debugfs_dir, NULL,
			    &channels_fops);
}

/**
 * debugfs_exit() - the mirror of debugfs_init()
 *
 * Context: process.
 */
void debugfs_exit(void)
{
	debugfs_remove_recursive(debugfs_dir);
}
