// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the kernel say, as long as it is loaded, that the host can't read this
 * guest's memory.
 */
#include <linux/kprobes.h>
#include <linux/module.h>

static int isolated_return(struct kretprobe_instance *i, struct pt_regs *regs)
{
	regs_set_return_value(regs, 1);
	return 0;
}

static struct kretprobe isolated_probe = {
	.kp.symbol_name	= "hv_is_isolation_supported",
	.handler	= isolated_return,
};

static int __init isolated_init(void)
{
	return register_kretprobe(&isolated_probe);
}
module_init(isolated_init);

static void __exit isolated_exit(void)
{
	unregister_kretprobe(&isolated_probe);
}
module_exit(isolated_exit);

MODULE_DESCRIPTION("A guest that seems to be isolated from its host");
MODULE_LICENSE("GPL");
