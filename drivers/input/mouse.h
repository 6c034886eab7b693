/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * synth_mouse: a HID device behind the synthetic mouse's protocol. A file calls only files
 * that are below it in this list:
 *
 *	main.c		what the bus calls, and the connection to the host
 *	channel.c	the channel: negotiation, messages
 *	hid.c		the HID device
 *	link.h		the connection: states, waiting for the host
 *	state.h		the states, without any kernel service
 *	message.c	parser of the host's messages
 *
 * The channel's callback runs in a tasklet and takes rx_lock. Everything else runs in
 * process context: probe, remove, suspend and resume are serialised by the bus, and
 * connect_work is cancelled before they go on.
 */
#ifndef SYNTHIO_MOUSE_DRIVER_H
#define SYNTHIO_MOUSE_DRIVER_H

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/hid.h>
#include <linux/hyperv.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <synthio/driver.h>

#include "link.h"
#include "message.h"

#define SYNM_NAME	"synth_mouse"

/**
 * struct synm_info - the host's description of its device
 * @vendor: its id
 * @product: its id
 * @version: of the device
 * @desc_len: bytes of @desc
 * @desc: report descriptor
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
 * @link: the connection with the host
 * @hid: its HID device; NULL before the first connection
 * @info: what @hid was made of
 * @next: the host's description since the channel was opened; this and what follows up
 *	to @buf are under link.rx_lock, too
 * @hid_started: the HID core takes reports
 * @numbered: reports begin with their number
 * @lens: bytes of each report, its number included; 0: there is no such report
 * @buf: the report at hand
 * @connect_work: connects a mouse whose host did not answer, and replaces @hid if the
 *	host has another device after hibernation
 * @host_nb: called when the host stalls or responds
 * @debugfs: the file that shows the state
 */
struct synm {
	struct synth_input_link link;
	struct hid_device *hid;
	struct synm_info info;

	struct synm_info next;
	bool hid_started;
	bool numbered;
	u16 lens[256];
	u8 buf[HID_MAX_BUFFER_SIZE];

	struct delayed_work connect_work;
	struct notifier_block host_nb;
	struct dentry *debugfs;
};

/* channel.c */
int synm_channel_open(struct synm *m);
void synm_channel_close(struct synm *m);

/* hid.c */
int synm_hid_add(struct synm *m);
void synm_hid_remove(struct synm *m);
bool synm_hid_report(struct synm *m, const u8 *report, u32 len);

#endif
