/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The channel of a display: its state, negotiation, and messages both ways. It knows no
 * mode, no plane and nothing else of DRM.
 */
#ifndef SYNTHIO_VIDEO_CHANNEL_H
#define SYNTHIO_VIDEO_CHANNEL_H

#include <linux/completion.h>
#include <linux/hyperv.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "message.h"
#include "state.h"

struct synv_channel;

/**
 * struct synv_channel_ops - what the host reports without being asked
 * @features: c->features has changed. Called in a tasklet, with c->rx_lock held
 */
struct synv_channel_ops {
	void (*features)(struct synv_channel *c);
};

/**
 * struct synv_channel - the channel of a display
 * @hv: its device on the bus
 * @ops: see there
 * @ask_lock: one question to the host at a time; taken before @lock
 * @version: the one that the host has accepted
 *
 * @lock: writes of @state; senders of messages that are not answered
 * @state: changed by set_state() of channel.c, under @lock and @rx_lock
 * @reader: whether the host reads messages; in jiffies
 *
 * @rx_lock: of the following; the innermost lock
 * @asked: type of the message that is waited for, 0 for none
 * @received: the message at hand
 * @answer: the last answer; stays the same as long as @ask_lock is held
 * @features: which messages the host wants
 * @bad: how many messages of the host were dropped as invalid
 *
 * @answered: @answer is there
 */
struct synv_channel {
	struct hv_device *hv;
	const struct synv_channel_ops *ops;
	struct mutex ask_lock;
	u32 version;

	struct mutex lock;
	enum synv_state state;
	struct synv_reader reader;

	spinlock_t rx_lock;
	u32 asked;
	struct synv_message received;
	struct synv_message answer;
	struct synthvid_feature_change features;
	u64 bad;

	struct completion answered;
};

void synv_channel_init(struct synv_channel *c, struct hv_device *hv,
		       const struct synv_channel_ops *ops);
int synv_channel_open(struct synv_channel *c, struct synv_modes *modes);
void synv_channel_close(struct synv_channel *c);
void synv_channel_change_state(struct synv_channel *c, enum synv_state state);
bool synv_channel_may_send(struct synv_channel *c);
int synv_channel_send(struct synv_channel *c, void *message, u32 type, u32 len);
void synv_channel_panic_send(struct synv_channel *c, void *message, u32 type,
			     u32 len);
int synv_channel_wait_read(struct synv_channel *c);
int synv_channel_set_vram(struct synv_channel *c, u64 start);
int synv_channel_ask_modes(struct synv_channel *c, struct synv_modes *modes);

/**
 * synv_channel_in_use() - whether there is a host that has the VRAM
 * @c: the channel
 *
 * Context: any. A caller that needs the answer to stay true keeps removal and suspend
 * away: it is in a commit, or between drm_dev_enter() and drm_dev_exit().
 */
static inline bool synv_channel_in_use(const struct synv_channel *c)
{
	return READ_ONCE(c->state) >= SYNV_READY;
}

#endif
