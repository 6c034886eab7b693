// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE skip_unload: whether a display can have VMBus unload after its panic picture
 * FORM YES: vmbus_set_skip_unload() and vmbus_initiate_unload()
 * FORM NO: it can not
 */
#include <linux/hyperv.h>

#ifdef PROBE_YES
void probe(void);
void probe(void)
{
	vmbus_set_skip_unload(true);
	vmbus_initiate_unload(true);
}
#else
/* an error where there is such a function */
extern int vmbus_set_skip_unload;
#endif
