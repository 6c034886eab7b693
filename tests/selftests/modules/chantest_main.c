// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of the test device (<synthio/testdev.h>) that shell tests drive.
 * It calls nothing but what <linux/hyperv.h> declares, so the same tests run
 * on every VMBus that has such a device.
 *
 * /sys/kernel/debug/synth_chantest/
 *   command	takes one command line, e.g. "echo 1000"; the write fails with
 *		the command's error. "help" lists the commands
 *   result	what the last command had to say
 *   state	the device and its channels
 *
 * One command runs at a time, under chantest_lock. The removal of the device
 * ends waits by setting @gone, takes the lock, and closes what is open.
 *
 * chantest_channel.c receives, chantest_request.c sends; the other files are
 * commands.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/hyperv.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <synthio/testdev.h>

#include "chantest.h"
#include "compat.h"

#define CT_LINE			1024
#define CT_RESULT		8192

unsigned int ct_timeout_ms = 8000;
module_param_named(timeout_ms, ct_timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "How long the host may take to answer, in milliseconds");

DECLARE_WAIT_QUEUE_HEAD(ct_wait);

static DEFINE_MUTEX(chantest_lock);
static struct ct_device *ct_dev;	/* set and cleared under chantest_lock */
static unsigned int ct_probes;	/* how often a device came */
static struct dentry *ct_debugfs;
static char ct_result[CT_RESULT];
static size_t ct_result_len;

__printf(1, 2) void ct_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ct_result_len += vscnprintf(ct_result + ct_result_len,
				    CT_RESULT - ct_result_len, fmt, ap);
	va_end(ap);
}

void ct_forget(void)
{
	ct_result_len = 0;
	ct_result[0] = 0;
}

int ct_number(const struct ct_args *a, int i, u32 missing, u32 *value)
{
	int ret;

	*value = missing;
	if (i >= a->n)
		return 0;
	ret = kstrtou32(a->v[i], 0, value);
	if (ret)
		ct_say("%s is not a number\n", a->v[i]);
	return ret;
}

static const struct ct_command * const ct_tables[] = {
	ct_manage, ct_traffic, ct_memory, ct_hostile,
};

/*
 * wait N [MS]: until a device has come for the Nth time. The lock is not held:
 * the device needs it to come and go
 */
static int cmd_wait(struct ct_args *a)
{
	unsigned int probes;
	unsigned long end;
	u32 want, ms;
	int ret;

	ret = ct_number(a, 1, 1, &want) ?: ct_number(a, 2, ct_timeout_ms, &ms);
	if (ret)
		return ret;
	end = jiffies + msecs_to_jiffies(ms);
	for (;;) {
		mutex_lock(&chantest_lock);
		probes = ct_dev ? ct_probes : 0;
		mutex_unlock(&chantest_lock);
		if (probes >= want)
			return 0;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		if (msleep_interruptible(10))
			return -EINTR;
	}
}

static void cmd_help(void)
{
	const struct ct_command *cmd;
	size_t i;

	ct_say("wait N [MS]: until the device has come N times\n");
	for (i = 0; i < ARRAY_SIZE(ct_tables); i++)
		for (cmd = ct_tables[i]; cmd->name; cmd++)
			ct_say("%s %s\n", cmd->name, cmd->help);
}

static const struct ct_command *ct_find(const char *name)
{
	const struct ct_command *cmd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ct_tables); i++)
		for (cmd = ct_tables[i]; cmd->name; cmd++)
			if (!strcmp(name, cmd->name))
				return cmd;
	return NULL;
}

int ct_run_locked(struct ct_args *a)
{
	const struct ct_command *cmd;

	if (!strcmp(a->v[0], "help")) {
		cmd_help();
		return 0;
	}
	cmd = ct_find(a->v[0]);
	if (!cmd) {
		ct_say("no such command: %s\n", a->v[0]);
		return -EINVAL;
	}
	if (!ct_dev || READ_ONCE(ct_dev->gone)) {
		ct_say("no device\n");
		return -ENODEV;
	}
	if (cmd->opened && !ct_dev->primary) {
		ct_say("not open\n");
		return -ENOTCONN;
	}
	if (cmd->closed && ct_dev->primary) {
		ct_say("open already\n");
		return -EISCONN;
	}
	return cmd->run(ct_dev, a);
}

static int ct_run(char *line)
{
	struct ct_args a = {};
	char *word;
	int ret;

	while ((word = strsep(&line, " \t\n"))) {
		if (!*word)
			continue;
		if (a.n == ARRAY_SIZE(a.v))
			return -E2BIG;
		a.v[a.n++] = word;
	}
	if (!a.n)
		return -EINVAL;
	if (!strcmp(a.v[0], "wait"))
		return cmd_wait(&a);

	mutex_lock(&chantest_lock);
	ct_forget();
	ret = ct_run_locked(&a);
	mutex_unlock(&chantest_lock);
	return ret;
}

