// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shared-memory transport: an ivshmem-doorbell PCI function of QEMU whose
 * peer speaks VMBus. docs/ivshmem-transport.md is the protocol, and
 * <synthio/ivshmem.h> its formats.
 *
 * What may still use the pages when they are to be freed:
 *
 *   interrupt handlers and their cross-calls look at @live first. It is cleared,
 *   then ivshmem_free_irqs() frees the interrupts, waits for the last cross-call,
 *   and then for a grace period: connection_interrupt() does not run after that.
 *   With PREEMPT_RT that only wakes threads, which are gone from the pages when
 *   connection_detach() has returned.
 *
 *   posts and signals come from the channel, which has none in flight once
 *   connection_detach() has returned. @attached refuses those that a device
 *   still sends after connection_shutdown() or ivshmem_quiesce().
 *
 *   the host writes message, event and control pages until it has answered
 *   DETACH. Without that answer they are never given back.
 */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "transport_ivshmem.h"

#define IVSHMEM_REGS_SIZE	16

static void *ivshmem_message_page(struct transport *t, unsigned int cpu)
{
	struct ivshmem_vp *vp = ivshmem_vp(to_ivshmem(t), cpu);

	return vp ? vp->message : NULL;
}

static void *ivshmem_event_page(struct transport *t, unsigned int cpu)
{
	struct ivshmem_vp *vp = ivshmem_vp(to_ivshmem(t), cpu);

	return vp ? vp->event : NULL;
}

static u32 ivshmem_cpu_to_vp(struct transport *t, unsigned int cpu)
{
	struct ivshmem *iv = to_ivshmem(t);
	struct ivshmem_vp *vp = ivshmem_vp(iv, cpu);

	/* for a CPU that the host can't interrupt, the first VP is interrupted */
	return vp ? vp - iv->vps : 0;
}

static bool ivshmem_cpu_usable(struct transport *t, unsigned int cpu)
{
	return ivshmem_vp(to_ivshmem(t), cpu) && cpu_online(cpu);
}

/* ATTACH: before the first message, and again after hibernation */
static int ivshmem_restart(struct transport *t)
{
	struct ivshmem *iv = to_ivshmem(t);
	int ret;

	if (iv->attached)
		return 0;
	ret = ivshmem_attach(iv);
	if (ret == -ETIMEDOUT) {
		WRITE_ONCE(iv->gone, true);
		connection_host_stalled(t, true);
		return -EAGAIN;
	}
	if (ret)
		return ret;
	WRITE_ONCE(iv->gone, false);
	connection_host_stalled(t, false);
	WRITE_ONCE(iv->live, true);
	/* before the first message, so that a host that stalls now is noticed */
	ivshmem_watch_start(iv);
	return 0;
}

/* If it succeeds the host neither reads nor writes the pages any more */
static int ivshmem_quiesce(struct ivshmem *iv)
{
	int ret;

	ivshmem_watch_stop(iv);
	/* the system's suspend has a limit of its own: it does not wait for long */
	ret = ivshmem_detach(iv, false);
	WRITE_ONCE(iv->live, false);
	return ret;
}

/* The transport's part of debugfs: synth_vmbus/connection */
static void ivshmem_show(struct transport *t, struct seq_file *m)
{
	struct ivshmem *iv = to_ivshmem(t);
	struct ivshmem_stats sum = {};
	unsigned int i;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct ivshmem_stats *s = per_cpu_ptr(iv->stats, cpu);

		sum.signals += s->signals;
		sum.doorbells += s->doorbells;
		sum.posts += s->posts;
		sum.posts_full += s->posts_full;
		sum.forwarded += s->forwarded;
	}
	seq_printf(m, "host           peer %u, vectors %u, worker %u, %s\n",
		   iv->host_peer, iv->host_vectors,
		   readl(&iv->boot->generation),
		   iv->gone ? "silent" : iv->attached ? "attached" : "detached");
	seq_printf(m, "heartbeat      %u, missed %u\n",
		   READ_ONCE(iv->control->heartbeat), iv->watch_missed);
	seq_printf(m, "posts          %llu, refused %llu, taken %u of %u\n",
		   sum.posts, sum.posts_full,
		   READ_ONCE(iv->control->post_cons), iv->post_prod);
	seq_printf(m, "signals        %llu\n", sum.signals);
	seq_printf(m, "doorbells      %llu\n", sum.doorbells);
	seq_printf(m, "end of message %u\n", READ_ONCE(iv->control->eom));
	seq_printf(m, "interrupts     %llu, passed to another CPU %llu\n",
		   ivshmem_interrupts(iv), sum.forwarded);
	for (i = 0; i < iv->host_vectors; i++)
		if (READ_ONCE(iv->control->need_kick[i]))
			seq_printf(m, "host vector %u  wants a doorbell\n", i);
	for (i = 0; i < iv->nr_vps; i++)
		seq_printf(m, "vp %-11u cpu %u, vector %u, irq %d, interrupts %llu%s\n",
			   i, iv->vps[i].cpu, i % iv->nr_vectors,
			   iv->vectors[i % iv->nr_vectors].irq,
			   READ_ONCE(iv->vectors[i % iv->nr_vectors].interrupts),
			   ivshmem_vp_pending(&iv->vps[i]) ? ", pending" : "");
}

