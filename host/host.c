// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"
#include "keeper.h"
#include "kinds.h"

#define HOST_BAR_SIZE		(16ull << 20)
#define HOST_MAX_BAR_SIZE	(1ull << 40)
#define HOST_VECTORS		8
#define HOST_POLL_US		200
#define HOST_MAX_POLL_US	1000000

static void host_connected(void *arg)
{
	struct host *h = arg;

	guest_connected(&h->guest, h->server);
}

static void host_disconnected(void *arg)
{
	struct host *h = arg;

	guest_disconnected(&h->guest, "QEMU has gone");
	/* before the parent forgets the connection: see server_client_event() */
	bus_settle(&h->bus);
}

static void host_doorbell(void *arg)
{
	struct host *h = arg;

	/* What it announces is found by the pollers, in this round */
	h->guest.doorbells_in++;
}

static const struct server_ops host_server_ops = {
	.connected = host_connected,
	.disconnected = host_disconnected,
	.doorbell = host_doorbell,
};

static void host_message(void *arg, uint32_t connection_id,
			 const void *payload, uint32_t len)
{
	struct host *h = arg;

	bus_message(&h->bus, connection_id, payload, len);
}

static void host_signal(void *arg, uint32_t connection_id)
{
	struct host *h = arg;

	bus_signal(&h->bus, connection_id);
}

static void host_reset(void *arg, const char *why)
{
	struct host *h = arg;

	bus_reset(&h->bus, why);
}

static void host_attaching(void *arg)
{
	struct host *h = arg;

	qmp_read(h->qmp);
}

static const struct guest_ops host_guest_ops = {
	.message = host_message,
	.signal = host_signal,
	.reset = host_reset,
	.attaching = host_attaching,
};

static void host_machine_reset(void *arg)
{
	struct host *h = arg;

	guest_machine_reset(&h->guest, "the machine was reset");
}

static const struct qmp_ops host_qmp_ops = {
	.reset = host_machine_reset,
};

static int host_path(const char **to, const char *arg)
{
	*to = arg;
	return 0;
}

static int host_opt_socket(struct host *h, const char *arg, struct text *err)
{
	(void)err;
	return host_path(&h->socket, arg);
}

static int host_opt_qmp(struct host *h, const char *arg, struct text *err)
{
	(void)err;
	return host_path(&h->qmp_path, arg);
}

static int host_opt_control(struct host *h, const char *arg, struct text *err)
{
	(void)err;
	return host_path(&h->control_path, arg);
}

static int host_opt_vnc(struct host *h, const char *arg, struct text *err)
{
	(void)err;
	return host_path(&h->vnc_where, arg);
}

static int host_opt_vnc_password(struct host *h, const char *arg,
				 struct text *err)
{
	(void)err;
	return host_path(&h->vnc_password, arg);
}

static int host_opt_ram(struct host *h, const char *arg, struct text *err)
{
	return ram_parse(&h->ram, arg, err);
}

static int host_opt_bar_size(struct host *h, const char *arg,
			     struct text *err)
{
	uint64_t size;

	if (text_size(arg, &size) || size < SYNTHIO_PAGE_SIZE ||
	    size > HOST_MAX_BAR_SIZE || size & (size - 1))
		return text_add(err, "'%s' is no power of two from 4K to 1T",
				arg);
	h->bar_size = size;
	return 0;
}

static int host_opt_vectors(struct host *h, const char *arg, struct text *err)
{
	if (text_number(arg, 1, SERVER_MAX_VECTORS, &h->vectors))
		return text_add(err, "'%s' is no number from 1 to %d", arg,
				SERVER_MAX_VECTORS);
	return 0;
}

static int host_opt_poll(struct host *h, const char *arg, struct text *err)
{
	uint64_t us;

	if (text_number(arg, 0, HOST_MAX_POLL_US, &us))
		return text_add(err, "'%s' is no number of microseconds up to %d",
				arg, HOST_MAX_POLL_US);
	loop_set_poll(h->loop, us);
	return 0;
}

static int host_opt_max_version(struct host *h, const char *arg,
				struct text *err)
{
	char *copy = strdup(arg), *minor = copy;
	const char *major = strsep(&minor, ".");
	uint64_t a, b;
	int ret = 0;

	if (!minor || text_number(major, 0, 0xffff, &a) ||
	    text_number(minor, 0, 0xffff, &b) ||
	    !bus_known_version(VMBUS_WIRE_VERSION(a, b)))
		ret = text_add(err, "'%s' is no version: 2.4, 3.0, 4.0, 4.1, 5.0, 5.1, 5.2, 5.3 or 6.0",
			       arg);
	else
		h->bus.max_version = VMBUS_WIRE_VERSION(a, b);
	free(copy);
	return ret;
}

