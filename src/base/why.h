/*
 * The sentence that says why a call failed: one line, without a newline or a final full
 * stop, that a program can show to its user. A function whose failure needs words takes
 * a struct why as its last argument and fills it before it returns a negative errno.
 * After a success the text means nothing.
 *
 * NULL is allowed for every struct why: the caller does not need the sentence.
 */
#ifndef BASE_WHY_H
#define BASE_WHY_H

/*
 * Bytes, including the NUL; PRONG_ERROR_MAX promises the same size to users of the
 * library. The longest sentences name a host of 255 bytes or a path of 150, and a
 * function that quotes its input bounds the quotation ("%.60s"). A sentence that still
 * does not fit is cut, and ends in "...".
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
 * Says that what could not be done, since call, for example "close_range(2)", failed
 * with error. Returns error, a negative errno. If the error means that the call was
 * refused, the sentence says how to allow it. Both texts are short.
 */
int why_call(struct why *why, int error, const char *what, const char *call);

/*
 * For a caller to which -EINVAL means bad usage. Arguments have been checked before, so
 * a call that the kernel considers invalid is one that it lacks: -EINVAL becomes
 * -ENOTSUP. Other errors are returned unchanged.
 */
int why_kernels(int error);

/* Puts words before the sentence of another part, such as "allow: ". */
void why_prepend(struct why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Appends words to the sentence, such as the next item of a list. */
void why_append(struct why *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