static ssize_t ct_command_write(struct file *file, const char __user *buf,
				size_t len, loff_t *pos)
{
	char *line;
	int ret;

	if (len >= CT_LINE)
		return -E2BIG;
	line = memdup_user_nul(buf, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	ret = ct_run(line);
	kfree(line);
	return ret ?: len;
}

static const struct file_operations ct_command_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= ct_command_write,
};

static int ct_result_show(struct seq_file *m, void *unused)
{
	mutex_lock(&chantest_lock);
	seq_puts(m, ct_result);
	mutex_unlock(&chantest_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ct_result);

static int ct_state_show(struct seq_file *m, void *unused)
{
	mutex_lock(&chantest_lock);
	if (ct_dev)
		seq_printf(m, "%s: %s, %u sub-channels\n",
			   dev_name(&ct_dev->hv->device),
			   ct_dev->primary ? "open" : "closed",
			   ct_dev->nr_subs);
	else
		seq_puts(m, "no device\n");
	seq_printf(m, "probes %u\n", ct_probes);
	mutex_unlock(&chantest_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ct_state);

/* The driver */

static int ct_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct ct_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return -ENOMEM;
	dev->hv = hv;
	dev->litter = ct_litter_in(hv->channel);
	mutex_init(&dev->sub_lock);
	hv_set_drvdata(hv, dev);
	mutex_lock(&chantest_lock);
	if (ct_dev) {
		mutex_unlock(&chantest_lock);
		hv_set_drvdata(hv, NULL);
		kfree(dev);
		dev_err(&hv->device, "one test device is enough\n");
		return -EBUSY;
	}
	ct_dev = dev;
	ct_probes++;
	mutex_unlock(&chantest_lock);
	return 0;
}

static compat_remove_t ct_remove(struct hv_device *hv)
{
	struct ct_device *dev = hv_get_drvdata(hv);

	WRITE_ONCE(dev->gone, true);
	/* A command may open and close meanwhile: wake it until it has ended */
	while (!mutex_trylock(&chantest_lock)) {
		wake_up_all(&ct_wait);
		msleep(20);
	}
	ct_dev = NULL;
	ct_close(dev);
	mutex_unlock(&chantest_lock);
	hv_set_drvdata(hv, NULL);
	kfree(dev);
	return COMPAT_REMOVE_DONE;
}

/* Hibernation: what was open is open again afterwards */
static int ct_suspend(struct hv_device *hv)
{
	struct ct_device *dev = hv_get_drvdata(hv);

	mutex_lock(&chantest_lock);
	dev->reopen = dev->primary;
	ct_close(dev);
	mutex_unlock(&chantest_lock);
	return 0;
}

static int ct_resume(struct hv_device *hv)
{
	struct ct_device *dev = hv_get_drvdata(hv);
	int ret = 0;

	mutex_lock(&chantest_lock);
	if (dev->reopen)
		ret = ct_open(dev);
	mutex_unlock(&chantest_lock);
	return ret;
}

static const struct hv_vmbus_device_id ct_ids[] = {
	{ .guid = SYNTHIO_TEST_GUID_INIT },
	{}
};
MODULE_DEVICE_TABLE(vmbus, ct_ids);

static struct hv_driver ct_driver = {
	.name		= "synth_chantest",
	.id_table	= ct_ids,
	.probe		= ct_probe,
	.remove		= ct_remove,
	.suspend	= ct_suspend,
	.resume		= ct_resume,
};

static int __init chantest_init(void)
{
	int ret;

	ret = vmbus_driver_register(&ct_driver);
	if (ret)
		return ret;
	ct_debugfs = debugfs_create_dir("synth_chantest", NULL);
	debugfs_create_file("command", 0200, ct_debugfs, NULL, &ct_command_fops);
	debugfs_create_file("result", 0400, ct_debugfs, NULL, &ct_result_fops);
	debugfs_create_file("state", 0400, ct_debugfs, NULL, &ct_state_fops);
	return 0;
}

static void __exit chantest_exit(void)
{
	debugfs_remove_recursive(ct_debugfs);
	vmbus_driver_unregister(&ct_driver);
}

module_init(chantest_init);
module_exit(chantest_exit);
MODULE_DESCRIPTION("Drives the VMBus test device of synthio's reference host");
MODULE_LICENSE("GPL");
