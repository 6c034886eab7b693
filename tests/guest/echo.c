// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gives back whatever is sent to it over TCP, to as many as ask at once:
 *
 *	echo PORT	returns when it listens, and goes on in the background
 *
 * For guests that have nothing but their memory: it is linked statically, and
 * asks for no file once it runs. busybox's nc starts another program for each
 * connection, and the guest's own servers need libraries.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int listen_on(unsigned int port)
{
	/* of both families: IPv4 comes as mapped addresses */
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = IN6ADDR_ANY_INIT,
	};
	const int on = 1;
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) || listen(fd, 16))
		die("listen");
	return fd;
}

/* Until the other end has no more to say; 0 if it got all of it back */
static int serve(int fd)
{
	const int on = 1;
	char buf[16384];
	ssize_t n, done, ret;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (done = 0; done < n; done += ret) {
			ret = write(fd, buf + done, n - done);
			if (ret < 0)
				return 1;
		}
	}
	return n < 0;
}

int main(int argc, char **argv)
{
	int listener, fd;

	if (argc != 2) {
		fprintf(stderr, "usage: echo PORT\n");
		return 2;
	}
	listener = listen_on(atoi(argv[1]));
	/* nobody waits for those who serve, and who has gone is no reason to end */
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (daemon(0, 0))
		die("daemon");
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		if (!fork()) {
			close(listener);
			_exit(serve(fd));
		}
		close(fd);
	}
}
