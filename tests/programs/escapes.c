#include "escapes.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "calls.h"
#include "line.h"

#define WORDS_MAX 8
#define PAGE      65536 /* the largest page size */

#if defined(__x86_64__)
/* syscall, at the end of the page; ret; endbr64 */
static const unsigned char gate_code[] = { 0x0f, 0x05, 0xc3, 0xf3, 0x0f, 0x1e, 0xfa };
#define GATE_SIZE 4096
#define GATE_CALL 2 /* bytes of the above */
#elif defined(__aarch64__)
/* svc #0, at the end of the page; ret; bti c */
static const unsigned char gate_code[] = { 0x01, 0x00, 0x00, 0xd4, 0xc0, 0x03,
					   0x5f, 0xd6, 0x5f, 0x24, 0x03, 0xd5 };
#define GATE_SIZE 65536
#define GATE_CALL 4
#else
static const unsigned char gate_code[] = { 0 };
#define GATE_SIZE 4096
#define GATE_CALL 1
#endif

typedef long gate_function(long number, long a, long b, long c, long d, long e, long f);

static uintptr_t gate;         /* the gate's page, if found */
static struct prong_conn *now; /* the connection being served */
static _Alignas(PAGE) char buffer[2 * PAGE];

/* Searches the executable part of libprong. */
static int look_for_gate(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size, (void)arg;
	if (strstr(info->dlpi_name, "libprong") == NULL)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		const char *start = (const char *)(info->dlpi_addr + part->p_vaddr);
		const char *found;

		if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
			continue;
		found = memmem(start, part->p_memsz, gate_code, sizeof(gate_code));
		if (found == NULL)
			continue;
		gate = (uintptr_t)found + GATE_CALL - GATE_SIZE;
	}
	return 1;
}

void escapes_prepare(void)
{
	dl_iterate_phdr(look_for_gate, NULL);
	tzset();
}

/* Reports the result of an attempt that the sandbox let through. */
static int say(const char *what, long result)
{
	char text[80];
	int error = result < 0 ? errno : 0;
	int n = snprintf(text, sizeof(text), "%s %ld %d\n", what, result, error);

	return prong_send(now, text, (size_t)n);
}

static void *loopback(const char *port)
{
	static struct sockaddr_in address;

	address = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((in_port_t)atoi(port)),
	};
	return &address;
}

/* A number, the name of one of our objects, or else a text. */
static long argument(const char *word)
{
	static const char *none[] = { NULL };

	if (strspn(word, "-0123456789") == strlen(word))
		return strtol(word, NULL, 10);
	if (strncmp(word, "0x", 2) == 0)
		return (long)strtoul(word, NULL, 16);
	if (strcmp(word, "fd") == 0)
		return prong_conn_fd(now);
	if (strcmp(word, "buffer") == 0)
		return (long)(intptr_t)buffer;
	if (strcmp(word, "none") == 0)
		return (long)(intptr_t)none;
	if (strcmp(word, "self") == 0)
		return getpid();
	if (strcmp(word, "parent") == 0)
		return getppid();
	if (strcmp(word, "gate") == 0)
		return (long)gate;
	if (strncmp(word, "port:", 5) == 0)
		return (long)(intptr_t)loopback(word + 5);
	return (long)(intptr_t)word;
}

static void tell(long number)
{
	say("call", number);
}

static void fork_by_libc(void)
{
	tell(SYS_clone);
	if (fork() == 0)
		_exit(0);
}

static void abort_by_libc(void)
{
	tell(SYS_tgkill);
	abort();
}

/* The page is no longer there, so this faults. */
static void jump_to_call(void)
{
	((gate_function *)(gate + GATE_SIZE - GATE_CALL))(SYS_getppid, 0, 0, 0, 0, 0,
							  0);
}

static void call_gate(void)
{
	tell(-1);
	jump_to_call();
}

