/*
 * The sentence that says why a call failed: one line, without a newline or a final full
 * stop, that a program can show to its user. A function that can fail for a reason worth
 * words takes a struct why beside its results and fills it before it returns a negative
 * errno. After a success the text means nothing.
 *
 * NULL is allowed wherever a struct why is: the caller has no use for the sentence.
 */
#ifndef BASE_WHY_H
#define BASE_WHY_H

/*
 * Bytes, NUL included; PRONG_ERROR_MAX promises the same size to users of the library.
 * The longest sentences name a host of 255 bytes or a path of 150, and a function that
 * quotes its input bounds the quotation ("%.60s"). A sentence that does not fit all the
 * same is cut, and ends in "...".
 */
#define WHY_MAX 512

struct why {
	char text[WHY_MAX];
};

/* Says what failed. No argument may point into why; use why_prepend() for that. */
void why_set(struct why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, and returns error, a negative errno. */
int why_fail(struct why *why, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Says that what could not be done because call, "close_range(2)" say, failed with error,
 * and returns error, a negative errno. An error that means that the call itself is refused
 * comes with the cure. Both texts are short.
 */
int why_call(struct why *why, int error, const char *what, const char *call);

/*
 * The error of a system call, for a caller to whom -EINVAL is the mark of bad usage: what
 * the kernel calls invalid although it was checked here, it lacks. -ENOTSUP for -EINVAL.
 */
int why_kernels(int error);

/* Puts words before what another part has said: "allow: " and the like. */
void why_prepend(struct why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts words behind what has been said: the next of a list, say. */
void why_append(struct why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
