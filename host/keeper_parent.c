// SPDX-License-Identifier: GPL-2.0-only
/* The parent process: keeps descriptors, and starts workers. See keeper.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keeper_wire.h"
#include "loop.h"

/* So many workers in a row that did not live for this long are enough */
#define KEEPER_MAX_FAILURES	5
#define KEEPER_MIN_LIFE_NS	300000000ull
/* To start a worker while the machine lacks memory or processes */
#define KEEPER_RETRIES		100
#define KEEPER_RETRY_NS		100000000
#define KEEPER_SELF		"/proc/self/exe"

enum worker_state {
	WORKER_STARTING,	/* has said nothing yet */
	WORKER_SERVES,		/* KEEPER_READY */
	WORKER_ENDING,		/* KEEPER_ENDING: the parent ends with it */
	WORKER_REPLACED,	/* KEEPER_RESTART: another one follows */
};

/**
 * struct keeper - the parent's state
 * @program: what is started; @previous: what served before
 * @sock: to the worker
 * @served: one of the workers did; before that there is nothing to be saved
 * @told_to_end: a signal came
 * @failures: workers in a row that died early
 * @died: how the last one ended, for the log of the next
 */
struct keeper {
	char **argv;
	char program[PATH_MAX];
	char previous[PATH_MAX];
	sigset_t old_signals;
	int signal_fd;
	int sock;
	pid_t pid;
	enum worker_state state;
	bool served;
	bool told_to_end;
	uint64_t started;
	unsigned int failures;
	char died[128];
	struct keeper_fds fds;
};