/* Maps memory there again, with the same code; jumping there must fault too. */
static void replace_gate(void)
{
	void *page = (void *)gate;

	tell(-1);
	page = mmap(page, GATE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (page == MAP_FAILED)
		_exit(1);
	memcpy((char *)gate + GATE_SIZE - GATE_CALL, gate_code, GATE_CALL);
	__builtin___clear_cache((char *)gate, (char *)gate + GATE_SIZE);
	jump_to_call();
}

/* Nothing was there before, so a neighbouring mapping may have grown or moved there. */
static void replace_gate_executable(void)
{
	tell(SYS_mmap);
	mmap((void *)gate, GATE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

/* Returns from a signal that was never delivered, and so to any chosen address. */
static void return_to_gate(void)
{
	tell(-1);
#if defined(__x86_64__)
	{
		static struct {
			char *unused;
			ucontext_t user;
		} frame;
		static const int zero[] = { REG_R8, REG_R9, REG_R10, REG_R11, REG_R12 };

		getcontext(&frame.user);
		for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
			frame.user.uc_mcontext.gregs[zero[i]] = 0;
		frame.user.uc_mcontext.fpregs = NULL;
		frame.user.uc_mcontext.gregs[REG_RAX] = SYS_getuid;
		frame.user.uc_mcontext.gregs[REG_RIP] =
			(greg_t)(gate + GATE_SIZE - GATE_CALL);
		frame.user.uc_mcontext.gregs[REG_CSGSFS] = 0x002b000000000033;
		__asm__ volatile("mov %0, %%rsp\n"
				 "syscall\n"
				 :
				 : "r"(&frame.user), "a"(SYS_rt_sigreturn)
				 : "memory");
	}
#else
	jump_to_call();
#endif
}

/* The trap's signal cannot be blocked. */
static void call_while_blocked(void)
{
	sigset_t all;

	tell(SYS_getuid);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	syscall(SYS_getuid);
}

#if defined(__x86_64__)
/* getpid(2) of 32-bit processes, which have other numbers. */
static void call_as_32_bit(void)
{
	long result = 20;

	tell(-1);
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory");
	say("done", result);
}

static void call_by_sysenter(void)
{
	long result = 20;

	tell(-1);
	__asm__ volatile("sysenter" : "+a"(result) : : "rcx", "rdx", "memory");
	say("done", result);
}

/* Leaves the handler of SIGSYS without a stack. */
static void call_without_stack(void)
{
	tell(-1);
	__asm__ volatile("mov $8, %%rsp\n"
			 "syscall\n"
			 :
			 : "a"(SYS_getuid)
			 : "rcx", "r11", "memory");
	_exit(1);
}
#endif

/* The only other socket: the worker's end of the channel. */
static int channel(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		int type = 0;
		socklen_t size = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
		    type == SOCK_SEQPACKET)
			return fd;
	}
	return -1;
}

/*
 * Reports a completion for each byte of its client, and takes none of the clients that
 * it is given.
 */
static void lie(void)
{
	char byte, done = 2; /* enum reason */
	int fd = channel();

	tell(-1);
	while (prong_recv(now, &byte, 1) == 1)
		if (send(fd, &done, 1, MSG_NOSIGNAL) != 1)
			break;
	_exit(0);
}

/* Sends what no worker of ours sends, until the supervisor stops reading. */
static void send_on_channel(const void *data, size_t size)
{
	struct pollfd gone = { .fd = channel() };

	tell(-1);
	for (int i = 0; i < 10; i++)
		send(gone.fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	poll(&gone, 1, 10000);
	poll(NULL, 0, 300); /* SIGKILL may be on its way */
	_exit(0);
}

static void send_nothing(void)
{
	send_on_channel("", 0);
}

static void send_noise(void)
{
	static char noise[60000];

	memset(noise, 0xff, sizeof(noise));
	send_on_channel(noise, sizeof(noise));
}

/* Sends as many descriptors as one message can carry. */
static void send_descriptors(void)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(200 * sizeof(int))];
	} control = { 0 };
	char done = 2;
	struct iovec part = { &done, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control.space) };
	int fd = prong_conn_fd(now), to = channel();

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(200 * sizeof(int));
	for (size_t i = 0; i < 200; i++)
		memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &fd, sizeof(fd));
	tell(SYS_sendmsg);
	say("done", sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
	_exit(0);
}

