// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "keeper.h"
#include "kinds.h"
#include "unixsock.h"

struct control_client {
	struct control_client *next;
	struct control *control;
	struct loop_fd fd;
	char line[CONTROL_LINE_MAX];
	unsigned int len;
	struct text reply;	/* what the client has not yet taken */
	bool closing;
};

struct control {
	struct bus *bus;
	char *path;
	struct loop_fd listener;
	struct control_client *clients;
};

/* The device that the first argument names */
static struct device *control_device(struct bus *bus, int argc, char **argv,
				     struct text *out)
{
	struct device *dev;

	if (argc != 2) {
		text_add(out, "needs the ID of a device");
		return NULL;
	}
	dev = device_find(bus, NULL, argv[1]);
	if (!dev)
		text_add(out, "there is no device '%s'", argv[1]);
	return dev;
}

static int control_rescind(struct bus *bus, int argc, char **argv,
			   struct text *out)
{
	bool now = argc == 3 && !strcmp(argv[2], "now");
	struct device *dev = control_device(bus, now ? 2 : argc, argv, out);

	if (!dev)
		return -EINVAL;
	if (dev->rescinding || (dev->retiring && !now))
		return text_add(out, "the guest is letting go of it already");
	return (now ? device_rescind(dev) : device_retire(dev)) ?
	       text_add(out, "it is not offered") : 0;
}

static int control_offer(struct bus *bus, int argc, char **argv,
			 struct text *out)
{
	struct device *dev = control_device(bus, argc, argv, out);

	if (!dev)
		return -EINVAL;
	if (dev->retiring && !dev->rescinding)
		return text_add(out, "it is retiring: the guest is still letting go of it");
	return device_offer(dev) ? text_add(out, "it is offered already") : 0;
}

static int control_status(struct bus *bus, int argc, char **argv,
			  struct text *out)
{
	(void)argc;
	(void)argv;
	bus_status(bus, out);
	return 0;
}

static int control_stats(struct bus *bus, int argc, char **argv,
			 struct text *out)
{
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "json")))
		return text_add(out, "takes nothing, or 'json'");
	bus_stats(bus, out, argc == 2);
	return 0;
}

static int control_log(struct bus *bus, int argc, char **argv,
		       struct text *out)
{
	(void)bus;
	if (argc != 2 || log_set_level(argv[1]))
		return text_add(out, "needs a level: error, warn, info, debug or trace");
	return 0;
}

static int control_like(struct bus *bus, int argc, char **argv,
			struct text *out)
{
	const struct host_profile *profile;

	if (argc == 1) {
		text_add(out, "%s\n", bus->profile->name);
		return 0;
	}
	profile = argc == 2 ? profile_find(argv[1]) : NULL;
	if (!profile)
		return text_add(out, "needs a kind of host; see --help");
	bus->profile = profile;
	return 0;
}

static int control_quit(struct bus *bus, int argc, char **argv,
			struct text *out)
{
	(void)argc;
	(void)argv;
	(void)out;
	loop_stop(bus->loop);
	return 0;
}

static int control_restart(struct bus *bus, int argc, char **argv,
			   struct text *out)
{
	if (argc > 2)
		return text_add(out, "takes nothing, or the path of a program");
	if (!keeper_there())
		return text_add(out, "there is no parent process that would start another worker (--single)");
	if (argc == 2 && access(argv[1], X_OK))
		return text_add(out, "%s: %s", argv[1], strerror(errno));
	free(bus->restart);
	bus->restart = argc == 2 ? realpath(argv[1], NULL) : strdup("");
	if (!bus->restart)
		return -errno;
	loop_stop(bus->loop);
	return 0;
}

static int control_help(struct bus *bus, int argc, char **argv,
			struct text *out);

static const struct device_command control_commands[] = {
	{ "help", "", "this list", control_help },
	{ "status", "", "guest, version, devices, channels", control_status },
	{ "stats", "[json]", "packets, bytes and signals per channel",
	  control_stats },
	{ "rescind", "ID [now]",
	  "take a device away, its I/O completed first; the guest is given time to let go of a disk or a card, unless now",
	  control_rescind },
	{ "offer", "ID", "offer it again", control_offer },
	{ "like", "[KIND]",
	  "the kind of host to behave like, as in --like; what devices have told already stays",
	  control_like },
	{ "log", "LEVEL", "error, warn, info, debug or trace", control_log },
	{ "restart", "[PROGRAM]",
	  "let another worker take over, of another program if one is given: an update",
	  control_restart },
	{ "quit", "", "complete I/O and end", control_quit },
	{ 0 }
};

