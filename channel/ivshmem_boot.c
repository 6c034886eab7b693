// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bootstrap page of the shared-memory transport: the host's properties, commands and
 * their answers. And the heartbeat, which shows whether the host responds.
 */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/random.h>

#include "transport_ivshmem.h"

/* How long a command may take; less where the host is known to be lost */
#define IVSHMEM_COMMAND_MS	5000
#define IVSHMEM_COMMAND_LOST_MS	500

/* So many heartbeats missed in a row, and the host counts as gone */
#define IVSHMEM_BEATS		5

static int ivshmem_status_error(struct ivshmem *iv, u32 status)
{
	struct device *dev = &iv->pdev->dev;

	switch (status) {
	case SYNTHIO_OK:
		return 0;
	case SYNTHIO_ERR_ABI:
		dev_err(dev, "host refuses ABI version %u or its features\n",
			readl(&iv->boot->guest_abi_version));
		return -EPROTO;
	case SYNTHIO_ERR_COMMAND:
		dev_err(dev, "host does not know command %u\n",
			readl(&iv->boot->command));
		return -EPROTO;
	case SYNTHIO_ERR_GPA:
		dev_err(dev, "host finds an address of ours outside of the RAM that it was told of: check its RAM ranges\n");
		return -EFAULT;
	case SYNTHIO_ERR_COOKIE:
		dev_err(dev, "host does not find our cookies at %#llx and %#llx: the RAM ranges that it was told are not this guest's\n",
			(u64)virt_to_phys(iv->cookies[COOKIE_LOW]),
			(u64)virt_to_phys(iv->cookies[COOKIE_HIGH]));
		return -EFAULT;
	case SYNTHIO_ERR_COUNT:
		dev_err(dev, "host does not take %u CPUs on %u vectors\n",
			iv->nr_vps, iv->nr_vectors);
		return -E2BIG;
	default:
		dev_err(dev, "host answers with unknown status %u\n", status);
		return -EPROTO;
	}
}

/*
 * How much longer a command is waited for: as long as a stall may last, if the host is
 * stalled. Its heartbeat has not changed then since it was @beat.
 */
static unsigned int ivshmem_more_ms(struct ivshmem *iv, u32 beat)
{
	if (host_state() == HOST_LOST ||
	    READ_ONCE(iv->control->heartbeat) != beat)
		return 0;
	return host_stall_limit() * MSEC_PER_SEC;
}

/*
 * Gives a command, and waits for its answer for a bounded time. @outlast: longer if the
 * host is stalled, which only shows if it was attached before.
 */
static int ivshmem_command(struct ivshmem *iv, u32 command, bool outlast)
{
	unsigned int ms = host_state() == HOST_LOST ? IVSHMEM_COMMAND_LOST_MS :
						      IVSHMEM_COMMAND_MS;
	u32 beat = READ_ONCE(iv->control->heartbeat);
	unsigned int more = 0;
	unsigned long end;
	u32 seq;

	mutex_lock(&iv->command_lock);
	/*
	 * The count goes on from the host's. If a command, of this kernel or of the
	 * one before it, is not answered yet, its answer must not be taken for the
	 * one to this command.
	 */
	seq = readl(&iv->boot->ack_seq) + 1;
	if (seq == readl(&iv->boot->command_seq))
		seq++;
	writel(command, &iv->boot->command);
	/*
	 * Pairs with the host's read barrier after command_seq: it must not
	 * see the new number with the old command.
	 */
	wmb();
	writel(seq, &iv->boot->command_seq);
	/* The same for the doorbell, which wakes a host that sleeps */
	wmb();
	ivshmem_ring(iv, 0);

	end = jiffies + msecs_to_jiffies(ms);
	while (readl(&iv->boot->ack_seq) != seq) {
		if (time_after(jiffies, end) && outlast && !more) {
			more = ivshmem_more_ms(iv, beat);
			end += msecs_to_jiffies(more);
			ms += more;
		}
		if (time_after(jiffies, end)) {
			mutex_unlock(&iv->command_lock);
			/* said once, however often ATTACH is repeated */
			if (!iv->gone)
				dev_err(&iv->pdev->dev,
					"host does not answer command %u within %u ms\n",
					command, ms);
			return -ETIMEDOUT;
		}
		usleep_range(1000, 2000);
	}
	/* Pairs with the host's write barrier between status and ack_seq */
	rmb();
	seq = readl(&iv->boot->status);
	mutex_unlock(&iv->command_lock);
	return ivshmem_status_error(iv, seq);
}

