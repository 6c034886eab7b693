// SPDX-License-Identifier: GPL-2.0-only
/* synth_blk: disks on synthetic SCSI and IDE controllers. Parameters, order of init and exit. */
#include <linux/module.h>

#include "synth_blk.h"

unsigned int synd_queues;
module_param_named(queues, synd_queues, uint, 0444);
MODULE_PARM_DESC(queues, "hardware queues with interrupts, at most one per CPU (default 0: one per CPU, as far as the host offers channels)");

unsigned int synd_poll_queues;
module_param_named(poll_queues, synd_poll_queues, uint, 0444);
MODULE_PARM_DESC(poll_queues, "hardware queues without interrupts, for io_uring with hipri (default 0)");

unsigned int synd_queue_depth = 128;
module_param_named(queue_depth, synd_queue_depth, uint, 0444);
MODULE_PARM_DESC(queue_depth, "requests that each hardware queue of each disk may have at the host, 1 to 1024 (default 128)");

unsigned int synd_ring_size = 256;
module_param_named(ring_size, synd_ring_size, uint, 0444);
MODULE_PARM_DESC(ring_size, "KiB of the ring to the host and of that from it, of each channel, 16 to 4096 (default 256)");

bool synd_ignore_non_disks;
module_param_named(ignore_non_disks, synd_ignore_non_disks, bool, 0444);
MODULE_PARM_DESC(ignore_non_disks, "use the disks of a controller that has other devices, too; those have no driver then (default: leave the controller to hv_storvsc)");

static bool mixed;
module_param(mixed, bool, 0444);
MODULE_PARM_DESC(mixed, "old name of ignore_non_disks, for this release");

unsigned int synd_timeout_s = 30;
module_param_named(timeout, synd_timeout_s, uint, 0444);
MODULE_PARM_DESC(timeout, "seconds after which a request that the host does not answer is reported (default 30); /sys/block/synd*/queue/io_timeout changes it for a disk");

unsigned int synd_host_timeout = 30;
module_param_named(host_timeout, synd_host_timeout, uint, 0444);
MODULE_PARM_DESC(host_timeout, "seconds to wait for the host's answer when a controller is set up or asked what it has, and for any answer when it is removed (default 30)");

unsigned int synd_reset_after;
module_param_named(reset_after, synd_reset_after, uint, 0644);
MODULE_PARM_DESC(reset_after, "after this many timeouts of a request close the controller, open it again and send everything again; only for hosts that touch nothing after a close (default 0: never, wait)");

static int __init synd_init(void)
{
	int ret;

	if (!synd_queue_depth || synd_queue_depth > SYND_MAX_DEPTH ||
	    synd_ring_size < 16 || synd_ring_size > 4096 || !synd_timeout_s ||
	    synd_timeout_s > 3600 || !synd_host_timeout ||
	    synd_host_timeout > 3600) {
		pr_err(SYND_NAME ": a parameter is out of range, see modinfo\n");
		return -EINVAL;
	}
	if (mixed) {
		pr_warn(SYND_NAME ": the parameter mixed is now ignore_non_disks; the next release does not have the old name\n");
		synd_ignore_non_disks = true;
	}
	ret = synthio_refuse_isolated();
	if (ret)
		return ret;
	ret = synd_request_init();
	if (ret)
		return ret;
	synd_debugfs_init();
	ret = synd_ctrl_register();
	if (ret) {
		synd_debugfs_exit();
		synd_request_exit();
	}
	return ret;
}
module_init(synd_init);

static void __exit synd_exit(void)
{
	synd_ctrl_unregister();
	synd_debugfs_exit();
	synd_quarantine_exit();
	synd_request_exit();
}
module_exit(synd_exit);

MODULE_DESCRIPTION("Disks on synthetic SCSI and IDE controllers (storvsp over VMBus)");
MODULE_AUTHOR("synthio");
MODULE_LICENSE("GPL");
