/* SPDX-License-Identifier: GPL-2.0-only */
/* What the BPF programs and those who load them agree upon. */
#ifndef SYNTHIO_TEST_ACTIONS_H
#define SYNTHIO_TEST_ACTIONS_H

#define ETH_TEST	0x88b5		/* local experiments, IEEE 802 */
#define ACTIONS		5		/* XDP_ABORTED to XDP_REDIRECT */
#define QUEUES		64
#define GROW		64		/* bytes */
#define TAIL		2

#endif
