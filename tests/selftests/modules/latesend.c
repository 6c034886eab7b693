// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes a race last. A driver that is told that its ring is full learns it some
 * instructions after the ring has looked; what happens to it meanwhile is hardly
 * ever seen. Here the first function of that name to return -EAGAIN to a process is
 * kept there, with bottom halves off as its caller has them, until "go" is set, or
 * for LIMIT; the transaction id that it was called with is in the log.
 *
 *	insmod synth_latesend.ko function=synth_vmbus_sendpacket argument=3
 *	echo 1 >/sys/module/synth_latesend/parameters/go
 */
#define pr_fmt(fmt) "synth_latesend: " fmt

#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/preempt.h>

#define LIMIT		(10 * HZ)

static char *function = "";
module_param(function, charp, 0400);
MODULE_PARM_DESC(function, "that is kept");
static unsigned int argument;
module_param(argument, uint, 0400);
MODULE_PARM_DESC(argument, "which argument is the id; the first is 0");
static unsigned int kind = 1;
module_param(kind, uint, 0400);
MODULE_PARM_DESC(kind, "top byte of the ids that are meant");
static bool go;
module_param(go, bool, 0600);
MODULE_PARM_DESC(go, "let it return");

struct call {
	u64 id;
};

static unsigned long kept;

static int latesend_entry(struct kretprobe_instance *i, struct pt_regs *regs)
{
	struct call *c = (void *)i->data;

	c->id = regs_get_kernel_argument(regs, argument);
	return 0;
}
NOKPROBE_SYMBOL(latesend_entry);

static int latesend_return(struct kretprobe_instance *i, struct pt_regs *regs)
{
	const struct call *c = (void *)i->data;
	unsigned long end = jiffies + LIMIT;

	/* not in NAPI: that is who is to run meanwhile */
	if ((int)regs_return_value(regs) != -EAGAIN || !in_task() ||
	    c->id >> 56 != kind || test_and_set_bit(0, &kept))
		return 0;
	pr_info("keeps id 0x%llx on cpu %d\n", c->id, raw_smp_processor_id());
	while (!READ_ONCE(go) && time_before(jiffies, end))
		udelay(50);
	pr_info("lets it go, %s\n", READ_ONCE(go) ? "as it was told" : "late");
	return 0;
}
NOKPROBE_SYMBOL(latesend_return);

static struct kretprobe probe = {
	.entry_handler = latesend_entry,
	.handler = latesend_return,
	.data_size = sizeof(struct call),
};

static int __init latesend_init(void)
{
	probe.kp.symbol_name = function;
	return register_kretprobe(&probe);
}

static void __exit latesend_exit(void)
{
	go = true;
	unregister_kretprobe(&probe);
}

module_init(latesend_init);
module_exit(latesend_exit);
MODULE_DESCRIPTION("Keeps a send that finds no room in its ring, for tests");
MODULE_LICENSE("GPL");