static int host_opt_like(struct host *h, const char *arg, struct text *err)
{
	const struct host_profile *profile = profile_find(arg);

	if (!profile)
		return text_add(err, "'%s' is no kind of host; see --help", arg);
	h->bus.profile = profile;
	h->guest.overlay = profile->bus.overlay;
	return 0;
}

static int host_opt_subchannel_ms(struct host *h, const char *arg,
				  struct text *err)
{
	uint64_t ms;

	if (text_number(arg, 0, 600000, &ms))
		return text_add(err, "'%s' is no number of milliseconds", arg);
	h->bus.subchannel_ms = ms;
	return 0;
}

static int host_opt_modify_ms(struct host *h, const char *arg,
			      struct text *err)
{
	uint64_t ms;

	if (text_number(arg, 1, 600000, &ms))
		return text_add(err, "'%s' is no number of milliseconds", arg);
	h->bus.modify_ms = ms;
	return 0;
}

static int host_opt_log(struct host *h, const char *arg, struct text *err)
{
	int ret = log_open(arg);

	(void)h;
	return ret ? text_add(err, "%s: %s", arg, strerror(-ret)) : 0;
}

static int host_opt_verbose(struct host *h, const char *arg, struct text *err)
{
	(void)h;
	(void)arg;
	(void)err;
	return log_set_level("debug");
}

static void host_die(void)
{
	kill(getpid(), SIGKILL);
}

static int host_opt_die_at(struct host *h, const char *arg, struct text *err)
{
	char *copy = strdup(arg), *count = copy;
	const char *point = strsep(&count, ":");
	uint64_t n = 1;
	int ret = 0;

	if (count && text_number(count, 1, UINT32_MAX, &n))
		ret = text_add(err, "'%s' is no number", count);
	/* one that has taken over lives */
	else if (!h->persist.takes_over &&
		 persist_die_at(point, n, host_die))
		ret = text_add(err, "'%s' is no point; see host/README.md",
			       point);
	free(copy);
	return ret;
}

static int host_opt_single(struct host *h, const char *arg, struct text *err)
{
	/* main() has heeded it */
	(void)h;
	(void)arg;
	(void)err;
	return 0;
}

static void host_settle(void *arg)
{
	struct host *h = arg;

	bus_settle(&h->bus);
}

static const struct host_option_kind {
	const char *name;
	const char *arg;	/* NULL: takes none */
	const char *help;
	int (*take)(struct host *h, const char *arg, struct text *err);
} host_options[] = {
	{ "socket", "PATH", "ivshmem server socket that QEMU connects to",
	  host_opt_socket },
	{ "ram", "file=PATH,offset=N,gpa=N,size=N",
	  "guest RAM: a piece of QEMU's memory file and where the guest sees it; one for each range",
	  host_opt_ram },
	{ "bar-size", "SIZE", "shared memory BAR, a power of two (16M)",
	  host_opt_bar_size },
	{ "vectors", "N", "interrupts of the guest, as vectors= of QEMU's device (8)",
	  host_opt_vectors },
	{ "qmp", "PATH", "QEMU's QMP socket, to hear of guest resets",
	  host_opt_qmp },
	{ "control", "PATH", "socket for `synthhost ctl`", host_opt_control },
	{ "vnc", "[ADDR:]PORT",
	  "VNC server for screen, mouse and keyboard; 0: any free port (127.0.0.1 if no ADDR is given)",
	  host_opt_vnc },
	{ "vnc-password", "FILE", "the VNC server wants this password, the file's first line, 8 characters",
	  host_opt_vnc_password },
	{ "max-version", "X.Y", "newest VMBus version to accept (5.3)",
	  host_opt_max_version },
	{ "like", "KIND", "the kind of host to behave like, see below (hyperv)",
	  host_opt_like },
	{ "subchannel-ms", "N",
	  "sub-channels are offered so late, each; as the kind of host does (20)",
	  host_opt_subchannel_ms },
	{ "modify-ms", "N", "modify-channel is answered so late (2)",
	  host_opt_modify_ms },
	{ "poll-us", "N", "busy-poll up to this long before sleeping, if that pays, microseconds (200)",
	  host_opt_poll },
	{ "log", "FILE", "append the log to a file, not to stderr",
	  host_opt_log },
	{ "verbose", NULL, "log each message", host_opt_verbose },
	{ "single", NULL,
	  "one process, for debuggers: nothing survives its end",
	  host_opt_single },
	{ "die-at", "POINT[:N]",
	  "for tests: the first worker kills itself the Nth time at this point; see host/README.md",
	  host_opt_die_at },
};

#define HOST_OPTIONS	(sizeof(host_options) / sizeof(host_options[0]))

