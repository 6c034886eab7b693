// SPDX-License-Identifier: GPL-2.0-only
/* Order of init and exit. */
#include <linux/module.h>

#include <synthio/confidential.h>

#include "vmbus.h"

static int __init channel_init(void)
{
	int ret;

	ret = synthio_refuse_isolated();
	if (ret)
		return ret;
	ret = connection_alloc();
	if (ret)
		return ret;
	ret = interrupt_init();
	if (ret)
		goto err_connection;
	ret = bus_init();
	if (ret)
		goto err_interrupt;
	ret = unload_init();
	if (ret)
		goto err_bus;
	debugfs_init();
	ret = transport_ivshmem_init();
	if (ret)
		goto err_unload;
	/* second, so that a shared-memory device wins where there are both */
	ret = transport_hyperv_init();
	if (ret)
		goto err_ivshmem;
	return 0;

err_ivshmem:
	transport_ivshmem_exit();
err_unload:
	debugfs_exit();
	unload_exit();
err_bus:
	bus_exit();
err_interrupt:
	interrupt_exit();
err_connection:
	connection_free();
	host_state_exit();
	return ret;
}

static void __exit channel_exit(void)
{
	transport_hyperv_exit();
	transport_ivshmem_exit();
	debugfs_exit();
	unload_exit();
	bus_exit();
	interrupt_exit();
	connection_free();
	host_state_exit();
}

module_init(channel_init);
module_exit(channel_exit);

MODULE_DESCRIPTION("VMBus channel over shared memory or Hyper-V's SynIC");
MODULE_LICENSE("GPL");
