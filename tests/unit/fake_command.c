// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "fake_command.h"

int fake_command(struct bus *bus, const struct device_kind *kind,
		 const char *line, struct text *why)
{
	const struct device_command *c;
	char copy[512], *argv[16], *p = copy;
	int argc = 0;

	text_free(why);
	snprintf(copy, sizeof(copy), "%s", line);
	while ((argv[argc] = strsep(&p, " ")))
		argc++;
	for (c = kind->commands; strcmp(c->name, argv[0]); c++)
		;
	return c->run(bus, argc, argv, why);
}