/* Receives a descriptor from a client that passes what it has open. */
static void receive_descriptor(void)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control.space) };

	tell(SYS_recvmsg);
	recvmsg(prong_conn_fd(now), &message, 0);
	say("done", message.msg_controllen > 0);
}

/* "connect-again PORT x": after the client has reset its connection. */
static void connect_again(void)
{
	struct pollfd gone = { .fd = prong_conn_fd(now) };
	void *address = loopback(buffer);

	tell(SYS_sendto);
	poll(&gone, 1, -1);
	for (int i = 0; i < 3; i++)
		sendto(gone.fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL | MSG_DONTWAIT,
		       address, sizeof(struct sockaddr_in));
	poll(NULL, 0, 20);
	_exit(0);
}

/* Takes all available memory, until malloc(3) fails. */
static void exhaust(void)
{
	size_t had = 0;

	tell(-1);
	for (size_t size = 8u << 20; size >= 16; size /= 2)
		while (malloc(size) != NULL)
			had += size;
	say("done", (long)(had >> 20));
}

/*
 * "scribble ADDRESS SIZE", of the scoreboard: sets every number to the smallest value.
 */
static void scribble(void)
{
	char *end;
	unsigned char *rows = (unsigned char *)strtoul(buffer, &end, 16);
	size_t size = strtoul(end, NULL, 10);

	tell(-1);
	for (size_t i = 0; i < size; i++)
		rows[i] = i % 4 == 3 ? 0x80 : 0;
	_exit(107);
}

static const struct {
	const char *name;
	void (*function)(void);
} attempts[] = {
	{ "fork-by-libc", fork_by_libc },
	{ "abort-by-libc", abort_by_libc },
	{ "call-gate", call_gate },
	{ "replace-gate", replace_gate },
	{ "replace-gate-executable", replace_gate_executable },
	{ "return-to-gate", return_to_gate },
	{ "call-while-blocked", call_while_blocked },
#if defined(__x86_64__)
	{ "call-as-32-bit", call_as_32_bit },
	{ "call-by-sysenter", call_by_sysenter },
	{ "call-without-stack", call_without_stack },
#endif
	{ "lie", lie },
	{ "send-nothing", send_nothing },
	{ "send-noise", send_noise },
	{ "send-descriptors", send_descriptors },
	{ "receive-descriptor", receive_descriptor },
	{ "connect-again", connect_again },
	{ "exhaust", exhaust },
	{ "scribble", scribble },
};

static bool make_call(char **words)
{
	long at[WORDS_MAX] = { 0 };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strcmp(calls[i].name, words[0]) != 0)
			continue;
		for (int j = 0; j < 6 && words[1 + j] != NULL; j++)
			at[j] = argument(words[1 + j]);
		tell(calls[i].number);
		errno = 0;
		say("done",
		    syscall(calls[i].number, at[0], at[1], at[2], at[3], at[4], at[5]));
		return true;
	}
	return false;
}

static bool attempt(char **words)
{
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (strcmp(attempts[i].name, words[0]) == 0) {
			if (words[1] != NULL && words[2] != NULL)
				snprintf(buffer, sizeof(buffer), "%s %s", words[1],
					 words[2]);
			attempts[i].function();
			return true;
		}
	return false;
}

int escapes(struct prong_conn *conn, void *arg)
{
	char line[512], *words[WORDS_MAX + 1] = { NULL };
	char *rest = line;

	(void)arg;
	now = conn;
	if (!read_line(conn, line, sizeof(line)))
		return 0;
	for (int i = 0; i < WORDS_MAX; i++)
		words[i] = strsep(&rest, " ");
	if (attempt(words) || make_call(words))
		return 0;
	return say("unknown", -1);
}