static int control_help(struct bus *bus, int argc, char **argv,
			struct text *out)
{
	const struct device_command *list = control_commands;
	const struct device_kind *kind = device_kind_first();

	(void)bus;
	(void)argc;
	(void)argv;
	for (;;) {
		for (; list && list->name; list++)
			text_add(out, "%s%s%s: %s\n", list->name,
				 *list->args ? " " : "", list->args,
				 list->help);
		if (!kind)
			return 0;
		list = kind->commands;
		kind = kind->next;
	}
}

static const struct device_command *
control_find(const struct device_command *list, const char *name)
{
	for (; list && list->name; list++) {
		if (!strcmp(list->name, name))
			return list;
	}
	return NULL;
}

int control_split(char *line, char **words, struct text *err)
{
	char *from = line, *to = line;
	int n = 0;

	for (;;) {
		bool quoted = false, more;

		while (*from == ' ' || *from == '\t' || *from == '\r')
			from++;
		if (!*from)
			return n;
		if (n == CONTROL_WORDS_MAX)
			return text_add(err, "more than %d words",
					CONTROL_WORDS_MAX);
		words[n++] = to;
		while (*from && (quoted || !strchr(" \t\r", *from))) {
			if (*from == '"') {
				quoted = !quoted;
				from++;
				continue;
			}
			if (*from == '\\' && from[1])
				from++;
			*to++ = *from++;
		}
		if (quoted)
			return text_add(err, "a quote is not closed");
		/* @to may be where @from is: step over the blank first */
		more = *from;
		if (more)
			from++;
		*to++ = '\0';
		if (!more)
			return n;
	}
}

void control_run(struct bus *bus, char *line, struct text *out)
{
	const struct device_command *cmd = NULL;
	const struct device_kind *kind;
	char *words[CONTROL_WORDS_MAX];
	struct text reply = { 0 };
	int n, ret = -EINVAL;

	n = control_split(line, words, &reply);
	if (!n)
		text_add(&reply, "no command; try 'help'");
	if (n > 0) {
		cmd = control_find(control_commands, words[0]);
		for (kind = device_kind_first(); !cmd && kind;
		     kind = kind->next)
			cmd = control_find(kind->commands, words[0]);
		if (!cmd)
			text_add(&reply, "unknown command '%s'; try 'help'",
				 words[0]);
	}
	if (cmd)
		ret = cmd->run(bus, n, words, &reply);
	if (ret)
		text_add(out, "error: %s\n", reply.len ? reply.s :
			 strerror(-ret));
	else
		text_add(out, "%sok\n", text_str(&reply));
	text_free(&reply);
}

static void control_drop(struct control_client *cl)
{
	struct control_client **link = &cl->control->clients;

	while (*link != cl)
		link = &(*link)->next;
	*link = cl->next;
	loop_del_fd(&cl->fd);
	close(cl->fd.fd);
	text_free(&cl->reply);
	free(cl);
}

/* False: the client is gone */
static bool control_flush(struct control_client *cl)
{
	ssize_t n;

	if (cl->reply.len) {
		n = send(cl->fd.fd, cl->reply.s, cl->reply.len,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			control_drop(cl);
			return false;
		}
		if (n > 0) {
			memmove(cl->reply.s, cl->reply.s + n,
				cl->reply.len - n);
			cl->reply.len -= n;
		}
	}
	if (!cl->reply.len && cl->closing) {
		control_drop(cl);
		return false;
	}
	/* No further command before the reply was taken */
	loop_mod_fd(&cl->fd, cl->reply.len ? POLLOUT : POLLIN);
	return true;
}