static const struct transport_ops ivshmem_ops = {
	.restart	= ivshmem_restart,
	.post_message	= ivshmem_post_message,
	.signal_event	= ivshmem_signal_event,
	.end_of_message	= ivshmem_end_of_message,
	.message_page	= ivshmem_message_page,
	.event_page	= ivshmem_event_page,
	.cpu_to_vp	= ivshmem_cpu_to_vp,
	.cpu_usable	= ivshmem_cpu_usable,
	.show		= ivshmem_show,
};

/* Memory */

static struct ivshmem *ivshmem_alloc(struct pci_dev *pdev)
{
	unsigned int nr = min(num_possible_cpus(), SYNTHIO_MAX_VPS);
	struct ivshmem *iv;
	int cpu;

	iv = kzalloc(struct_size(iv, vps, nr), GFP_KERNEL);
	if (!iv)
		return NULL;
	iv->vp_of_cpu = kcalloc(nr_cpu_ids, sizeof(*iv->vp_of_cpu), GFP_KERNEL);
	iv->stats = alloc_percpu(struct ivshmem_stats);
	if (!iv->vp_of_cpu || !iv->stats) {
		free_percpu(iv->stats);
		kfree(iv->vp_of_cpu);
		kfree(iv);
		return NULL;
	}

	iv->pdev = pdev;
	iv->t.name = "ivshmem";
	iv->t.ops = &ivshmem_ops;
	iv->t.hibernates = true;
	iv->t.dev = &pdev->dev;
	iv->t.aperture.name = "synthio aperture";
	iv->t.aperture.flags = IORESOURCE_MEM;
	mutex_init(&iv->command_lock);
	raw_spin_lock_init(&iv->post_lock);
	ivshmem_watch_init(iv);
	for_each_possible_cpu(cpu) {
		struct ivshmem_vp *vp = &iv->vps[iv->nr_vps];

		iv->vp_of_cpu[cpu] = -1;
		if (iv->nr_vps == nr)
			continue;
		iv->vp_of_cpu[cpu] = iv->nr_vps++;
		vp->iv = iv;
		vp->cpu = cpu;
		ivshmem_vp_init(vp);
	}
	return iv;
}

static void ivshmem_free(struct ivshmem *iv)
{
	free_percpu(iv->stats);
	kfree(iv->vp_of_cpu);
	kfree(iv);
}