int host_option(struct host *h, const char *name, const char *arg, bool *used,
		struct text *err)
{
	const struct device_kind *kind;
	const struct device_option *opt;
	struct text why = { 0 };
	bool found = false;
	unsigned int i;
	int ret = 0;

	for (i = 0; !found && i < HOST_OPTIONS; i++) {
		const struct host_option_kind *k = &host_options[i];

		if (strcmp(k->name, name))
			continue;
		found = true;
		*used = k->arg;
		if (k->arg && !arg)
			ret = text_add(&why, "needs an argument: %s", k->arg);
		else
			ret = k->take(h, arg, &why);
	}
	for (kind = device_kind_first(); !found && kind; kind = kind->next) {
		for (opt = kind->options; !found && opt && opt->name; opt++) {
			if (strcmp(opt->name, name))
				continue;
			found = true;
			*used = arg && (opt->arg[0] != '[' || arg[0] != '-');
			if (!*used && opt->arg[0] != '[')
				ret = text_add(&why, "needs an argument: %s",
					       opt->arg);
			else
				ret = opt->parse(&h->bus, *used ? arg : NULL,
						 &why);
		}
	}
	if (!found)
		ret = text_add(err, "unknown option --%s; see --help", name);
	else if (ret)
		text_add(err, "--%s: %s", name, why.len ? why.s :
			 strerror(-ret));
	text_free(&why);
	return ret;
}

int host_parse(struct host *h, int argc, char **argv, struct text *err)
{
	int i, ret;

	for (i = 0; i < argc; i++) {
		const char *name = argv[i];
		char *equals, *copy;
		bool used = false;

		if (name[0] != '-' || name[1] != '-' || !name[2])
			return text_add(err, "unexpected argument '%s'; see --help",
					name);
		copy = strdup(name + 2);
		equals = strchr(copy, '=');
		if (equals) {
			*equals = '\0';
			/* the part of argv itself: it has to stay */
			ret = host_option(h, copy, strchr(name, '=') + 1,
					  &used, err);
			if (!ret && !used)
				ret = text_add(err, "--%s takes no argument",
					       copy);
		} else {
			ret = host_option(h, copy, i + 1 < argc ?
					  argv[i + 1] : NULL, &used, err);
			i += used;
		}
		free(copy);
		if (ret)
			return ret;
	}
	return 0;
}

static void host_help_line(struct text *out, const char *name,
			   const char *arg, const char *help)
{
	text_add(out, "  --%s %s\n        %s\n", name, arg ? arg : "", help);
}

void host_help(struct text *out)
{
	const struct device_kind *kind;
	const struct host_profile *profile;
	const struct device_option *opt;
	unsigned int i;

	text_add(out,
		 "usage: synthhost --socket PATH --ram RANGE... [options and devices]\n"
		 "       synthhost ctl SOCKET COMMAND [ARGS...]\n\n"
		 "The reference host of synthio: serves VMBus devices to a guest on stock QEMU,\n"
		 "through shared memory. Sizes and addresses take K, M, G, and 0x for hexadecimal.\n\n"
		 "options:\n");
	for (i = 0; i < HOST_OPTIONS; i++)
		host_help_line(out, host_options[i].name, host_options[i].arg,
			       host_options[i].help);
	text_add(out, "\nkinds of host (--like):\n");
	for (i = 0; (profile = profile_at(i)); i++)
		text_add(out, "  %s: %s\n", profile->name, profile->help);
	text_add(out, "\ndevices (each may be repeated):\n");
	for (kind = device_kind_first(); kind; kind = kind->next) {
		for (opt = kind->options; opt && opt->name; opt++)
			host_help_line(out, opt->name, opt->arg, opt->help);
	}
	text_add(out,
		 "\nExample: a guest of 512 MiB with a disk\n"
		 "  synthhost --socket /tmp/s --control /tmp/c --qmp /tmp/q \\\n"
		 "      --ram file=/dev/shm/ram,offset=0,gpa=0,size=512M \\\n"
		 "      --scsi c0 --disk c0,lun=0,file=disk.img\n"
		 "  qemu-system-x86_64 -accel tcg -smp 2,maxcpus=2 -m 512M \\\n"
		 "      -object memory-backend-file,id=ram,size=512M,mem-path=/dev/shm/ram,share=on \\\n"
		 "      -machine memory-backend=ram -qmp unix:/tmp/q,server=on,wait=off \\\n"
		 "      -chardev socket,path=/tmp/s,id=s \\\n"
		 "      -device ivshmem-doorbell,chardev=s,vectors=8 ...\n"
		 "With more RAM than fits below the PCI hole (pc: 3 GiB, q35: 2 GiB) the rest lies\n"
		 "at 4 GiB, so there are two ranges of one file:\n"
		 "  --ram file=F,offset=0,gpa=0,size=3G --ram file=F,offset=3G,gpa=4G,size=1G\n\n"
		 "`synthhost ctl SOCKET help` lists the commands of the control socket.\n");
}