bool ivshmem_has_magic(struct ivshmem *iv)
{
	return readq(&iv->boot->magic) == SYNTHIO_MAGIC;
}

/* Read the host's half of the bootstrap once, and check it */
static int ivshmem_read_host(struct ivshmem *iv)
{
	resource_size_t bar = pci_resource_start(iv->pdev, IVSHMEM_BAR_SHARED);
	resource_size_t len = pci_resource_len(iv->pdev, IVSHMEM_BAR_SHARED);
	struct device *dev = &iv->pdev->dev;
	u32 abi, peer, vectors, position;
	resource_size_t start;
	u64 offset, size;

	if (!ivshmem_has_magic(iv)) {
		dev_err(dev, "the host's bootstrap page has lost its magic\n");
		return -ENODEV;
	}
	abi = readl(&iv->boot->abi_version);
	peer = readl(&iv->boot->host_peer);
	vectors = readl(&iv->boot->host_vectors);
	offset = readq(&iv->boot->aperture_offset);
	size = readq(&iv->boot->aperture_size);
	position = readl(iv->regs + SYNTHIO_IVSHMEM_IVPOSITION);

	if (!abi) {
		dev_err(dev, "host speaks no ABI version\n");
		return -EPROTO;
	}
	if (position > U16_MAX) {
		dev_err(dev, "no peer id yet: is the host's server running?\n");
		return -ENODEV;
	}
	if (peer > U16_MAX || peer == position) {
		dev_err(dev, "host claims to be peer %u\n", peer);
		return -EPROTO;
	}
	if (!vectors || vectors > SYNTHIO_MAX_HOST_VECTORS) {
		dev_err(dev, "host claims %u doorbell vectors\n", vectors);
		return -EPROTO;
	}
	if (size && (offset < SYNTHIO_PAGE_SIZE || offset > len ||
		     size > len - offset ||
		     (offset | size) & (SYNTHIO_PAGE_SIZE - 1))) {
		dev_err(dev, "aperture %#llx + %#llx does not fit BAR of %pa\n",
			offset, size, &len);
		return -EPROTO;
	}

	start = size ? bar + offset : 1;
	if (iv->t.aperture.child && (iv->t.aperture.start != start ||
				     resource_size(&iv->t.aperture) != size)) {
		dev_err(dev, "aperture moved while parts of it are in use\n");
		return -EPROTO;
	}
	iv->t.aperture.start = start;
	iv->t.aperture.end = start + size - 1;
	iv->host_peer = peer;
	iv->host_vectors = vectors;
	iv->generation = readl(&iv->boot->generation);

	writel(min(abi, SYNTHIO_ABI_VERSION), &iv->boot->guest_abi_version);
	writel(position, &iv->boot->guest_peer);
	writeq(0, &iv->boot->guest_features);
	writeq(bar, &iv->boot->bar_gpa);
	return 0;
}

