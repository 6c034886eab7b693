/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * QEMU's monitor: tells of a reset, which the ivshmem device survives without
 * a word. See QEMU's docs/interop/qmp-spec.
 */
#ifndef SYNTHHOST_QMP_H
#define SYNTHHOST_QMP_H

#include <stdbool.h>

#include "loop.h"

/**
 * struct qmp_ops - what QEMU tells
 * @reset: the machine was reset, and stands still if QEMU does as it is told:
 *	drain I/O and forget every guest address
 */
struct qmp_ops {
	void (*reset)(void *arg);
};

struct qmp;

/**
 * qmp_create() - connect to a socket, again and again until it is there
 *
 * Made after the other pollers of the loop, it comes before them.
 */
struct qmp *qmp_create(struct loop *loop, const char *path,
		       const struct qmp_ops *ops, void *arg);
void qmp_destroy(struct qmp *q);

/**
 * qmp_read() - handle what QEMU has said so far
 *
 * QEMU speaks of a reset before the guest runs again. Who hears from the guest
 * first asks here what came before.
 */
void qmp_read(struct qmp *q);

/**
 * qmp_string() - find a string member of a JSON object, at its top level
 * @line: one object
 * @key: the member's name
 * @value: where its text goes, cut to @size
 *
 * Return: whether the object has this member (any value; "" if no string).
 */
bool qmp_string(const char *line, const char *key, char *value,
		unsigned int size);

#endif