int host_init(struct host *h, struct text *err)
{
	int ret;

	memset(h, 0, sizeof(*h));
	ret = persist_open(&h->persist, keeper_take("state"), err);
	if (ret)
		return ret;
	if (h->persist.takes_over)
		ret = inflight_check(&h->persist, err);
	if (ret)
		goto err_persist;
	h->bar_size = HOST_BAR_SIZE;
	h->vectors = HOST_VECTORS;
	h->loop = loop_create(HOST_POLL_US);
	if (!h->loop) {
		ret = -errno;
		text_add(err, "cannot set up io_uring: %s", strerror(-ret));
		goto err_persist;
	}
	if (keeper_there() && loop_fence(h->loop) < 0) {
		text_add(err, "cannot make the pipe that tells the next worker when all I/O has ended; --single needs none");
		ret = -EIO;
		goto err_loop;
	}
	if (loop_fence(h->loop) >= 0)
		keeper_store("fence", loop_fence(h->loop));
	loop_set_settle(h->loop, host_settle, h);
	/* Pollers run in the reverse order: the guest's messages come first */
	bus_init(&h->bus, h->loop, &h->ram, &h->guest, &h->persist,
		 VMBUS_WIRE_V5_3);
	h->guest.overlay = h->bus.profile->bus.overlay;
	h->bus.console = &h->console;
	guest_init(&h->guest, h->loop, &h->ram, &h->persist, &host_guest_ops,
		   h);
	return 0;

err_loop:
	loop_destroy(h->loop);
err_persist:
	persist_close(&h->persist);
	return ret;
}

/* QEMU makes the file, but not its directory */
static int host_check_ram(const struct host *h, struct text *err)
{
	unsigned int i;

	for (i = 0; i < h->ram.count; i++) {
		const char *file = h->ram.range[i].file;
		char *dir = strdup(file), *slash = strrchr(dir, '/');
		const char *look = dir;
		struct stat st;
		int ret = 0;

		if (!stat(file, &st)) {
			if (S_ISDIR(st.st_mode))
				ret = text_add(err, "--ram: %s is a directory; QEMU's mem-path= must name a file",
					       file);
		} else {
			if (slash)
				slash[slash == dir] = '\0';
			else
				look = ".";
			if (stat(look, &st))
				ret = text_add(err, "--ram: %s: %s", look,
					       strerror(errno));
		}
		free(dir);
		if (ret)
			return ret;
	}
	return 0;
}

static int host_take_over(struct host *h, struct text *err)
{
	uint64_t start = loop_now();
	int ret = guest_take_over(&h->guest, h->server, err);

	if (!ret)
		ret = bus_take_over(&h->bus, err);
	if (!ret)
		log_info("worker %u serves after %llu us",
			 h->persist.area->header.workers + 1,
			 (unsigned long long)(loop_now() - start) / 1000);
	return ret;
}

int host_start(struct host *h, struct text *err)
{
	int ret;

	if (!h->socket)
		return text_add(err, "--socket is missing; see --help");
	if (!h->ram.count)
		return text_add(err, "--ram is missing; see --help");
	ret = host_check_ram(h, err);
	if (ret)
		return ret;
	h->server = server_create(h->loop, h->socket, h->bar_size, h->vectors,
				  &host_server_ops, h, err);
	if (!h->server)
		return -EINVAL;
	if (h->control_path) {
		h->control = control_create(&h->bus, h->control_path, err);
		if (!h->control)
			return -EINVAL;
	}
	if (h->vnc_password && !h->vnc_where)
		return text_add(err, "--vnc-password without --vnc");
	if (h->vnc_where) {
		h->vnc = vnc_create(h->loop, &h->console, h->vnc_where,
				    h->vnc_password, err);
		if (!h->vnc)
			return -EINVAL;
	}
	if (h->qmp_path)
		h->qmp = qmp_create(h->loop, h->qmp_path, &host_qmp_ops, h);
	else
		log_warn("no --qmp: a reset of the machine is noticed only when its next kernel attaches");
	if (h->persist.takes_over)
		return host_take_over(h, err);
	keeper_store("state", h->persist.fd);
	return 0;
}

void host_exit(struct host *h)
{
	qmp_destroy(h->qmp);
	h->qmp = NULL;
	control_destroy(h->control);
	server_destroy(h->server);
	guest_exit(&h->guest);
	bus_exit(&h->bus);
	vnc_destroy(h->vnc);
	ram_free(&h->ram);
	loop_destroy(h->loop);
	persist_close(&h->persist);
}
