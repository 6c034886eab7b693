// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper.h"
#include "unixsock.h"

static int unixsock_address(const char *path, struct sockaddr_un *sun)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(sun->sun_path))
		return -ENAMETOOLONG;
	strcpy(sun->sun_path, path);
	return 0;
}

int unixsock_connect(const char *path)
{
	struct sockaddr_un sun;
	int ret = unixsock_address(path, &sun);
	int fd;

	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

/* Makes way for bind(): 0 if nothing is there (any more) */
static int unixsock_clear(const char *path, struct text *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st))
		return 0;	/* bind() has the better error */
	if (!S_ISSOCK(st.st_mode)) {
		text_add(err, "%s exists and is no socket", path);
		return -EEXIST;
	}
	fd = unixsock_connect(path);
	if (fd >= 0) {
		close(fd);
		text_add(err, "%s: another process listens on it", path);
		return -EADDRINUSE;
	}
	unlink(path);
	return 0;
}

int unixsock_listen(const char *path, struct text *err)
{
	struct sockaddr_un sun;
	int ret = unixsock_address(path, &sun);
	int fd;

	if (ret == -ENAMETOOLONG)
		text_add(err, "%s: longer than %zu bytes, too long for a socket",
			 path, sizeof(sun.sun_path) - 1);
	else if (ret)
		text_add(err, "the path of a socket is empty");
	if (!ret)
		ret = unixsock_clear(path, err);
	if (ret)
		return ret;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) || listen(fd, 8)) {
		ret = -errno;
		text_add(err, "%s: %s", path, strerror(-ret));
		close(fd);
		return ret;
	}
	return fd;
}

int unixsock_listen_kept(const char *name, const char *path, struct text *err)
{
	int fd = keeper_take(name);

	if (fd >= 0)
		return fd;
	fd = unixsock_listen(path, err);
	if (fd >= 0)
		keeper_store(name, fd);
	return fd;
}

union unixsock_control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int))];
};

int unixsock_send_fd(int sock, const void *data, size_t len, int fd, int flags)
{
	union unixsock_control control = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.space;
		msg.msg_controllen = sizeof(control.space);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do {
		n = sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EIO;
}

int unixsock_receive_fd(int sock, void *data, size_t len, int *fd, int flags)
{
	union unixsock_control control;
	struct iovec iov = { data, len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	do {
		n = recvmsg(sock, &msg, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)len)
		return -EIO;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return 0;
}
