// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rfb/rfb.h>

#include "console.h"
#include "keeper.h"
#include "device.h"
#include "vnc.h"

#define VNC_RECTS	32	/* of damage that are kept apart */
#define VNC_EVENTS	1024	/* of viewers that the loop has not taken yet */
#define VNC_FRAME_NS	15000000ull	/* viewers get no two pictures within this */
#define VNC_IDLE_MS	250
#define VNC_PASSWORD	8	/* the protocol knows no longer one */
#define VNC_NO_WIDTH	640	/* while there is no screen */
#define VNC_NO_HEIGHT	480

enum vnc_event_kind { EVENT_POINTER, EVENT_KEY, EVENT_RESIZE };

struct vnc_event {
	enum vnc_event_kind kind;
	uint32_t a, b, c;
};

struct vnc_rect {
	uint32_t x1, y1, x2, y2;
};

/**
 * struct vnc - the server
 * @viewer: how the console calls us, in the loop
 * @wake: tells the thread that there is something; @event_fd: tells the loop
 * @lookers: viewers that are connected; read without the lock
 * @lock: of all until @stop. Held for short, except that the thread copies from
 *	the guest's memory under it: so the memory stays
 * @rects: damage since the thread has looked
 * @rfb, @shadow: the thread's own, as is what follows. @shadow is what viewers
 *	are sent: the guest's memory changes while an encoder looks at it
 */
struct vnc {
	struct loop *loop;
	struct console *console;
	struct console_viewer viewer;
	struct loop_fd events_fd;
	int listen_fd, wake, event_fd;
	char password[VNC_PASSWORD + 1];
	char *passwords[2];
	pthread_t thread;
	int lookers;

	pthread_mutex_t lock;
	struct console_screen screen;
	bool new_screen;
	struct vnc_rect rects[VNC_RECTS];
	unsigned int rect_count;
	rfbCursorPtr cursor;
	bool new_cursor;
	struct vnc_event events[VNC_EVENTS];
	unsigned int event_first, event_count;
	bool stop;

	rfbScreenInfoPtr rfb;
	uint32_t *shadow;
	uint32_t width, height;
};

static void vnc_kick(int fd)
{
	uint64_t one = 1;

	/* it can only be full if it was not taken: then it is set */
	if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_warn("VNC: eventfd: %s", strerror(errno));
}

static void vnc_unkick(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_warn("VNC: eventfd: %s", strerror(errno));
}

/* --- in the loop: what the console says ------------------------------------------ */

static struct vnc *to_vnc(struct console_viewer *viewer)
{
	return container_of(viewer, struct vnc, viewer);
}

static void vnc_screen(struct console_viewer *viewer,
		       const struct console_screen *screen)
{
	struct vnc *v = to_vnc(viewer);

	pthread_mutex_lock(&v->lock);
	v->screen = *screen;
	v->new_screen = true;
	v->rect_count = 0;
	pthread_mutex_unlock(&v->lock);
	vnc_kick(v->wake);
}

static void vnc_join_rect(struct vnc_rect *to, const struct vnc_rect *r)
{
	to->x1 = r->x1 < to->x1 ? r->x1 : to->x1;
	to->y1 = r->y1 < to->y1 ? r->y1 : to->y1;
	to->x2 = r->x2 > to->x2 ? r->x2 : to->x2;
	to->y2 = r->y2 > to->y2 ? r->y2 : to->y2;
}

