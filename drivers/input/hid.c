// SPDX-License-Identifier: GPL-2.0-only
/*
 * The HID device: the host's report descriptor determines what it is, and hid-generic
 * makes input devices of it. Its group is set, so the HID core does not search the
 * descriptor for one: the host can't choose the HID driver that gets the reports.
 */
#include "mouse.h"

static int synm_ll_parse(struct hid_device *hid)
{
	struct synm *m = hid->driver_data;

	return hid_parse_report(hid, m->info.desc, m->info.desc_len);
}

/*
 * The HID core pads a short report with zeroes, and the pointer would jump. So the length
 * of each report is kept, in memory that the core does not free.
 */
static int synm_ll_start(struct hid_device *hid)
{
	struct hid_report_enum *reports = &hid->report_enum[HID_INPUT_REPORT];
	struct synm *m = hid->driver_data;
	unsigned int i;

	spin_lock_irq(&m->link.rx_lock);
	m->numbered = reports->numbered;
	for (i = 0; i < ARRAY_SIZE(m->lens); i++) {
		struct hid_report *report = reports->report_id_hash[i];

		m->lens[i] = report ? hid_report_len(report) : 0;
	}
	m->hid_started = true;
	spin_unlock_irq(&m->link.rx_lock);
	return 0;
}

static void synm_ll_stop(struct hid_device *hid)
{
	struct synm *m = hid->driver_data;

	spin_lock_irq(&m->link.rx_lock);
	m->hid_started = false;
	spin_unlock_irq(&m->link.rx_lock);
}

static int synm_ll_open(struct hid_device *hid)
{
	return 0;
}

static void synm_ll_close(struct hid_device *hid)
{
}

/* The protocol has no request to the device */
static int synm_ll_raw_request(struct hid_device *hid, unsigned char number,
			       u8 *buf, size_t len, unsigned char type,
			       int request)
{
	return -EOPNOTSUPP;
}

/* not const, since kernels before 6.2 take no pointer to const */
static struct hid_ll_driver synm_ll_driver = {
	.parse		= synm_ll_parse,
	.start		= synm_ll_start,
	.stop		= synm_ll_stop,
	.open		= synm_ll_open,
	.close		= synm_ll_close,
	.raw_request	= synm_ll_raw_request,
};

/**
 * synm_hid_report() - the host has sent a report
 * @m: the mouse
 * @report: its bytes
 * @len: their number
 *
 * Context: softirq, rx_lock is held.
 * Return: false if the device has no such report, or the report is too short.
 */
bool synm_hid_report(struct synm *m, const u8 *report, u32 len)
{
	u32 want;

	/* the HID core takes no reports yet, or no longer; the report may be valid */
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
 * synm_hid_add() - make the HID device that m->info describes
 * @m: the mouse, which has none
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
	hid->group = HID_GROUP_GENERIC;
	hid->vendor = m->info.vendor;
	hid->product = m->info.product;
	hid->version = m->info.version;
	hid->dev.parent = &m->link.hv->device;
	strscpy(hid->name, "Synthetic mouse", sizeof(hid->name));
	snprintf(hid->phys, sizeof(hid->phys), "%s", dev_name(&m->link.hv->device));
	m->hid = hid;
	ret = hid_add_device(hid);
	if (ret) {
		dev_err(&m->link.hv->device, "the HID device can't be added: %d\n", ret);
		m->hid = NULL;
		hid_destroy_device(hid);
	}
	return ret;
}

/**
 * synm_hid_remove() - the mirror of synm_hid_add(); harmless without a HID device
 * @m: the mouse. Reports that arrive meanwhile are dropped
 *
 * Context: process, sleeps.
 */
void synm_hid_remove(struct synm *m)
{
	if (m->hid)
		hid_destroy_device(m->hid);
	m->hid = NULL;
}
