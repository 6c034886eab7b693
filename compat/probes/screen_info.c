// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE screen_info: what the firmware draws on
 * FORM SYSFB: sysfb_primary_display.screen, since 7.0
 * FORM HEADER: screen_info, in <linux/screen_info.h>
 */
#ifdef PROBE_SYSFB
#include <linux/sysfb.h>
#define probed	sysfb_primary_display.screen
#else
#include <linux/screen_info.h>
#define probed	screen_info
#endif

const struct screen_info *probe(void);
const struct screen_info *probe(void)
{
	return &probed;
}
