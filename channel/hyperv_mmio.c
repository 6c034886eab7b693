// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO windows on Hyper-V: the addresses that virtual devices may use are in _CRS of
 * the VMBus device, or of a device above it (a module device, or the PCI root where
 * there is one).
 *
 * The aperture spans all windows. The gaps between them, and the firmware's framebuffer,
 * are reserved in it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/efi.h>
#include <linux/pci.h>
#include <linux/sizes.h>

#include "compat.h"
#include "transport_hyperv.h"

#define HYPERV_LOWEST		SZ_1M		/* below are legacy devices */
#define HYPERV_TPM		0xfed40000ULL	/* a virtual TPM, in no _CRS */
#define HYPERV_FB_MIN		SZ_8M		/* firmware may report less */
#define HYPERV_FB_MAX		SZ_128M		/* of the largest modes */

/* Keeps windows in order, and merges those that touch */
static void add_window(struct hyperv_mmio *m, u64 start, u64 end)
{
	unsigned int i, merged;

	for (i = 0; i < m->nr; i++)
		if (start <= m->windows[i].end + 1)
			break;
	/* i: the first window that does not end before the new one begins */
	for (merged = i; merged < m->nr; merged++) {
		if (m->windows[merged].start > end + 1)
			break;
		start = min(start, m->windows[merged].start);
		end = max(end, m->windows[merged].end);
	}
	if (merged == i && m->nr == HYPERV_WINDOWS) {
		pr_warn("MMIO window 0x%llx-0x%llx is one too many\n", start,
			end);
		return;
	}
	memmove(&m->windows[i + 1], &m->windows[merged],
		(m->nr - merged) * sizeof(m->windows[0]));
	m->nr += 1 - (merged - i);
	m->windows[i].start = start;
	m->windows[i].end = end;
}

/*
 * Windows are address descriptors; memory descriptors are registers of the
 * device that has them.
 */
static acpi_status look_at(struct acpi_resource *res, void *context)
{
	struct acpi_resource_address64 addr;
	u64 start, end;

	if ((res->type != ACPI_RESOURCE_TYPE_ADDRESS32 &&
	     res->type != ACPI_RESOURCE_TYPE_ADDRESS64) ||
	    ACPI_FAILURE(acpi_resource_to_address64(res, &addr)) ||
	    addr.resource_type != ACPI_MEMORY_RANGE)
		return AE_OK;

	start = addr.address.minimum;
	end = addr.address.maximum;
	if (end < HYPERV_LOWEST || end <= start || end == U64_MAX)
		return AE_OK;
	if (start < HYPERV_TPM && end >= HYPERV_TPM)
		end = HYPERV_TPM - 1;
	add_window(context, start, end);
	return AE_OK;
}

/* Where the firmware's framebuffer is: a PCI function's BAR, or as UEFI reports */
static bool firmware_framebuffer(const struct hyperv_mmio *m, u64 *start,
				 u64 *size)
{
	u64 low = m->nr ? m->windows[0].start : 0;
	struct pci_dev *pdev;

	if (efi_enabled(EFI_BOOT)) {
		*start = compat_screen_info()->lfb_base;
		*size = max_t(u64, compat_screen_info()->lfb_size,
			      HYPERV_FB_MIN);
		/*
		 * A kernel after kexec does not get the address. The framebuffer is
		 * at the start of the low window, with room behind it for larger
		 * modes
		 */
		if (low && low < SZ_4G && (!*start || *start >= low)) {
			if (!*start)
				*start = low;
			if (*start < SZ_4G)
				*size = min_t(u64, (SZ_4G - *start) / 2,
					      HYPERV_FB_MAX);
		}
		return *start;
	}
	pdev = pci_get_device(PCI_VENDOR_ID_MICROSOFT,
			      PCI_DEVICE_ID_HYPERV_VIDEO, NULL);
	if (!pdev)
		return false;
	*start = pci_resource_start(pdev, 0);
	*size = pci_resource_len(pdev, 0);
	pci_dev_put(pdev);
	return *start && *size;
}

/* A framebuffer that reaches out of its window is cut */
static void reserve_framebuffer(struct hyperv_mmio *m, struct transport *t)
{
	struct resource *fb = &t->framebuffer;
	u64 start, size;
	unsigned int i;

	if (!firmware_framebuffer(m, &start, &size))
		return;
	for (i = 0; i < m->nr; i++) {
		if (start < m->windows[i].start || start > m->windows[i].end)
			continue;
		fb->name = "firmware framebuffer";
		fb->start = start;
		fb->end = min(start + size - 1, m->windows[i].end);
		fb->flags = IORESOURCE_MEM;
		if (request_resource(&t->aperture, fb))
			fb->flags = 0;
		return;
	}
}

void hyperv_mmio_find(struct hyperv_mmio *m, struct transport *t,
		      struct acpi_device *adev)
{
	struct acpi_device *d;
	unsigned int i;

	for (d = adev; d && d->handle != ACPI_ROOT_OBJECT && !m->nr;
	     d = acpi_dev_parent(d))
		acpi_walk_resources(d->handle, METHOD_NAME__CRS, look_at, m);

	t->aperture.name = "synthio aperture";
	t->aperture.flags = IORESOURCE_MEM;
	if (!m->nr) {
		t->aperture.start = 1;
		t->aperture.end = 0;
		return;
	}
	t->aperture.start = m->windows[0].start;
	t->aperture.end = m->windows[m->nr - 1].end;
	for (i = 1; i < m->nr; i++) {
		m->gaps[i - 1].name = "not for VMBus";
		m->gaps[i - 1].start = m->windows[i - 1].end + 1;
		m->gaps[i - 1].end = m->windows[i].start - 1;
		m->gaps[i - 1].flags = IORESOURCE_MEM;
		request_resource(&t->aperture, &m->gaps[i - 1]);
	}
	reserve_framebuffer(m, t);
}
