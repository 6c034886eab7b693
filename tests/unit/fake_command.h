/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_FAKE_COMMAND_H
#define TEST_FAKE_COMMAND_H

#include "../host/device.h"

/**
 * fake_command() - run a device's command as the control socket would
 * @bus: as the device knows it
 * @kind: whose commands
 * @line: one of them, with its arguments
 * @why: emptied; what the command says
 *
 * Return: what the command returns.
 */
int fake_command(struct bus *bus, const struct device_kind *kind,
		 const char *line, struct text *why);

#endif
