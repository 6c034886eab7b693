// SPDX-License-Identifier: GPL-2.0-only
/*
 * The HID device: the host's report descriptor decides what it is, and the
 * kernel's HID core makes input devices of it.
 */
#include <linux/module.h>

#include "mouse.h"

/*
 * Our devices are in a group that nobody else has, so that our driver is the
 * one that binds, whatever ids the host gives.
 */
#define SYNM_GROUP	0x5359

static int synm_ll_parse(struct hid_device *hid)
{
	struct synm *m = hid->driver_data;

	return hid_parse_report(hid, m->info.desc, m->info.desc_len);
}

/*
 * The core fills up what is missing of a report with zeroes, and the pointer
 * would jump: how long each must be is kept here, where the core cannot take
 * it away meanwhile.
 */
static int synm_ll_start(struct hid_device *hid)
{
	struct hid_report_enum *reports = &hid->report_enum[HID_INPUT_REPORT];
	struct synm *m = hid->driver_data;
	unsigned int i;

	spin_lock_irq(&m->rx_lock);
	m->numbered = reports->numbered;
	for (i = 0; i < ARRAY_SIZE(m->lens); i++) {
		struct hid_report *report = reports->report_id_hash[i];

		m->lens[i] = report ? hid_report_len(report) : 0;
	}
	m->hid_started = true;
	spin_unlock_irq(&m->rx_lock);
	return 0;
}

static void synm_ll_stop(struct hid_device *hid)
{
	struct synm *m = hid->driver_data;

	spin_lock_irq(&m->rx_lock);
	m->hid_started = false;
	spin_unlock_irq(&m->rx_lock);
}

static int synm_ll_open(struct hid_device *hid)
{
	return 0;
}

static void synm_ll_close(struct hid_device *hid)
{
}

/* The protocol has nothing to ask the device with */
static int synm_ll_raw_request(struct hid_device *hid, unsigned char number,
			       u8 *buf, size_t len, unsigned char type,
			       int request)
{
	return -EOPNOTSUPP;
}

/* Without const: kernels before 6.2 want it so */
static struct hid_ll_driver synm_ll_driver = {
	.parse		= synm_ll_parse,
	.start		= synm_ll_start,
	.stop		= synm_ll_stop,
	.open		= synm_ll_open,
	.close		= synm_ll_close,
	.raw_request	= synm_ll_raw_request,
};

static int synm_hid_probe(struct hid_device *hid,
			  const struct hid_device_id *id)
{
	int ret = hid_parse(hid);

	if (ret) {
		hid_err(hid, "the host's report descriptor makes no sense: %d\n",
			ret);
		return ret;
	}
	return hid_hw_start(hid, HID_CONNECT_DEFAULT);
}

static const struct hid_device_id synm_hid_ids[] = {
	{ HID_DEVICE(BUS_VIRTUAL, SYNM_GROUP, HID_ANY_ID, HID_ANY_ID) },
	{ }
};

static struct hid_driver synm_hid_driver = {
	.name		= SYNM_NAME,
	.id_table	= synm_hid_ids,
	.probe		= synm_hid_probe,
};

/**
 * synm_hid_report() - a report came
 * @m: the mouse
 * @report: what it says
 * @len: bytes of it
 *
 * Context: softirq, rx_lock held. Return: false if it is none of the device's.
 */
bool synm_hid_report(struct synm *m, const u8 *report, u32 len)
{
	u32 want;

	/* nobody listens yet, or any more: no fault of the host's */
	if (!m->hid_started)
		return true;
	want = m->lens[m->numbered ? report[0] : 0];
	if (!want || len < want || want > sizeof(m->buf))
		return false;
	memcpy(m->buf, report, want);
	hid_input_report(m->hid, HID_INPUT_REPORT, m->buf, want, 1);
	return true;
}

/**
 * synm_hid_add() - make the HID device of m->info
 * @m: without one
 *
 * Context: process, sleeps. Return: 0 or an error.
 */
int synm_hid_add(struct synm *m)
{
	struct hid_device *hid = hid_allocate_device();
	int ret;

	if (IS_ERR(hid))
		return PTR_ERR(hid);
	hid->ll_driver = &synm_ll_driver;
	hid->driver_data = m;
	hid->bus = BUS_VIRTUAL;
	hid->group = SYNM_GROUP;
	hid->vendor = m->info.vendor;
	hid->product = m->info.product;
	hid->version = m->info.version;
	hid->dev.parent = &m->hv->device;
	strscpy(hid->name, "Synthetic mouse", sizeof(hid->name));
	snprintf(hid->phys, sizeof(hid->phys), "%s", dev_name(&m->hv->device));
	m->hid = hid;
	ret = hid_add_device(hid);
	if (ret) {
		dev_err(&m->hv->device, "no HID device: %d\n", ret);
		m->hid = NULL;
		hid_destroy_device(hid);
	}
	return ret;
}

/**
 * synm_hid_remove() - the mirror; harmless without one
 * @m: the mouse
 *
 * Context: process, sleeps. Reports may come meanwhile, and are dropped.
 */
void synm_hid_remove(struct synm *m)
{
	if (m->hid)
		hid_destroy_device(m->hid);
	m->hid = NULL;
}

int synm_hid_register(void)
{
	return hid_register_driver(&synm_hid_driver);
}

void synm_hid_unregister(void)
{
	hid_unregister_driver(&synm_hid_driver);
}