/* In the child. The worker must not outlive its parent: nobody would end it */
static void keeper_become_worker(struct keeper *k, int sock, pid_t parent)
{
	char number[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	sigprocmask(SIG_SETMASK, &k->old_signals, NULL);
	snprintf(number, sizeof(number), "%d", sock);
	setenv(KEEPER_ENV, number, 1);
	if (k->died[0])
		setenv(KEEPER_DIED_ENV, k->died, 1);
	fcntl(sock, F_SETFD, 0);
	execv(k->program, k->argv);
	fprintf(stderr, "synthhost: %s: %s\n", k->program, strerror(errno));
	_exit(KEEPER_EXIT_LAYOUT);
}

static int keeper_start(struct keeper *k)
{
	struct keeper_note note = { .kind = KEEPER_STORE };
	pid_t parent = getpid();
	unsigned int i;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		fprintf(stderr, "synthhost: socketpair: %s\n", strerror(errno));
		return -1;
	}
	k->state = WORKER_STARTING;
	k->started = loop_now();
	k->pid = fork();
	if (k->pid < 0) {
		fprintf(stderr, "synthhost: fork: %s\n", strerror(errno));
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	if (!k->pid)
		keeper_become_worker(k, pair[1], parent);
	close(pair[1]);
	k->sock = pair[0];
	for (i = 0; i < k->fds.count; i++) {
		strcpy(note.name, k->fds.fd[i].name);
		/* if it is dead already, that is noticed soon */
		if (keeper_send(k->sock, &note, k->fds.fd[i].fd))
			return 0;
	}
	note.kind = KEEPER_END;
	keeper_send(k->sock, &note, -1);
	return 0;
}

static void keeper_note(struct keeper *k, const struct keeper_note *note,
			int fd)
{
	switch (note->kind) {
	case KEEPER_STORE:
		if (fd >= 0)
			keeper_add(&k->fds, note->name, fd);
		return;
	case KEEPER_DROP:
		keeper_remove(&k->fds, note->name);
		break;
	case KEEPER_READY:
		k->state = WORKER_SERVES;
		k->served = true;
		/* it has taken over: there is no way back to the program before it */
		k->previous[0] = '\0';
		break;
	case KEEPER_ENDING:
		k->state = WORKER_ENDING;
		break;
	case KEEPER_RESTART:
		k->state = WORKER_REPLACED;
		strcpy(k->previous, k->program);
		if (note->name[0])
			strcpy(k->program, note->name);
		break;
	}
	if (fd >= 0)
		close(fd);
}

/* What it has said is there although it is dead */
static void keeper_read_notes(struct keeper *k)
{
	static struct keeper_note note;
	int fd;

	while (!keeper_receive(k->sock, &note, &fd, MSG_DONTWAIT))
		keeper_note(k, &note, fd);
}

static void keeper_describe(struct keeper *k, int status)
{
	if (k->state == WORKER_REPLACED)
		snprintf(k->died, sizeof(k->died), "as the command 'restart' wanted");
	else if (WIFSIGNALED(status))
		snprintf(k->died, sizeof(k->died), "killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(k->died, sizeof(k->died), "with exit status %d",
			 WEXITSTATUS(status));
}

/* True: another worker is to follow */
static bool keeper_goes_on(struct keeper *k, int status)
{
	/* SIGKILL comes from outside: it says nothing of the worker */
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	bool early = k->state == WORKER_STARTING ||
		     (!killed &&
		      loop_now() - k->started < KEEPER_MIN_LIFE_NS);

	if (k->told_to_end || k->state == WORKER_ENDING)
		return false;
	if (!k->served)
		return false;
	if (k->state == WORKER_STARTING && k->previous[0] && !killed) {
		fprintf(stderr, "synthhost: %s does not take over; %s goes on\n",
			k->program, k->previous);
		strcpy(k->program, k->previous);
		k->previous[0] = '\0';
		return true;
	}
	k->failures = early && k->state != WORKER_REPLACED ?
		      k->failures + 1 : 0;
	if (k->failures < KEEPER_MAX_FAILURES)
		return true;
	fprintf(stderr, "synthhost: %d workers died one after the other, the last one %s: no more are started\n",
		KEEPER_MAX_FAILURES, WIFSIGNALED(status) ? "by a signal" :
		"with an error");
	return false;
}

static void keeper_signal(struct keeper *k)
{
	struct signalfd_siginfo info;

	if (read(k->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info) ||
	    info.ssi_signo == SIGCHLD)
		return;
	k->told_to_end = true;
	if (k->pid > 0)
		kill(k->pid, info.ssi_signo);
}

/* A guest that has a host keeps it when the machine is short of memory for a moment */
static int keeper_start_again(struct keeper *k)
{
	struct timespec pause = { .tv_nsec = KEEPER_RETRY_NS };
	unsigned int tries = k->served ? KEEPER_RETRIES : 1;

	while (tries-- && !k->told_to_end) {
		if (!keeper_start(k))
			return 0;
		nanosleep(&pause, NULL);
		keeper_signal(k);
	}
	return -1;
}

/* Until the worker has ended; its wait status */
static int keeper_watch(struct keeper *k)
{
	struct pollfd pfd[2] = {
		{ .fd = k->signal_fd, .events = POLLIN },
		{ .fd = k->sock, .events = POLLIN },
	};
	int status;

	while (waitpid(k->pid, &status, WNOHANG) != k->pid) {
		if (poll(pfd, 2, -1) < 0)
			continue;
		if (pfd[0].revents)
			keeper_signal(k);
		if (pfd[1].revents & POLLIN)
			keeper_read_notes(k);
		else if (pfd[1].revents)
			pfd[1].fd = -1;	/* hung up: SIGCHLD comes */
	}
	keeper_read_notes(k);
	close(k->sock);
	return status;
}

int keeper_run(char **argv)
{
	static struct keeper k;
	sigset_t set;
	int status;

	k.argv = argv;
	strcpy(k.program, KEEPER_SELF);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &k.old_signals);
	k.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (k.signal_fd < 0) {
		fprintf(stderr, "synthhost: signalfd: %s\n", strerror(errno));
		return 1;
	}
	do {
		if (keeper_start_again(&k))
			return 1;
		status = keeper_watch(&k);
		keeper_describe(&k, status);
	} while (keeper_goes_on(&k, status));
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}