/* A whole page, zeroed: the host maps 4096 bytes at its address */
static void *ivshmem_page(int node, gfp_t gfp)
{
	struct page *page = alloc_pages_node(node, gfp | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

static int ivshmem_alloc_pages(struct ivshmem *iv)
{
	int node = dev_to_node(&iv->pdev->dev);
	unsigned int i;

	for (i = 0; i < iv->nr_vps; i++) {
		struct ivshmem_vp *vp = &iv->vps[i];

		vp->message = ivshmem_page(cpu_to_node(vp->cpu), GFP_KERNEL);
		vp->event = ivshmem_page(cpu_to_node(vp->cpu), GFP_KERNEL);
		if (!vp->message || !vp->event)
			return -ENOMEM;
	}
	iv->control = ivshmem_page(node, GFP_KERNEL);
	iv->post = ivshmem_page(node, GFP_KERNEL);
	iv->signal = ivshmem_page(node, GFP_KERNEL);
	/*
	 * RAM may be split around the PCI hole below 4 GiB. The allocator goes
	 * from the highest zone downwards, so that with RAM above 4 GiB one
	 * cookie proves that range, and the other the range below.
	 */
	iv->cookies[COOKIE_LOW] = ivshmem_page(node, GFP_KERNEL | GFP_DMA32);
	iv->cookies[COOKIE_HIGH] = ivshmem_page(node, GFP_KERNEL);
	if (!iv->control || !iv->post || !iv->signal ||
	    !iv->cookies[COOKIE_LOW] || !iv->cookies[COOKIE_HIGH])
		return -ENOMEM;
	return 0;
}

static void ivshmem_free_pages(struct ivshmem *iv)
{
	unsigned int i;

	/* The host only reads these */
	for (i = 0; i < COOKIES; i++)
		free_page((unsigned long)iv->cookies[i]);
	free_page((unsigned long)iv->post);

	if (iv->exposed) {
		dev_crit(&iv->pdev->dev,
			 "host did not let go of our memory: %u pages are lost\n",
			 2 * iv->nr_vps + 2);
		return;
	}
	free_page((unsigned long)iv->signal);
	free_page((unsigned long)iv->control);
	for (i = 0; i < iv->nr_vps; i++) {
		free_page((unsigned long)iv->vps[i].event);
		free_page((unsigned long)iv->vps[i].message);
	}
}

/* The PCI function */

/*
 * The host has this page in its cache. On x86 the processor keeps all views of it
 * coherent. On arm64 an access through a mapping as device memory goes past the
 * caches unless the processor overrides that for guests (FEAT_S2FWB), and neither
 * side would see what the other one writes.
 */
static void __iomem *ivshmem_map_boot(struct pci_dev *pdev)
{
	resource_size_t start = pci_resource_start(pdev, IVSHMEM_BAR_SHARED);

	if (IS_ENABLED(CONFIG_ARM64))
		return ioremap_cache(start, SYNTHIO_PAGE_SIZE);
	return ioremap(start, SYNTHIO_PAGE_SIZE);
}

static int ivshmem_map(struct ivshmem *iv)
{
	struct pci_dev *pdev = iv->pdev;

	if (pci_resource_len(pdev, IVSHMEM_BAR_REGS) < IVSHMEM_REGS_SIZE ||
	    pci_resource_len(pdev, IVSHMEM_BAR_SHARED) < SYNTHIO_PAGE_SIZE ||
	    !(pci_resource_flags(pdev, IVSHMEM_BAR_SHARED) & IORESOURCE_MEM))
		return -ENODEV;

	iv->boot = ivshmem_map_boot(pdev);
	if (!iv->boot)
		return -ENOMEM;
	if (!ivshmem_has_magic(iv)) {
		iounmap(iv->boot);
		return -ENODEV;		/* another use of ivshmem: no message */
	}
	iv->regs = pci_iomap_range(pdev, IVSHMEM_BAR_REGS, 0,
				   IVSHMEM_REGS_SIZE);
	if (!iv->regs) {
		iounmap(iv->boot);
		return -ENOMEM;
	}
	return 0;
}

static void ivshmem_unmap(struct ivshmem *iv)
{
	pci_iounmap(iv->pdev, iv->regs);
	iounmap(iv->boot);
}

/*
 * Only the bootstrap page of BAR 2 is claimed. What is allocated from the aperture is
 * claimed by the driver that allocates it.
 */
static int ivshmem_request_regions(struct ivshmem *iv)
{
	struct pci_dev *pdev = iv->pdev;
	int ret;

	ret = pci_request_region(pdev, IVSHMEM_BAR_REGS, IVSHMEM_DRIVER);
	if (ret)
		return ret;
	if (!request_mem_region(pci_resource_start(pdev, IVSHMEM_BAR_SHARED),
				SYNTHIO_PAGE_SIZE, IVSHMEM_DRIVER)) {
		dev_err(&pdev->dev, "the bootstrap page is in use\n");
		pci_release_region(pdev, IVSHMEM_BAR_REGS);
		return -EBUSY;
	}
	return 0;
}

static void ivshmem_release_regions(struct ivshmem *iv)
{
	release_mem_region(pci_resource_start(iv->pdev, IVSHMEM_BAR_SHARED),
			   SYNTHIO_PAGE_SIZE);
	pci_release_region(iv->pdev, IVSHMEM_BAR_REGS);
}

static int ivshmem_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ivshmem *iv;
	int ret;

	iv = ivshmem_alloc(pdev);
	if (!iv)
		return -ENOMEM;
	ret = pci_enable_device(pdev);
	if (ret)
		goto err_free;
	ret = ivshmem_map(iv);
	if (ret)
		goto err_disable;
	ret = ivshmem_request_regions(iv);
	if (ret)
		goto err_unmap;
	pci_set_master(pdev);
	if (num_possible_cpus() > iv->nr_vps)
		dev_notice(&pdev->dev, "only the first %u CPUs get interrupts of their own\n",
			   iv->nr_vps);
	ret = ivshmem_alloc_pages(iv);
	if (ret)
		goto err_pages;
	ret = ivshmem_request_irqs(iv);
	if (ret)
		goto err_pages;
	ret = ivshmem_publish(iv);
	if (ret) {
		dev_err(&pdev->dev, "only one such device can be used, and one is\n");
		goto err_irqs;
	}
	pci_set_drvdata(pdev, iv);

	ret = connection_attach(&iv->t);
	if (ret) {
		dev_err(&pdev->dev, "no connection to the host: %d\n", ret);
		goto err_detach;
	}
	return 0;

err_detach:
	ivshmem_watch_stop(iv);
	WRITE_ONCE(iv->live, false);
	ivshmem_detach(iv, false);
	ivshmem_unpublish();
err_irqs:
	ivshmem_free_irqs(iv);
err_pages:
	ivshmem_free_pages(iv);
	pci_clear_master(pdev);
	ivshmem_release_regions(iv);
err_unmap:
	ivshmem_unmap(iv);
err_disable:
	pci_disable_device(pdev);
err_free:
	ivshmem_free(iv);
	return ret;
}

static void ivshmem_remove(struct pci_dev *pdev)
{
	struct ivshmem *iv = pci_get_drvdata(pdev);
	bool unloaded;

	unloaded = connection_detach(&iv->t);
	ivshmem_watch_stop(iv);
	WRITE_ONCE(iv->live, false);
	/* DETACH includes what UNLOAD does, which old versions do not have */
	if (ivshmem_detach(iv, true) && !unloaded)
		dev_warn(&pdev->dev, "host did not confirm the unload\n");
	ivshmem_unpublish();
	ivshmem_free_irqs(iv);
	ivshmem_free_pages(iv);
	pci_clear_master(pdev);
	ivshmem_release_regions(iv);
	ivshmem_unmap(iv);
	pci_disable_device(pdev);
	ivshmem_free(iv);
}

/*
 * Reboot and kexec. The next kernel may use the memory of these pages for anything, so
 * the host must have let go of them before.
 */
static void ivshmem_shutdown(struct pci_dev *pdev)
{
	struct ivshmem *iv = pci_get_drvdata(pdev);

	if (!iv)
		return;
	connection_shutdown(&iv->t);
	ivshmem_watch_stop(iv);
	WRITE_ONCE(iv->live, false);
	ivshmem_detach(iv, true);
}

/*
 * Hibernation. The devices on the bus are children of this one: they are suspended
 * before it and resumed after it, in whichever phase of their own, because the noirq
 * phase is entered last and left first. The interrupts are not suspended
 * (IRQF_NO_SUSPEND), so that the host's answers arrive in that phase. Suspend to idle
 * and to RAM leave the connection as it is.
 */
static int ivshmem_resume(struct ivshmem *iv)
{
	int ret = connection_resume(&iv->t);

	if (ret) {
		dev_err(&iv->pdev->dev, "no connection after hibernation: %d\n",
			ret);
		connection_host_lost(&iv->t);
	}
	return ret;
}

static int ivshmem_pm_freeze(struct device *dev)
{
	struct ivshmem *iv = dev_get_drvdata(dev);
	int ret;

	ret = connection_suspend(&iv->t);
	if (ret)
		return ret;
	ret = ivshmem_quiesce(iv);
	/* The core does not thaw a device that fails to freeze */
	if (ret)
		ivshmem_resume(iv);
	return ret;
}

static int ivshmem_pm_thaw(struct device *dev)
{
	return ivshmem_resume(dev_get_drvdata(dev));
}

static const struct dev_pm_ops ivshmem_pm_ops = {
	.freeze_noirq	= pm_sleep_ptr(ivshmem_pm_freeze),
	.thaw_noirq	= pm_sleep_ptr(ivshmem_pm_thaw),
	.poweroff_noirq	= pm_sleep_ptr(ivshmem_pm_freeze),
	.restore_noirq	= pm_sleep_ptr(ivshmem_pm_thaw),
};

static const struct pci_device_id ivshmem_ids[] = {
	{ PCI_DEVICE(SYNTHIO_PCI_VENDOR, SYNTHIO_PCI_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, ivshmem_ids);

static struct pci_driver ivshmem_driver = {
	.name		= IVSHMEM_DRIVER,
	.id_table	= ivshmem_ids,
	.probe		= ivshmem_probe,
	.remove		= ivshmem_remove,
	.shutdown	= ivshmem_shutdown,
	.driver.pm	= &ivshmem_pm_ops,
};

/**
 * transport_ivshmem_init() - look for the device, and attach to it if it is
 *	there
 *
 * Context: process, sleeps; for seconds if the host is slow.
 * Return: 0, also without a device; a negative errno if the driver can't be
 *	registered.
 */
int transport_ivshmem_init(void)
{
	int ret;

	ret = ivshmem_hotplug_init();
	if (ret)
		return ret;
	ret = pci_register_driver(&ivshmem_driver);
	if (ret)
		ivshmem_hotplug_exit();
	return ret;
}

/**
 * transport_ivshmem_exit() - the mirror of transport_ivshmem_init()
 *
 * Context: process, sleeps.
 */
void transport_ivshmem_exit(void)
{
	pci_unregister_driver(&ivshmem_driver);
	ivshmem_hotplug_exit();
}
