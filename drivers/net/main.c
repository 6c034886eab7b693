// SPDX-License-Identifier: GPL-2.0-only
/* synth_net: synthetic network cards. Order of init, exit. */
#include <linux/module.h>

#include "synth_net.h"

unsigned int synn_queues;
module_param_named(queues, synn_queues, uint, 0444);
MODULE_PARM_DESC(queues, "queues that a card begins with, at most one per CPU (default 0: one per CPU up to 8, as far as the host gives channels); ethtool -L changes it");

unsigned int synn_ring_size = 256;
module_param_named(ring_size, synn_ring_size, uint, 0444);
MODULE_PARM_DESC(ring_size, "KiB of the ring to the host and of that from it, of each channel, 32 to 4096 (default 256)");

unsigned int synn_receive_buffer = 8192;
module_param_named(receive_buffer, synn_receive_buffer, uint, 0444);
MODULE_PARM_DESC(receive_buffer, "KiB that a card begins with for packets from the host, 512 to 30720 (default 8192); ethtool -G rx changes it");

unsigned int synn_send_buffer = 2048;
module_param_named(send_buffer, synn_send_buffer, uint, 0444);
MODULE_PARM_DESC(send_buffer, "KiB of each card for copies of packets to the host (copybreak), 128 to 15360 (default 2048)");

unsigned int synn_host_timeout = 10;
module_param_named(host_timeout, synn_host_timeout, uint, 0444);
MODULE_PARM_DESC(host_timeout, "seconds to wait for an answer of the host, 1 to 600 (default 10)");

/* a frame of Ethernet: copying one costs both sides less than naming its pages */
unsigned int synn_copybreak = 1536;
module_param_named(copybreak, synn_copybreak, uint, 0644);
MODULE_PARM_DESC(copybreak, "packets to the host up to this many bytes are copied into the send buffer, several to a ring packet; the pages of larger ones are named to the host (default 1536); a change holds from the next time that a card is opened to the host");

static int __init synn_init(void)
{
	int ret;

	if (synn_ring_size < 32 || synn_ring_size > 4096 ||
	    synn_receive_buffer < 512 || synn_receive_buffer > 30720 ||
	    synn_send_buffer < 128 || synn_send_buffer > 15360 ||
	    !synn_host_timeout || synn_host_timeout > 600) {
		pr_err(SYNN_NAME ": a parameter is out of range, see modinfo\n");
		return -EINVAL;
	}
	ret = synthio_refuse_isolated();
	if (ret)
		return ret;
	synn_debugfs_init();
	ret = synn_card_register();
	if (ret)
		synn_debugfs_exit();
	return ret;
}
module_init(synn_init);

static void __exit synn_exit(void)
{
	synn_card_unregister();
	synn_debugfs_exit();
}
module_exit(synn_exit);

MODULE_DESCRIPTION("Synthetic network cards (netvsp over VMBus)");
MODULE_AUTHOR("synthio");
MODULE_LICENSE("GPL");