int ivshmem_attach(struct ivshmem *iv)
{
	struct synthio_bootstrap __iomem *boot = iv->boot;
	unsigned int i;
	int ret;

	ret = ivshmem_read_host(iv);
	if (ret)
		return ret;

	memset(iv->control, 0, SYNTHIO_PAGE_SIZE);
	memset(iv->post, 0, SYNTHIO_PAGE_SIZE);
	memset(iv->signal, 0, SYNTHIO_PAGE_SIZE);
	iv->post_prod = 0;
	iv->broken = false;

	for (i = 0; i < iv->nr_vps; i++) {
		memset(iv->vps[i].message, 0, SYNTHIO_PAGE_SIZE);
		memset(iv->vps[i].event, 0, SYNTHIO_PAGE_SIZE);
		writeq(virt_to_phys(iv->vps[i].message),
		       &boot->vps[i].message_gpa);
		writeq(virt_to_phys(iv->vps[i].event), &boot->vps[i].event_gpa);
	}
	for (i = 0; i < COOKIES; i++) {
		*iv->cookies[i] = get_random_u64();
		writeq(virt_to_phys(iv->cookies[i]), &boot->cookies[i].gpa);
		writeq(*iv->cookies[i], &boot->cookies[i].value);
	}
	writel(COOKIES, &boot->nr_cookies);
	writel(iv->nr_vps, &boot->nr_vps);
	writel(iv->nr_vectors, &boot->nr_vectors);
	writeq(virt_to_phys(iv->control), &boot->control_gpa);
	writeq(virt_to_phys(iv->post), &boot->post_gpa);
	writeq(virt_to_phys(iv->signal), &boot->signal_gpa);

	ret = ivshmem_command(iv, SYNTHIO_CMD_ATTACH, false);
	/* Without an answer the host may attach later: only a refusal excludes it */
	if (ret && ret != -ETIMEDOUT)
		return ret;
	iv->exposed = true;
	if (ret)
		return ret;
	WRITE_ONCE(iv->attached, true);
	return 0;
}

int ivshmem_detach(struct ivshmem *iv, bool outlast)
{
	bool was_attached = iv->attached;
	int ret;

	WRITE_ONCE(iv->attached, false);
	if (!iv->exposed)
		return 0;
	ret = ivshmem_command(iv, SYNTHIO_CMD_DETACH, outlast && was_attached);
	if (!ret) {
		iv->exposed = false;
		connection_released();
	}
	return ret;
}

/* The heartbeat */

/*
 * Only a second after which this work ran in time counts as a missed heartbeat. A guest
 * that was stopped itself, or got no CPU time from its host, runs it late.
 */
static void ivshmem_watch(struct work_struct *work)
{
	struct ivshmem *iv = container_of(to_delayed_work(work), struct ivshmem,
					  watch);
	u32 beat = READ_ONCE(iv->control->heartbeat);
	unsigned long passed = jiffies - iv->watch_last;
	u64 irqs = ivshmem_interrupts(iv);
	u32 generation = readl(&iv->boot->generation);

	if (generation != iv->generation) {
		dev_notice(&iv->pdev->dev,
			   "worker %u of the host has taken over from worker %u\n",
			   generation, iv->generation);
		iv->generation = generation;
	}
	if (beat != iv->watch_beat || irqs != iv->watch_irqs)
		iv->watch_missed = 0;
	else if (passed < 2 * HZ && iv->watch_missed < IVSHMEM_BEATS)
		iv->watch_missed++;

	if (!iv->gone && iv->watch_missed >= IVSHMEM_BEATS) {
		dev_err(&iv->pdev->dev,
			"host does not respond, no heartbeat for %u s\n",
			IVSHMEM_BEATS);
		WRITE_ONCE(iv->gone, true);
		connection_host_stalled(&iv->t, true);
	} else if (iv->gone && !iv->watch_missed) {
		dev_notice(&iv->pdev->dev,
			   "host responds again (worker %u)\n",
			   iv->generation);
		WRITE_ONCE(iv->gone, false);
		connection_host_stalled(&iv->t, false);
	}
	iv->watch_beat = beat;
	iv->watch_irqs = irqs;
	iv->watch_last = jiffies;
	schedule_delayed_work(&iv->watch, HZ);
}

void ivshmem_watch_start(struct ivshmem *iv)
{
	iv->watch_missed = 0;
	iv->watch_last = jiffies;
	iv->watch_beat = READ_ONCE(iv->control->heartbeat);
	iv->watch_irqs = ivshmem_interrupts(iv);
	schedule_delayed_work(&iv->watch, HZ);
}

void ivshmem_watch_stop(struct ivshmem *iv)
{
	cancel_delayed_work_sync(&iv->watch);
}

void ivshmem_watch_init(struct ivshmem *iv)
{
	INIT_DELAYED_WORK(&iv->watch, ivshmem_watch);
}
