// SPDX-License-Identifier: GPL-2.0-only
#include <signal.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host.h"

static struct host host;
static struct loop_fd signals;

static void main_signal(struct loop_fd *lfd, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(lfd->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		log_info("signal %u: ending", info.ssi_signo);
		loop_stop(host.loop);
	}
}

/* A mapped file has become shorter: nothing can be saved, but said */
static void main_bus_error(int sig)
{
	static const char text[] =
		"synthhost: SIGBUS: a shared memory file was truncated\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(3);
	_exit(2);
}

static int main_catch_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGBUS, main_bus_error);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -1;
	signals.event = main_signal;
	return loop_add_fd(host.loop, &signals, fd, POLLIN);
}

static int main_fail(struct text *err)
{
	fprintf(stderr, "synthhost: %s\n", text_str(err));
	text_free(err);
	return 1;
}

int main(int argc, char **argv)
{
	struct text text = { 0 };
	int i, ret;

	if (argc > 1 && !strcmp(argv[1], "ctl"))
		return control_client(argc - 2, argv + 2);
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			host_help(&text);
			fputs(text_str(&text), stdout);
			text_free(&text);
			return 0;
		}
	}
	if (host_init(&host, &text))
		return main_fail(&text);
	ret = host_parse(&host, argc - 1, argv + 1, &text);
	if (!ret)
		ret = host_start(&host, &text);
	if (!ret)
		ret = main_catch_signals();
	if (!ret) {
		log_info("synthhost listens on %s", host.socket);
		loop_run(host.loop);
		log_info("synthhost ends");
	}
	host_exit(&host);
	return ret ? main_fail(&text) : 0;
}
