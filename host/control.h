/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket: one line is a command, the reply ends with a line "ok"
 * or "error: reason".
 */
#ifndef SYNTHHOST_CONTROL_H
#define SYNTHHOST_CONTROL_H

#include "bus.h"
#include "text.h"

#define CONTROL_LINE_MAX	4096
#define CONTROL_WORDS_MAX	256

struct control;

struct control *control_create(struct bus *bus, const char *path,
			       struct text *err);
void control_destroy(struct control *c);

/**
 * control_split() - take a line apart at blanks, in place
 * @words: room for CONTROL_WORDS_MAX
 *
 * Words may stand in double quotes, and \ takes the next character as it is.
 * Return: how many, or -EINVAL with the reason in @err.
 */
int control_split(char *line, char **words, struct text *err);

/**
 * control_run() - run one line
 * @line: is changed
 * @out: the whole reply, with its last line
 */
void control_run(struct bus *bus, char *line, struct text *out);

/**
 * control_client() - `synthhost ctl SOCKET COMMAND...`
 *
 * Return: 0 if the reply ends in "ok", 1 if not, 2 if there was none.
 */
int control_client(int argc, char **argv);

#endif
