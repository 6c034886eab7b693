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
#define QMP_STOP_MS	1000	/* QEMU may be busy, but not for ever */
#define QMP_LOOK_NS	1000000	/* how often while the loop does not sleep */

/*
 * After RESET the machine is stopped, our I/O is drained while it stands still,
 * and it is let go: none of it falls into memory that the firmware uses by now.
 * A machine that somebody else has stopped stays stopped.
 */
struct qmp {
	struct loop *loop;
	char *path;
	const struct qmp_ops *ops;
	void *arg;
	struct loop_fd fd;
	struct loop_timer retry;
	struct loop_poller poller;
	uint64_t looked;
	bool paused_by_others;
	bool stopping;		/* we said stop, and shall say cont */
	bool stands;		/* and it does */
	bool resetting;		/* waits for that, or drains */
	char in[4096];
	unsigned int at, end;
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

/* Where the value of a member begins, or NULL */
static const char *qmp_member(const char *line, const char *key)
{
	char name[64];
	int depth = 0;

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
			if (!strcmp(name, key))
				return line;
		} else {
			line++;
		}
	}
	return NULL;
}

bool qmp_string(const char *line, const char *key, char *value,
		unsigned int size)
{
	const char *p = qmp_member(line, key);

	value[0] = '\0';
	if (p && *p == '"')
		qmp_skip_string(p, value, size);
	return p;
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

static bool qmp_handle_line(struct qmp *q, unsigned int wait_ms);

static void qmp_reset(struct qmp *q)
{
	uint64_t until = loop_now() + QMP_STOP_MS * 1000000ull, now;

	log_info("QMP: the machine was reset");
	/* Once more while it is being stopped: what follows is the same */
	if (q->resetting)
		return;
	q->resetting = true;
	if (!q->paused_by_others) {
		q->stopping = true;
		q->stands = false;
		qmp_command(q, "stop");
	}
	/* Ends early if QEMU refuses, or goes away */
	while (q->stopping && !q->stands && (now = loop_now()) < until)
		qmp_handle_line(q, (until - now) / 1000000 + 1);
	if (q->stopping && !q->stands)
		log_warn("QMP: QEMU does not stop the machine: it runs while I/O is drained");
	q->ops->reset(q->arg);
	/* in this order, however late QEMU gets to them */
	if (q->stopping)
		qmp_command(q, "cont");
	q->resetting = false;
}

static void qmp_event(struct qmp *q, const char *event)
{
	if (!strcmp(event, "RESET")) {
		qmp_reset(q);
	} else if (!strcmp(event, "STOP")) {
		log_info("QMP: the machine stands still");
		q->stands = true;
		if (!q->stopping)
			q->paused_by_others = true;
	} else if (!strcmp(event, "RESUME")) {
		log_info("QMP: the machine runs");
		q->paused_by_others = false;
		/* before our stop got there, if that is under way */
		if (!q->resetting)
			q->stopping = false;
		q->stands = false;
	} else if (!strcmp(event, "SHUTDOWN")) {
		log_info("QMP: the machine shuts down");
	} else {
		log_debug("QMP: event %s", event);
	}
}

static void qmp_line(struct qmp *q, const char *line)
{
	char value[128];
	const char *result;

	log_trace("QMP: %s", line);
	if (qmp_string(line, "QMP", value, sizeof(value))) {
		qmp_command(q, "qmp_capabilities");
		qmp_command(q, "query-status");
	} else if (qmp_string(line, "event", value, sizeof(value))) {
		qmp_event(q, value);
	} else if (qmp_string(line, "error", value, sizeof(value))) {
		log_warn("QMP: %s", line);
		q->stopping = false;
	} else {
		/* Only what query-status returns has a status */
		result = qmp_member(line, "return");
		if (result && qmp_string(result, "status", value,
					 sizeof(value)) &&
		    !q->stopping)
			q->paused_by_others = strcmp(value, "running");
	}
}

static void qmp_close(struct qmp *q)
{
	loop_del_fd(&q->fd);
	close(q->fd.fd);
	q->fd.fd = -1;
	q->len = 0;
	q->at = 0;
	q->end = 0;
	q->stopping = false;
	q->paused_by_others = false;
	loop_set_timer(q->loop, &q->retry, QMP_RETRY_MS);
}

/* More of what QEMU says; false: nothing came, or it has gone */
static bool qmp_fill(struct qmp *q, unsigned int wait_ms)
{
	struct pollfd pfd = { .fd = q->fd.fd, .events = POLLIN };
	ssize_t n;

	if (wait_ms && poll(&pfd, 1, wait_ms) <= 0)
		return false;
	do {
		n = recv(q->fd.fd, q->in, sizeof(q->in), MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		log_info("QMP: QEMU has closed the connection");
		qmp_close(q);
		return false;
	}
	q->at = 0;
	q->end = n;
	return true;
}

/* The next line, if there is one. Comes back here from a reset */
static bool qmp_handle_line(struct qmp *q, unsigned int wait_ms)
{
	char line[sizeof(q->line)];

	while (q->fd.fd >= 0) {
		while (q->at < q->end) {
			char c = q->in[q->at++];

			if (c != '\n') {
				if (q->len < sizeof(q->line) - 1)
					q->line[q->len++] = c;
				continue;
			}
			memcpy(line, q->line, q->len);
			line[q->len] = '\0';
			q->len = 0;
			qmp_line(q, line);
			return true;
		}
		if (!qmp_fill(q, wait_ms))
			return false;
	}
	return false;
}

void qmp_read(struct qmp *q)
{
	while (q && q->fd.fd >= 0 && qmp_handle_line(q, 0))
		;
}

static bool qmp_look(struct loop_poller *p)
{
	struct qmp *q = container_of(p, struct qmp, poller);
	uint64_t now = loop_now();

	if (now - q->looked < QMP_LOOK_NS)
		return false;
	q->looked = now;
	qmp_read(q);
	return false;
}

/*
 * The other pollers write into guest memory around a sleep. What woke the loop
 * may be QEMU, saying that this memory is another machine's by now.
 */
static bool qmp_prepare_sleep(struct loop_poller *p)
{
	qmp_read(container_of(p, struct qmp, poller));
	return false;
}

static void qmp_end_sleep(struct loop_poller *p)
{
	qmp_read(container_of(p, struct qmp, poller));
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
	q->poller.poll = qmp_look;
	q->poller.prepare_sleep = qmp_prepare_sleep;
	q->poller.end_sleep = qmp_end_sleep;
	loop_add_poller(loop, &q->poller);
	loop_set_timer(loop, &q->retry, 0);
	return q;
}

void qmp_destroy(struct qmp *q)
{
	if (!q)
		return;
	loop_clear_timer(&q->retry);
	loop_del_poller(q->loop, &q->poller);
	loop_del_fd(&q->fd);
	if (q->fd.fd >= 0)
		close(q->fd.fd);
	free(q->path);
	free(q);
}
