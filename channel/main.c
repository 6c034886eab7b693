// SPDX-License-Identifier: GPL-2.0-only
/* Order of init and exit. */
#include <linux/module.h>

#include "vmbus.h"

static int __init channel_init(void)
{
	int ret;

	ret = connection_alloc();
	if (ret)
		return ret;
	ret = bus_init();
	if (ret)
		goto err_connection;
	debugfs_init();
	ret = transport_ivshmem_init();
	if (ret)
		goto err_bus;
	return 0;

err_bus:
	debugfs_exit();
	bus_exit();
err_connection:
	connection_free();
	return ret;
}

static void __exit channel_exit(void)
{
	transport_ivshmem_exit();
	debugfs_exit();
	bus_exit();
	connection_free();
}

module_init(channel_init);
module_exit(channel_exit);

MODULE_DESCRIPTION("VMBus channel over shared memory");
MODULE_LICENSE("GPL");
