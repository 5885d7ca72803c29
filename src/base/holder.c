#include "holder.h"

#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAMS 3

int holder_has_stream(pid_t pid, int fd)
{
	pid_t own = getpid();
	long order = 1;

	for (int stream = 0; stream < STREAMS && order != 0; stream++) {
		order = syscall(SYS_kcmp, own, pid, KCMP_FILE, fd, stream);
		/* EBADF: the process has closed that descriptor. */
		if (order < 0 && errno != EBADF)
			return -errno;
	}
	return order == 0;
}

/*
 * The inode of the socket that a link in /proc/PID/fd leads to; 0 if it is not a
 * socket.
 */
static ino_t socket_behind(int directory, const char *name)
{
	char target[64];
	ssize_t length = readlinkat(directory, name, target, sizeof(target) - 1);

	if (length < 0)
		return 0;
	target[length] = '\0';
	if (strncmp(target, "socket:[", 8) != 0)
		return 0;
	return (ino_t)strtoull(target + 8, NULL, 10);
}

/* Calls visit for each socket of pid, until it returns false. */
static void each_socket(pid_t pid, bool (*visit)(void *arg, int fd, ino_t inode),
			void *arg)
{
	char path[32];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL) {
		ino_t inode = isdigit((unsigned char)entry->d_name[0])
				      ? socket_behind(dirfd(directory), entry->d_name)
				      : 0;

		if (inode != 0 && !visit(arg, atoi(entry->d_name), inode))
			break;
	}
	closedir(directory);
}

struct search {
	struct holding *holdings;
	size_t count;
	pid_t pid;
};

static bool note_holder(void *arg, int fd, ino_t inode)
{
	struct search *search = arg;

	(void)fd;
	for (size_t i = 0; i < search->count; i++)
		if (search->holdings[i].inode == inode)
			search->holdings[i].pid = search->pid;
	return true;
}

int holders_find(struct holding *holdings, size_t count)
{
	struct search search = { holdings, count, 0 };
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	pid_t own = getpid();
	bool shows_own = false;

	if (processes == NULL)
		return -errno;
	for (size_t i = 0; i < count; i++)
		holdings[i].pid = 0;
	while ((entry = readdir(processes)) != NULL) {
		search.pid = atoi(entry->d_name); /* 0 for names that are not pids */
		if (search.pid == own)
			shows_own = true;
		else if (search.pid > 0)
			each_socket(search.pid, note_holder, &search);
	}
	closedir(processes);
	/* If nothing is mounted on /proc, it is an empty directory. */
	return shows_own ? 0 : -ENOENT;
}

struct place {
	ino_t inode;
	int fd;
};

static bool note_place(void *arg, int fd, ino_t inode)
{
	struct place *place = arg;

	if (inode == place->inode)
		place->fd = fd;
	return place->fd < 0;
}

int holder_copy(pid_t pid, ino_t inode)
{
	struct place place = { inode, -1 };
	int process, fd;

	each_socket(pid, note_place, &place);
	if (place.fd < 0)
		return -ENOENT;
	process = pidfd_open(pid, 0);
	if (process < 0)
		return -errno;
	fd = pidfd_getfd(process, place.fd, 0);
	if (fd < 0)
		fd = -errno;
	close(process);
	return fd;
}

bool holder_close_last(int *probe, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP };
	bool watched;
	bool last;

	watched = *probe >= 0 && epoll_ctl(*probe, EPOLL_CTL_ADD, fd, &event) == 0;
	close(fd);
	last = !watched || epoll_wait(*probe, &event, 1, 0) <= 0;
	if (!last) {
		/*
		 * The registration survives as long as the other copy does; only this
		 * close ends it.
		 */
		close(*probe);
		*probe = epoll_create1(EPOLL_CLOEXEC);
	}
	return last;
}
