// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host.h"
#include "keeper.h"

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

static bool main_has(int argc, char **argv, const char *option)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], option))
			return true;
	}
	return false;
}

/* What does the work, alone or as the parent's child */
static int main_work(int argc, char **argv)
{
	struct text text = { 0 };
	int ret;

	ret = host_init(&host, &text);
	if (ret) {
		main_fail(&text);
		return ret == -EPROTO ? KEEPER_EXIT_LAYOUT : 1;
	}
	ret = host_parse(&host, argc - 1, argv + 1, &text);
	if (!ret)
		ret = host_start(&host, &text);
	if (!ret)
		ret = main_catch_signals();
	if (ret && host.persist.takes_over) {
		/* the guest, and what the parent keeps, stay as they are */
		main_fail(&text);
		return KEEPER_EXIT_LAYOUT;
	}
	if (!ret) {
		keeper_ready();
		log_info("synthhost listens on %s", host.socket);
		loop_run(host.loop);
	}
	if (!ret && host.bus.restart) {
		log_info("synthhost makes way for another worker");
		keeper_restart(host.bus.restart);
		/* as if it was killed: the state is settled, the guest waits */
		_exit(0);
	}
	keeper_ending();
	if (!ret)
		log_info("synthhost ends");
	host_exit(&host);
	return ret ? main_fail(&text) : 0;
}

int main(int argc, char **argv)
{
	struct text text = { 0 };

	if (argc > 1 && !strcmp(argv[1], "ctl"))
		return control_client(argc - 2, argv + 2);
	if (main_has(argc, argv, "--help") || main_has(argc, argv, "-h")) {
		host_help(&text);
		fputs(text_str(&text), stdout);
		text_free(&text);
		return 0;
	}
	if (!keeper_attach() && !main_has(argc, argv, "--single"))
		return keeper_run(argv);
	/* it was started as /proc/self/exe */
	prctl(PR_SET_NAME, "synthhost");
	keeper_fence();
	return main_work(argc, argv);
}
