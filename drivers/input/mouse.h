/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * synth_mouse: a HID device behind the synthetic mouse's protocol.
 *
 *	main.c		what the bus calls: probe, remove, hibernation
 *	channel.c	the channel: negotiation, messages
 *	hid.c		the HID device
 *	message.c	what messages mean
 *
 * The channel's callback runs in a tasklet, with rx_lock held; all else in
 * process context, which the bus serialises.
 */
#ifndef SYNTHIO_MOUSE_DRIVER_H
#define SYNTHIO_MOUSE_DRIVER_H

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/hid.h>
#include <linux/hyperv.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <synthio/driver.h>

#include "message.h"

#define SYNM_NAME	"synth_mouse"

/**
 * enum synm_state - how far the channel is
 * @SYNM_CLOSED: what comes is not looked at
 * @SYNM_ASKED: the host is to say whether the version suits it
 * @SYNM_AGREED: it is to say what the device is
 * @SYNM_LIVE: it sends reports
 */
enum synm_state {
	SYNM_CLOSED,
	SYNM_ASKED,
	SYNM_AGREED,
	SYNM_LIVE,
};

/**
 * struct synm_info - what the host says of its device
 * @desc: report descriptor, @desc_len bytes
 */
struct synm_info {
	u16 vendor;
	u16 product;
	u16 version;
	u32 desc_len;
	u8 desc[SYNM_MAX_DESCRIPTOR];
};

/**
 * struct synm - a mouse
 * @info: what the HID device was made of
 * @rx_lock: of what follows up to @buf
 * @state: see there
 * @approved: what the host has answered
 * @next: what the host says now
 * @hid_started: reports are taken
 * @numbered: reports begin with their number
 * @lens: bytes of each report, its number included; 0: there is none
 * @bad: messages that were no use
 * @buf: the report at hand
 * @answered: the host has gone a step further
 * @renew_work: the device is another one after hibernation
 */
struct synm {
	struct hv_device *hv;
	struct hid_device *hid;
	struct synm_info info;

	spinlock_t rx_lock;
	enum synm_state state;
	bool approved;
	struct synm_info next;
	bool hid_started;
	bool numbered;
	u16 lens[256];
	u64 bad;
	u8 buf[HID_MAX_BUFFER_SIZE];

	struct completion answered;
	struct work_struct renew_work;
};

/* channel.c */
int synm_channel_open(struct synm *m);
void synm_channel_close(struct synm *m);

/* hid.c */
int synm_hid_register(void);
void synm_hid_unregister(void);
int synm_hid_add(struct synm *m);
void synm_hid_remove(struct synm *m);
bool synm_hid_report(struct synm *m, const u8 *report, u32 len);

#endif
