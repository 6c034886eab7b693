// SPDX-License-Identifier: GPL-2.0-only
/* synth_net: synthetic network adapters. Parameters; order of init and exit. */
#include <linux/module.h>

#include "synth_net.h"

unsigned int synn_queues;
module_param_named(queues, synn_queues, uint, 0444);
MODULE_PARM_DESC(queues, "initial number of queues of an adapter, at most one per CPU (default 0: one per CPU up to 8, as far as the host offers channels); ethtool -L changes it");

unsigned int synn_ring_size = 256;
module_param_named(ring_size, synn_ring_size, uint, 0444);
MODULE_PARM_DESC(ring_size, "size in KiB of each of the two rings of a channel, 32 to 4096 (default 256)");

unsigned int synn_receive_buffer = 8192;
module_param_named(receive_buffer, synn_receive_buffer, uint, 0444);
MODULE_PARM_DESC(receive_buffer, "initial size in KiB of an adapter's receive buffer, 512 to 30720 (default 8192); ethtool -G rx changes it");

unsigned int synn_send_buffer = 2048;
module_param_named(send_buffer, synn_send_buffer, uint, 0444);
MODULE_PARM_DESC(send_buffer, "size in KiB of an adapter's send buffer, for packets that are copied (copybreak), 128 to 15360 (default 2048)");

unsigned int synn_host_timeout = 10;
module_param_named(host_timeout, synn_host_timeout, uint, 0444);
MODULE_PARM_DESC(host_timeout, "seconds to wait for an answer of the host, 1 to 600 (default 10); time in which the host is known to be paused does not count while an adapter is being opened");

/* a frame of Ethernet: copying it costs both sides less than naming its pages */
unsigned int synn_copybreak = 1536;
module_param_named(copybreak, synn_copybreak, uint, 0644);
MODULE_PARM_DESC(copybreak, "packets to the host of up to this many bytes are copied into the send buffer, several to a ring packet; the pages of larger ones are named to the host (default 1536); a change is used from the next session of an adapter on (ethtool --reset)");

static int __init synn_init(void)
{
	int ret;

	if (synn_ring_size < 32 || synn_ring_size > 4096 ||
	    synn_receive_buffer < 512 || synn_receive_buffer > 30720 ||
	    synn_send_buffer < 128 || synn_send_buffer > 15360 ||
	    !synn_host_timeout || synn_host_timeout > 600) {
		pr_err(SYNN_NAME ": a module parameter is out of range, so the module is not loaded; modinfo names the ranges\n");
		return -EINVAL;
	}
	ret = synthio_refuse_isolated();
	if (ret)
		return ret;
	synn_debugfs_init();
	ret = synn_service_init();
	if (ret)
		goto err_debugfs;
	ret = synn_adapter_register();
	if (ret)
		goto err_service;
	return 0;

err_service:
	synn_service_exit();
err_debugfs:
	synn_debugfs_exit();
	return ret;
}
module_init(synn_init);

static void __exit synn_exit(void)
{
	synn_adapter_unregister();
	synn_service_exit();
	synn_debugfs_exit();
}
module_exit(synn_exit);

MODULE_DESCRIPTION("Synthetic network adapters (netvsp over VMBus)");
MODULE_AUTHOR("synthio");
MODULE_LICENSE("GPL");