static void control_take_lines(struct control_client *cl)
{
	char *end;

	while (!cl->closing &&
	       (end = memchr(cl->line, '\n', cl->len))) {
		char line[CONTROL_LINE_MAX];
		unsigned int n = end - cl->line;

		memcpy(line, cl->line, n);
		line[n] = '\0';
		cl->len -= n + 1;
		memmove(cl->line, end + 1, cl->len);
		log_debug("control: %s", line);
		control_run(cl->control->bus, line, &cl->reply);
	}
	if (cl->len == sizeof(cl->line)) {
		text_add(&cl->reply, "error: a line has more than %d bytes\n",
			 CONTROL_LINE_MAX - 1);
		cl->closing = true;
	}
}

static void control_client_event(struct loop_fd *lfd, uint32_t events)
{
	struct control_client *cl = container_of(lfd, struct control_client,
						 fd);
	ssize_t n;

	if (cl->reply.len) {
		if (events & (POLLHUP | POLLERR)) {
			control_drop(cl);
			return;
		}
		control_flush(cl);
		return;
	}
	n = recv(lfd->fd, cl->line + cl->len, sizeof(cl->line) - cl->len,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		control_drop(cl);
		return;
	}
	cl->len += n;
	control_take_lines(cl);
	control_flush(cl);
}

static void control_accept(struct loop_fd *lfd, uint32_t events)
{
	struct control *c = container_of(lfd, struct control, listener);
	int fd = accept4(lfd->fd, NULL, NULL, SOCK_CLOEXEC);
	struct control_client *cl;

	(void)events;
	if (fd < 0)
		return;
	cl = calloc(1, sizeof(*cl));
	if (!cl) {
		close(fd);
		return;
	}
	cl->control = c;
	cl->fd.event = control_client_event;
	cl->next = c->clients;
	c->clients = cl;
	loop_add_fd(c->bus->loop, &cl->fd, fd, POLLIN);
}

struct control *control_create(struct bus *bus, const char *path,
			       struct text *err)
{
	struct control *c = calloc(1, sizeof(*c));
	int fd = c ? unixsock_listen_kept("control", path, err) : -ENOMEM;

	if (fd < 0) {
		free(c);
		return NULL;
	}
	c->bus = bus;
	c->path = strdup(path);
	c->listener.event = control_accept;
	loop_add_fd(bus->loop, &c->listener, fd, POLLIN);
	return c;
}

void control_destroy(struct control *c)
{
	if (!c)
		return;
	while (c->clients)
		control_drop(c->clients);
	loop_del_fd(&c->listener);
	close(c->listener.fd);
	unlink(c->path);
	free(c->path);
	free(c);
}

/* The words of the command line as one line that control_split() undoes */
static void control_join(struct text *line, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		const char *p;

		text_add(line, i ? " \"" : "\"");
		for (p = argv[i]; *p; p++) {
			const char *quote = *p == '"' || *p == '\\' ? "\\" : "";

			text_add(line, "%s%c", quote, *p == '\n' ? ' ' : *p);
		}
		text_add(line, "\"");
	}
	text_add(line, "\n");
}

int control_client(int argc, char **argv)
{
	struct text line = { 0 }, reply = { 0 };
	const char *last;
	char buf[4096];
	ssize_t n;
	int fd, ret = 2;

	if (argc < 2) {
		fprintf(stderr, "usage: synthhost ctl SOCKET COMMAND [ARGS...] (try the command 'help')\n");
		return 2;
	}
	fd = unixsock_connect(argv[0]);
	if (fd < 0) {
		fprintf(stderr, "synthhost ctl: %s: %s\n", argv[0],
			strerror(-fd));
		return 2;
	}
	control_join(&line, argc - 1, argv + 1);
	if (send(fd, line.s, line.len, MSG_NOSIGNAL) == (ssize_t)line.len) {
		while ((n = recv(fd, buf, sizeof(buf) - 1, 0)) > 0) {
			buf[n] = '\0';
			text_add(&reply, "%s", buf);
			if (reply.s[reply.len - 1] != '\n')
				continue;
			last = memrchr(reply.s, '\n', reply.len - 1);
			last = last ? last + 1 : reply.s;
			if (!strcmp(last, "ok\n"))
				ret = 0;
			else if (!strncmp(last, "error: ", 7))
				ret = 1;
			else
				continue;
			break;
		}
	}
	fputs(text_str(&reply), ret == 1 ? stderr : stdout);
	if (ret == 2)
		fprintf(stderr, "synthhost ctl: no reply\n");
	text_free(&line);
	text_free(&reply);
	close(fd);
	return ret;
}
