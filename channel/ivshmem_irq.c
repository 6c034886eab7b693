// SPDX-License-Identifier: GPL-2.0-only
/*
 * The shared-memory transport from the host: MSI-X vectors, the CPUs that they
 * are for, and cross-calls where there are fewer vectors than CPUs.
 */
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/interrupt.h>
#include <linux/kernel.h>
#include <linux/rcupdate.h>

#include "transport_ivshmem.h"

/* TLFS: a message slot, and one SINT's set of event flags */
#define IVSHMEM_SLOT_SIZE	256
#define IVSHMEM_FLAG_WORDS	(256 / sizeof(unsigned long))

static DEFINE_MUTEX(ivshmem_instance_lock);
static struct ivshmem *ivshmem_instance;
static int ivshmem_cpuhp_state;

bool ivshmem_vp_pending(const struct ivshmem_vp *vp)
{
	const u32 *type = vp->message + TRANSPORT_SINT * IVSHMEM_SLOT_SIZE;
	const unsigned long *flags = vp->event + TRANSPORT_SINT * 256;
	unsigned int i;

	if (READ_ONCE(*type))
		return true;
	for (i = 0; i < IVSHMEM_FLAG_WORDS; i++)
		if (READ_ONCE(flags[i]))
			return true;
	return false;
}

/*
 * Serialises the calls for a VP. Only its own CPU makes them normally, but while that
 * goes offline or comes online, the vector's CPU may make one at the same time.
 */
static void ivshmem_vp_interrupt(struct ivshmem_vp *vp)
{
	int turns;

	if (atomic_fetch_inc(&vp->turns))
		return;		/* the CPU that runs the loop below does one more turn */
	do {
		turns = atomic_read(&vp->turns);
		connection_interrupt(&vp->iv->t, vp->cpu);
	} while (atomic_sub_return(turns, &vp->turns));
}

static void ivshmem_vp_called(void *data)
{
	struct ivshmem_vp *vp = data;

	/*
	 * Fully ordered, as is the exchange in ivshmem_vp_forward(). If that finds
	 * the call queued already, what it had seen pending is found below.
	 */
	atomic_xchg(&vp->called, 0);
	if (READ_ONCE(vp->iv->live))
		ivshmem_vp_interrupt(vp);
}

static void ivshmem_vp_forward(struct ivshmem_vp *vp)
{
	if (!ivshmem_vp_pending(vp) || atomic_xchg(&vp->called, 1))
		return;
	this_cpu_inc(vp->iv->stats->forwarded);
	if (!smp_call_function_single_async(vp->cpu, &vp->csd))
		return;
	/* It went offline just now */
	atomic_set(&vp->called, 0);
	ivshmem_vp_interrupt(vp);
}

/* PREEMPT_RT: there is a thread for each VP, on its CPU */
static void ivshmem_vp_wake(struct ivshmem_vp *vp)
{
	if (ivshmem_vp_pending(vp))
		connection_interrupt(&vp->iv->t, vp->cpu);
}

static irqreturn_t ivshmem_interrupt(int irq, void *data)
{
	struct ivshmem_vector *vector = data;
	struct ivshmem *iv = vector->iv;
	unsigned int cpu = smp_processor_id();
	struct ivshmem_vp *vp;
	unsigned int v;

	vector->interrupts++;
	if (!READ_ONCE(iv->live))
		return IRQ_HANDLED;
	for (v = vector->index; v < iv->nr_vps; v += iv->nr_vectors) {
		vp = &iv->vps[v];
		if (IS_ENABLED(CONFIG_PREEMPT_RT))
			ivshmem_vp_wake(vp);
		else if (vp->cpu != cpu && cpu_online(vp->cpu))
			ivshmem_vp_forward(vp);
		else
			ivshmem_vp_interrupt(vp);
	}
	return IRQ_HANDLED;
}

