// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE acpi_remove: what acpi_driver.ops.remove returns
 * NEEDS CONFIG_ACPI
 * FORM VOID: nothing, since 6.2
 * FORM INT: an int that nobody looks at
 * FORM UNUSED: there are no ACPI drivers any more, since 7.3
 */
#include <linux/acpi.h>

#ifdef PROBE_UNUSED
/* an error where there is one already */
struct acpi_driver {
	int gone;
};
#else
#ifdef PROBE_VOID
static void remove(struct acpi_device *adev)
{
}
#else
static int remove(struct acpi_device *adev)
{
	return 0;
}
#endif

extern const struct acpi_driver probe;
const struct acpi_driver probe = { .ops.remove = remove };
#endif