static void vnc_damage(struct console_viewer *viewer, uint32_t x, uint32_t y,
		       uint32_t width, uint32_t height)
{
	struct vnc *v = to_vnc(viewer);
	struct vnc_rect rect = { x, y, x + width, y + height };

	/* who comes later gets all of the picture */
	if (!__atomic_load_n(&v->lookers, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&v->lock);
	if (v->rect_count < VNC_RECTS)
		v->rects[v->rect_count++] = rect;
	else
		vnc_join_rect(&v->rects[VNC_RECTS - 1], &rect);
	pthread_mutex_unlock(&v->lock);
	vnc_kick(v->wake);
}

static rfbCursorPtr vnc_make_cursor(const struct console_cursor *c)
{
	rfbCursorPtr cursor = calloc(1, sizeof(*cursor));
	uint32_t pixels = c->width * c->height, row = (c->width + 7) / 8, x, y;
	uint32_t *rich = calloc(pixels, 4);
	uint8_t *alpha = calloc(pixels, 1), *mask = calloc(row, c->height);

	if (!cursor || !rich || !alpha || !mask) {
		free(cursor);
		free(rich);
		free(alpha);
		free(mask);
		return NULL;
	}
	for (y = 0; y < c->height; y++) {
		for (x = 0; x < c->width; x++) {
			uint32_t argb = c->argb[y * c->width + x];

			rich[y * c->width + x] = argb & 0xffffff;
			alpha[y * c->width + x] = argb >> 24;
			/* for viewers that know no alpha */
			if (argb >> 31)
				mask[y * row + x / 8] |= 0x80 >> x % 8;
		}
	}
	cursor->width = c->width;
	cursor->height = c->height;
	cursor->xhot = c->hot_x;
	cursor->yhot = c->hot_y;
	cursor->richSource = (uint8_t *)rich;
	cursor->alphaSource = alpha;
	cursor->mask = mask;
	cursor->source = calloc(row, c->height);
	cursor->cleanup = TRUE;
	cursor->cleanupSource = TRUE;
	cursor->cleanupMask = TRUE;
	cursor->cleanupRichSource = TRUE;
	return cursor;
}

static void vnc_cursor(struct console_viewer *viewer,
		       const struct console_cursor *c)
{
	static const uint32_t none;
	static const struct console_cursor empty = { &none, 1, 1, 0, 0 };
	struct vnc *v = to_vnc(viewer);
	rfbCursorPtr cursor = vnc_make_cursor(c ?: &empty), old;

	if (!cursor)
		return;
	pthread_mutex_lock(&v->lock);
	old = v->new_cursor ? v->cursor : NULL;
	v->cursor = cursor;
	v->new_cursor = true;
	pthread_mutex_unlock(&v->lock);
	if (old)
		rfbFreeCursor(old);
	vnc_kick(v->wake);
}

/* A viewer draws the cursor where its own pointer is */
static void vnc_move(struct console_viewer *viewer, int32_t x, int32_t y)
{
	(void)viewer;
	(void)x;
	(void)y;
}

/* --- in the loop: what viewers do -------------------------------------------------- */

static void vnc_take_events(struct loop_fd *lfd, uint32_t revents)
{
	struct vnc *v = container_of(lfd, struct vnc, events_fd);
	struct vnc_event e;

	(void)revents;
	vnc_unkick(v->event_fd);
	for (;;) {
		pthread_mutex_lock(&v->lock);
		if (!v->event_count) {
			pthread_mutex_unlock(&v->lock);
			return;
		}
		e = v->events[v->event_first];
		v->event_first = (v->event_first + 1) % VNC_EVENTS;
		v->event_count--;
		pthread_mutex_unlock(&v->lock);
		switch (e.kind) {
		case EVENT_POINTER:
			console_pointer(v->console, e.a, e.b, e.c);
			break;
		case EVENT_KEY:
			console_key(v->console, e.a, e.b);
			break;
		case EVENT_RESIZE:
			console_resize(v->console, e.a, e.b);
			break;
		}
	}
}

/* --- in the thread ------------------------------------------------------------------- */

static void vnc_event(struct vnc *v, enum vnc_event_kind kind, uint32_t a,
		      uint32_t b, uint32_t c)
{
	struct vnc_event *last;

	pthread_mutex_lock(&v->lock);
	last = &v->events[(v->event_first + v->event_count + VNC_EVENTS - 1) %
			  VNC_EVENTS];
	if (v->event_count && kind == EVENT_POINTER && last->kind == kind &&
	    last->c == c) {
		/* only where the pointer is now matters */
		last->a = a;
		last->b = b;
	} else if (v->event_count < VNC_EVENTS) {
		v->events[(v->event_first + v->event_count++) % VNC_EVENTS] =
			(struct vnc_event){ kind, a, b, c };
	}
	pthread_mutex_unlock(&v->lock);
	vnc_kick(v->event_fd);
}

static void vnc_viewer_pointer(int buttons, int x, int y, rfbClientPtr cl)
{
	rfbDefaultPtrAddEvent(buttons, x, y, cl);
	vnc_event(cl->screen->screenData, EVENT_POINTER, x < 0 ? 0 : x,
		  y < 0 ? 0 : y, buttons);
}

static void vnc_viewer_key(rfbBool down, rfbKeySym key, rfbClientPtr cl)
{
	vnc_event(cl->screen->screenData, EVENT_KEY, key, down, 0);
}

static int vnc_viewer_resize(int width, int height, int screens,
			     struct rfbExtDesktopScreen *list, rfbClientPtr cl)
{
	(void)list;
	if (screens != 1 || width < 1 || height < 1)
		return rfbExtDesktopSize_InvalidScreenLayout;
	/* the guest follows, or does not; then the size comes as any other */
	vnc_event(cl->screen->screenData, EVENT_RESIZE, width, height, 0);
	return rfbExtDesktopSize_Success;
}

static void vnc_viewer_gone(rfbClientPtr cl)
{
	struct vnc *v = cl->screen->screenData;

	__atomic_sub_fetch(&v->lookers, 1, __ATOMIC_RELEASE);
	log_info("VNC: a viewer has gone");
}

/* Copy a part of the screen; @lock is held */
static void vnc_copy(struct vnc *v, const struct vnc_rect *r)
{
	const struct console_screen *s = &v->screen;
	uint32_t x2 = r->x2 < v->width ? r->x2 : v->width;
	uint32_t y2 = r->y2 < v->height ? r->y2 : v->height;
	uint32_t y;

	if (!s->pixels || r->x1 >= x2)
		return;
	for (y = r->y1; y < y2; y++)
		memcpy(v->shadow + (size_t)y * v->width + r->x1,
		       (const char *)s->pixels + (size_t)y * s->pitch +
		       4 * r->x1, 4 * (x2 - r->x1));
}

static enum rfbNewClientAction vnc_viewer_came(rfbClientPtr cl)
{
	struct vnc *v = cl->screen->screenData;
	struct vnc_rect all = { 0, 0, v->width, v->height };

	cl->clientGoneHook = vnc_viewer_gone;
	log_info("VNC: a viewer has come");
	__atomic_add_fetch(&v->lookers, 1, __ATOMIC_ACQ_REL);
	pthread_mutex_lock(&v->lock);
	/* a new screen is taken in the thread's next round anyway */
	if (!v->new_screen)
		vnc_copy(v, &all);
	pthread_mutex_unlock(&v->lock);
	return RFB_CLIENT_ACCEPT;
}

static void vnc_set_format(rfbScreenInfoPtr rfb)
{
	rfb->serverFormat.redShift = 16;
	rfb->serverFormat.greenShift = 8;
	rfb->serverFormat.blueShift = 0;
}

/* The screen is another one; @lock is held */
static void vnc_take_screen(struct vnc *v)
{
	const struct console_screen *s = &v->screen;
	uint32_t width = s->pixels ? s->width : v->width;
	uint32_t height = s->pixels ? s->height : v->height;
	struct vnc_rect all = { 0, 0, width, height };
	uint32_t *old = v->shadow, *shadow = calloc((size_t)width * height, 4);

	if (!shadow)
		return;
	v->new_screen = false;
	v->shadow = shadow;
	if (width == v->width && height == v->height) {
		v->rfb->frameBuffer = (char *)shadow;
	} else {
		v->width = width;
		v->height = height;
		rfbNewFramebuffer(v->rfb, (char *)shadow, width, height, 8, 3,
				  4);
		vnc_set_format(v->rfb);
	}
	free(old);
	vnc_copy(v, &all);
	rfbMarkRectAsModified(v->rfb, 0, 0, width, height);
}

/* Take what the loop has left; true: there was something */
static bool vnc_take(struct vnc *v)
{
	rfbCursorPtr cursor = NULL;
	unsigned int i;
	bool some;

	pthread_mutex_lock(&v->lock);
	some = v->new_screen || v->rect_count || v->new_cursor;
	if (v->new_screen)
		vnc_take_screen(v);
	for (i = 0; i < v->rect_count; i++) {
		const struct vnc_rect *r = &v->rects[i];

		vnc_copy(v, r);
		rfbMarkRectAsModified(v->rfb, r->x1, r->y1, r->x2, r->y2);
	}
	v->rect_count = 0;
	if (v->new_cursor) {
		cursor = v->cursor;
		v->cursor = NULL;
		v->new_cursor = false;
	}
	pthread_mutex_unlock(&v->lock);
	if (cursor)
		rfbSetCursor(v->rfb, cursor);
	return some;
}

/*
 * Wait for a viewer, a new one, or the loop; not for that before @hold milliseconds
 * are over, if that is not 0
 */
static void vnc_wait(struct vnc *v, int hold)
{
	struct pollfd fds[2 + 64] = {
		{ .fd = hold ? -1 : v->wake, .events = POLLIN },
		{ .fd = v->listen_fd, .events = POLLIN },
	};
	rfbClientIteratorPtr it = rfbGetClientIterator(v->rfb);
	unsigned int count = 2;
	rfbClientPtr cl;
	int fd;

	while ((cl = rfbClientIteratorNext(it)) && count < 2 + 64) {
		fds[count].fd = cl->sock;
		fds[count++].events = POLLIN;
	}
	rfbReleaseClientIterator(it);
	if (poll(fds, count, hold ?: VNC_IDLE_MS) <= 0)
		return;
	if (fds[0].revents)
		vnc_unkick(v->wake);
	if (!fds[1].revents)
		return;
	fd = accept4(v->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		rfbNewClient(v->rfb, fd);
}

static void *vnc_thread(void *arg)
{
	struct vnc *v = arg;
	uint64_t shown = 0, now;
	bool stop;

	/*
	 * What comes in quick succession is shown together; what a viewer does
	 * waits for no picture.
	 */
	do {
		now = loop_now();
		vnc_wait(v, now < shown + VNC_FRAME_NS ?
			 (shown + VNC_FRAME_NS - now) / 1000000 + 1 : 0);
		now = loop_now();
		if (now >= shown + VNC_FRAME_NS && vnc_take(v))
			shown = now;
		rfbProcessEvents(v->rfb, 0);
		pthread_mutex_lock(&v->lock);
		stop = v->stop;
		pthread_mutex_unlock(&v->lock);
	} while (!stop);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------ */

static void vnc_log(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text[strcspn(text, "\n")] = '\0';
	log_debug("VNC: %s", text);
}

static int vnc_listen(const char *where, struct text *err)
{
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	}, *found;
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);
	char host[64], port[16];
	const char *colon = strrchr(where, ':'), *address = where;
	size_t n = colon ? (size_t)(colon - where) : 0;
	int fd = keeper_take("vnc"), one = 1;

	if (fd >= 0)
		return fd;
	if (n >= 2 && where[0] == '[' && where[n - 1] == ']') {
		address++;
		n -= 2;
	}
	snprintf(host, sizeof(host), "%.*s", (int)n, address);
	if (getaddrinfo(colon ? host : "127.0.0.1", colon ? colon + 1 : where,
			&hints, &found))
		return text_add(err, "--vnc: '%s' is no [ADDR:]PORT", where);
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) ||
	    listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&name, &len)) {
		text_add(err, "--vnc: %s: %s", where, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -EINVAL;
	} else {
		getnameinfo((struct sockaddr *)&name, len, host, sizeof(host),
			    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
		log_info("VNC server listens on %s:%s", host, port);
		keeper_store("vnc", fd);
	}
	freeaddrinfo(found);
	return fd;
}

static int vnc_read_password(struct vnc *v, const char *path, struct text *err)
{
	FILE *f = fopen(path, "re");
	char line[256] = "";

	if (!f || !fgets(line, sizeof(line), f)) {
		text_add(err, "--vnc-password: %s: %s", path,
			 f ? "is empty" : strerror(errno));
		if (f)
			fclose(f);
		return -EINVAL;
	}
	fclose(f);
	line[strcspn(line, "\r\n")] = '\0';
	if (!line[0] || strlen(line) > VNC_PASSWORD)
		return text_add(err, "--vnc-password: %s: VNC takes 1 to %d characters",
				path, VNC_PASSWORD);
	strcpy(v->password, line);
	v->passwords[0] = v->password;
	return 0;
}

static int vnc_make_rfb(struct vnc *v)
{
	v->width = VNC_NO_WIDTH;
	v->height = VNC_NO_HEIGHT;
	v->shadow = calloc((size_t)v->width * v->height, 4);
	v->rfb = v->shadow ? rfbGetScreen(NULL, NULL, v->width, v->height, 8, 3,
					  4) : NULL;
	if (!v->rfb)
		return -ENOMEM;
	rfbLog = vnc_log;
	rfbErr = vnc_log;
	v->rfb->frameBuffer = (char *)v->shadow;
	v->rfb->screenData = v;
	v->rfb->desktopName = "synthio";
	v->rfb->port = 0;		/* sockets are ours to open */
	v->rfb->ipv6port = 0;
	v->rfb->autoPort = FALSE;
	v->rfb->alwaysShared = TRUE;
	v->rfb->deferUpdateTime = 0;
	v->rfb->newClientHook = vnc_viewer_came;
	v->rfb->ptrAddEvent = vnc_viewer_pointer;
	v->rfb->kbdAddEvent = vnc_viewer_key;
	v->rfb->setDesktopSizeHook = vnc_viewer_resize;
	v->rfb->cursor = NULL;
	if (v->passwords[0]) {
		v->rfb->authPasswdData = v->passwords;
		v->rfb->passwordCheck = rfbCheckPasswordByList;
	}
	vnc_set_format(v->rfb);
	rfbInitServer(v->rfb);
	return 0;
}

static int vnc_start(struct vnc *v, struct text *err)
{
	sigset_t all, old;
	int ret;

	v->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	v->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (v->wake < 0 || v->event_fd < 0 || vnc_make_rfb(v))
		return text_add(err, "--vnc: %s", strerror(errno));
	v->events_fd.event = vnc_take_events;
	ret = loop_add_fd(v->loop, &v->events_fd, v->event_fd, POLLIN);
	/* signals are the loop's */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (!ret)
		ret = -pthread_create(&v->thread, NULL, vnc_thread, v);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		return text_add(err, "--vnc: %s", strerror(-ret));
	return 0;
}

static void vnc_free(struct vnc *v)
{
	loop_del_fd(&v->events_fd);
	if (v->rfb) {
		rfbShutdownServer(v->rfb, TRUE);
		v->rfb->frameBuffer = NULL;
		rfbScreenCleanup(v->rfb);
	}
	if (v->new_cursor)
		rfbFreeCursor(v->cursor);
	free(v->shadow);
	if (v->listen_fd >= 0)
		close(v->listen_fd);
	if (v->wake >= 0)
		close(v->wake);
	if (v->event_fd >= 0)
		close(v->event_fd);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

struct vnc *vnc_create(struct loop *loop, struct console *console,
		       const char *where, const char *password,
		       struct text *err)
{
	struct vnc *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->loop = loop;
	v->console = console;
	v->listen_fd = -1;
	v->wake = -1;
	v->event_fd = -1;
	pthread_mutex_init(&v->lock, NULL);
	if (!password || !vnc_read_password(v, password, err))
		v->listen_fd = vnc_listen(where, err);
	if (v->listen_fd < 0 || vnc_start(v, err)) {
		vnc_free(v);
		return NULL;
	}
	v->viewer.screen = vnc_screen;
	v->viewer.damage = vnc_damage;
	v->viewer.cursor = vnc_cursor;
	v->viewer.move = vnc_move;
	console->viewer = &v->viewer;
	vnc_screen(&v->viewer, &console->screen);
	return v;
}

unsigned int vnc_port(const struct vnc *v)
{
	struct sockaddr_in6 name = { 0 };	/* the port is where IPv4's is */
	socklen_t len = sizeof(name);

	getsockname(v->listen_fd, (struct sockaddr *)&name, &len);
	return ntohs(name.sin6_port);
}

void vnc_destroy(struct vnc *v)
{
	if (!v)
		return;
	v->console->viewer = NULL;
	pthread_mutex_lock(&v->lock);
	v->stop = true;
	pthread_mutex_unlock(&v->lock);
	vnc_kick(v->wake);
	pthread_join(v->thread, NULL);
	vnc_free(v);
}
