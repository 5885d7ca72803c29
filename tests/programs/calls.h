/* System calls by name, for escapes.c; those that some processors lack come last. */
#ifndef PROGRAMS_CALLS_H
#define PROGRAMS_CALLS_H

#include <sys/syscall.h>

#define ROW(name)                 \
	{                         \
#name, SYS_##name \
	}

/* clang-format off */
static const struct {
	const char *name;
	long number;
} calls[] = {
	{ "x32-getpid", 0x40000000 + SYS_getpid }, /* x86-64: another numbering */
	{ "none", -1 },
	{ "far", 0x7fffffff },
	{ "near-none", -2 },
	ROW(openat), ROW(unlinkat), ROW(mkdirat), ROW(renameat2), ROW(linkat),
	ROW(symlinkat), ROW(mknodat), ROW(truncate), ROW(fchmodat), ROW(fchownat),
	ROW(chdir), ROW(chroot), ROW(mount), ROW(umount2), ROW(readlinkat),
	ROW(statx), ROW(fstat), ROW(getdents64), ROW(pread64),
	ROW(inotify_init1), ROW(fanotify_init), ROW(faccessat), ROW(lseek), ROW(fsync),
	ROW(utimensat), ROW(setxattr), ROW(socket), ROW(socketpair), ROW(bind),
	ROW(listen), ROW(connect), ROW(setsockopt), ROW(sendmmsg), ROW(recvmmsg),
	ROW(sendmsg), ROW(dup), ROW(dup3), ROW(fcntl), ROW(ioctl),
	ROW(pipe2), ROW(eventfd2), ROW(signalfd4), ROW(timerfd_create),
	ROW(epoll_create1), ROW(memfd_create), ROW(userfaultfd), ROW(bpf), ROW(seccomp),
	ROW(perf_event_open), ROW(io_uring_setup), ROW(io_setup), ROW(splice), ROW(tee),
	ROW(vmsplice), ROW(sendfile), ROW(copy_file_range), ROW(pidfd_send_signal),
	ROW(process_vm_readv), ROW(process_vm_writev), ROW(kcmp), ROW(ptrace),
	ROW(kill), ROW(tkill), ROW(tgkill), ROW(rt_sigqueueinfo),
	ROW(rt_tgsigqueueinfo), ROW(rt_sigaction), ROW(rt_sigsuspend), ROW(sigaltstack),
	ROW(setitimer), ROW(timer_create), ROW(setuid), ROW(setgid), ROW(setresuid),
	ROW(setresgid), ROW(setgroups), ROW(capset), ROW(prctl), ROW(personality),
	ROW(keyctl), ROW(add_key), ROW(request_key), ROW(mmap), ROW(mprotect),
	ROW(pkey_mprotect), ROW(mremap), ROW(remap_file_pages), ROW(shmat), ROW(shmget),
	ROW(msgget), ROW(semget), ROW(mq_open), ROW(mlock), ROW(mlockall), ROW(mbind),
	ROW(move_pages), ROW(migrate_pages), ROW(madvise), ROW(munmap), ROW(brk),
	ROW(futex), ROW(clone), ROW(execve), ROW(execveat), ROW(setns), ROW(unshare),
	ROW(setpgid), ROW(setsid), ROW(wait4), ROW(setpriority), ROW(sched_setaffinity),
	ROW(sched_setscheduler), ROW(ioprio_set), ROW(prlimit64), ROW(umask),
	ROW(sethostname), ROW(init_module), ROW(finit_module), ROW(delete_module),
	ROW(kexec_load), ROW(reboot), ROW(swapon), ROW(swapoff), ROW(syslog), ROW(acct),
	ROW(clock_settime), ROW(settimeofday), ROW(clock_adjtime), ROW(rseq),
	ROW(membarrier), ROW(set_robust_list), ROW(set_tid_address), ROW(getuid),
	ROW(uname), ROW(getcwd), ROW(quotactl), ROW(open_by_handle_at),
	ROW(name_to_handle_at), ROW(accept4), ROW(getsockopt), ROW(shutdown),
	ROW(close_range), ROW(epoll_ctl), ROW(waitid), ROW(sendto), ROW(recvfrom),
	ROW(recvmsg), ROW(rt_sigprocmask), ROW(getppid), ROW(readv),
#ifdef SYS_newfstatat
	ROW(newfstatat),
#endif
#ifdef SYS_accept
	ROW(accept),
#endif
#ifdef SYS_openat2
	ROW(openat2),
#endif
#ifdef SYS_creat
	ROW(creat),
#endif
#ifdef SYS_open
	ROW(open),
#endif
#ifdef SYS_memfd_secret
	ROW(memfd_secret),
#endif
#ifdef SYS_pidfd_open
	ROW(pidfd_open),
#endif
#ifdef SYS_pidfd_getfd
	ROW(pidfd_getfd),
#endif
#ifdef SYS_process_madvise
	ROW(process_madvise),
#endif
#ifdef SYS_process_mrelease
	ROW(process_mrelease),
#endif
#ifdef SYS_alarm
	ROW(alarm),
#endif
#ifdef SYS_clone3
	ROW(clone3),
#endif
#ifdef SYS_fork
	ROW(fork),
#endif
#ifdef SYS_vfork
	ROW(vfork),
#endif
#ifdef SYS_iopl
	ROW(iopl),
#endif
#ifdef SYS_ioperm
	ROW(ioperm),
#endif
#ifdef SYS_modify_ldt
	ROW(modify_ldt),
#endif
#ifdef SYS_arch_prctl
	ROW(arch_prctl),
#endif
#ifdef SYS_landlock_create_ruleset
	ROW(landlock_create_ruleset),
#endif
#ifdef SYS_landlock_restrict_self
	ROW(landlock_restrict_self),
#endif
#ifdef SYS_fsopen
	ROW(fsopen),
#endif
#ifdef SYS_move_mount
	ROW(move_mount),
#endif
#ifdef SYS_open_tree
	ROW(open_tree),
#endif
#ifdef SYS_mount_setattr
	ROW(mount_setattr),
#endif
};
/* clang-format on */

#endif