/* Gives a CPU that comes online its vector back, which the kernel has moved away */
static int ivshmem_cpu_online(unsigned int cpu)
{
	struct ivshmem *iv;
	unsigned int i;

	mutex_lock(&ivshmem_instance_lock);
	iv = ivshmem_instance;
	for (i = 0; iv && i < iv->nr_vectors; i++)
		if (iv->vps[i].cpu == cpu && iv->vectors[i].irq)
			irq_set_affinity_and_hint(iv->vectors[i].irq,
						  cpumask_of(cpu));
	mutex_unlock(&ivshmem_instance_lock);
	return 0;
}

void ivshmem_free_irqs(struct ivshmem *iv)
{
	unsigned int i, v;

	for (i = 0; i < iv->nr_vectors; i++) {
		if (!iv->vectors[i].irq)
			continue;
		irq_update_affinity_hint(iv->vectors[i].irq, NULL);
		free_irq(iv->vectors[i].irq, &iv->vectors[i]);
		iv->vectors[i].irq = 0;
	}
	pci_free_irq_vectors(iv->pdev);

	/* Cross-calls that were sent begin to run soon, and run unpreempted */
	for (v = 0; v < iv->nr_vps; v++)
		while (atomic_read(&iv->vps[v].called))
			cpu_relax();
	synchronize_rcu();
}

int ivshmem_request_irqs(struct ivshmem *iv)
{
	int i, n, ret;

	n = pci_msix_vec_count(iv->pdev);
	if (n < 0) {
		dev_err(&iv->pdev->dev, "no MSI-X: %d\n", n);
		return n;
	}
	n = min_t(int, n, iv->nr_vps);
	n = pci_alloc_irq_vectors(iv->pdev, 1, n, PCI_IRQ_MSIX);
	if (n < 0) {
		dev_err(&iv->pdev->dev, "no interrupt vectors: %d\n", n);
		return n;
	}
	iv->nr_vectors = n;

	for (i = 0; i < n; i++) {
		iv->vectors[i].iv = iv;
		iv->vectors[i].index = i;
		ret = pci_irq_vector(iv->pdev, i);
		if (ret < 0)
			goto err;
		/*
		 * Not suspended: the channel stays up over suspend-to-idle,
		 * and for hibernation it is taken down in the noirq phase.
		 * Not threaded: with PREEMPT_RT connection_interrupt() has
		 * threads of its own, on the CPUs that channels are on.
		 */
		iv->vectors[i].irq = ret;
		ret = request_irq(ret, ivshmem_interrupt,
				  IRQF_NO_SUSPEND | IRQF_NO_THREAD,
				  IVSHMEM_DRIVER, &iv->vectors[i]);
		if (ret) {
			iv->vectors[i].irq = 0;
			goto err;
		}
		if (cpu_online(iv->vps[i].cpu))
			irq_set_affinity_and_hint(iv->vectors[i].irq,
						  cpumask_of(iv->vps[i].cpu));
	}
	return 0;

err:
	dev_err(&iv->pdev->dev, "interrupt vector %d: %d\n", i, ret);
	ivshmem_free_irqs(iv);
	return ret;
}

void ivshmem_vp_init(struct ivshmem_vp *vp)
{
	INIT_CSD(&vp->csd, ivshmem_vp_called, vp);
}

u64 ivshmem_interrupts(struct ivshmem *iv)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < iv->nr_vectors; i++)
		sum += READ_ONCE(iv->vectors[i].interrupts);
	return sum;
}

int ivshmem_publish(struct ivshmem *iv)
{
	int ret = 0;

	mutex_lock(&ivshmem_instance_lock);
	if (ivshmem_instance)
		ret = -EBUSY;
	else
		ivshmem_instance = iv;
	mutex_unlock(&ivshmem_instance_lock);
	return ret;
}

void ivshmem_unpublish(void)
{
	mutex_lock(&ivshmem_instance_lock);
	ivshmem_instance = NULL;
	mutex_unlock(&ivshmem_instance_lock);
}

int ivshmem_hotplug_init(void)
{
	int ret;

	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
					"synthio/ivshmem:online",
					ivshmem_cpu_online, NULL);
	if (ret < 0)
		return ret;
	ivshmem_cpuhp_state = ret;
	return 0;
}

void ivshmem_hotplug_exit(void)
{
	cpuhp_remove_state_nocalls(ivshmem_cpuhp_state);
}
