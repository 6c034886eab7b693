// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device.h"
#include "qmp.h"
#include "unixsock.h"

#define QMP_RETRY_MS	200

/*
 * After RESET the machine is stopped while our I/O is drained, then let go: less
 * of it falls into memory that the firmware uses by now. A machine that a
 * person has stopped stays stopped.
 */
struct qmp {
	struct loop *loop;
	char *path;
	const struct qmp_ops *ops;
	void *arg;
	struct loop_fd fd;
	struct loop_timer retry;
	bool paused_by_others;
	bool stopping;
	char line[8192];
	unsigned int len;
};

/* Past a JSON string that begins at @p; copies it if @value is not NULL */
static const char *qmp_skip_string(const char *p, char *value,
				   unsigned int size)
{
	unsigned int n = 0;

	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		if (value && n + 1 < size)
			value[n++] = *p;
	}
	if (value && size)
		value[n] = '\0';
	return *p ? p + 1 : p;
}

bool qmp_string(const char *line, const char *key, char *value,
		unsigned int size)
{
	char name[64];
	int depth = 0;

	value[0] = '\0';
	while (*line) {
		if (*line == '{' || *line == '[') {
			depth++;
			line++;
		} else if (*line == '}' || *line == ']') {
			depth--;
			line++;
		} else if (*line == '"') {
			line = qmp_skip_string(line, name, sizeof(name));
			line += strspn(line, " \t");
			if (*line != ':' || depth != 1)
				continue;
			line++;
			line += strspn(line, " \t");
			if (strcmp(name, key))
				continue;
			if (*line == '"')
				qmp_skip_string(line, value, size);
			return true;
		} else {
			line++;
		}
	}
	return false;
}

static void qmp_command(struct qmp *q, const char *command)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "{\"execute\": \"%s\"}\n",
			 command);

	if (send(q->fd.fd, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		log_warn("QMP: cannot send '%s': %s", command,
			 strerror(errno));
}

static void qmp_event(struct qmp *q, const char *event)
{
	if (!strcmp(event, "RESET")) {
		log_info("QMP: the machine was reset");
		if (!q->paused_by_others && !q->stopping) {
			q->stopping = true;
			qmp_command(q, "stop");
		}
		q->ops->reset(q->arg);
	} else if (!strcmp(event, "STOP")) {
		log_info("QMP: the machine stands still");
		if (q->stopping) {
			/* our doing, and all is drained by now */
			q->stopping = false;
			qmp_command(q, "cont");
		} else {
			q->paused_by_others = true;
		}
	} else if (!strcmp(event, "RESUME")) {
		log_info("QMP: the machine runs");
		q->paused_by_others = false;
	} else if (!strcmp(event, "SHUTDOWN")) {
		log_info("QMP: the machine shuts down");
	} else {
		log_debug("QMP: event %s", event);
	}
}

static void qmp_line(struct qmp *q, const char *line)
{
	char value[128];

	log_trace("QMP: %s", line);
	if (qmp_string(line, "QMP", value, sizeof(value)))
		qmp_command(q, "qmp_capabilities");
	else if (qmp_string(line, "event", value, sizeof(value)))
		qmp_event(q, value);
	else if (qmp_string(line, "error", value, sizeof(value)))
		log_warn("QMP: %s", line);
}

static void qmp_close(struct qmp *q)
{
	loop_del_fd(&q->fd);
	close(q->fd.fd);
	q->fd.fd = -1;
	q->len = 0;
	q->stopping = false;
	q->paused_by_others = false;
	loop_set_timer(q->loop, &q->retry, QMP_RETRY_MS);
}

void qmp_read(struct qmp *q)
{
	char buf[4096];
	ssize_t n, i;

	while (q && q->fd.fd >= 0) {
		n = recv(q->fd.fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			log_info("QMP: QEMU has closed the connection");
			qmp_close(q);
			return;
		}
		for (i = 0; i < n && q->fd.fd >= 0; i++) {
			if (buf[i] != '\n') {
				if (q->len < sizeof(q->line) - 1)
					q->line[q->len++] = buf[i];
				continue;
			}
			q->line[q->len] = '\0';
			q->len = 0;
			qmp_line(q, q->line);
		}
	}
}

static void qmp_ready(struct loop_fd *lfd, uint32_t events)
{
	(void)events;
	qmp_read(container_of(lfd, struct qmp, fd));
}

static void qmp_connect(struct loop_timer *timer)
{
	struct qmp *q = container_of(timer, struct qmp, retry);
	int fd = unixsock_connect(q->path);

	if (fd < 0) {
		if (fd != -ENOENT && fd != -ECONNREFUSED)
			log_warn("QMP %s: %s", q->path, strerror(-fd));
		loop_set_timer(q->loop, timer, QMP_RETRY_MS);
		return;
	}
	q->fd.fd = fd;
	loop_add_fd(q->loop, &q->fd, fd, POLLIN);
	log_info("QMP: connected");
}

struct qmp *qmp_create(struct loop *loop, const char *path,
		       const struct qmp_ops *ops, void *arg)
{
	struct qmp *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->loop = loop;
	q->path = strdup(path);
	q->ops = ops;
	q->arg = arg;
	q->fd.fd = -1;
	q->fd.event = qmp_ready;
	q->retry.fired = qmp_connect;
	loop_set_timer(loop, &q->retry, 0);
	return q;
}

void qmp_destroy(struct qmp *q)
{
	if (!q)
		return;
	loop_clear_timer(&q->retry);
	loop_del_fd(&q->fd);
	if (q->fd.fd >= 0)
		close(q->fd.fd);
	free(q->path);
	free(q);
}
