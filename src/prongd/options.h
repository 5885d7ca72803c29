/* prongd's command line: its settings, and how they become the library's options. */
#ifndef PRONGD_OPTIONS_H
#define PRONGD_OPTIONS_H

#include "base/option.h"
#include "prong.h"
#include "value.h"

struct prongd_settings {
	struct option_strings listen;
	mode_t socket_mode;                     /* 0: by the umask */
	const char *socket_user, *socket_group; /* names or numbers; NULL: our own */
	unsigned max_processes, spare, reuse;
	enum prong_accept accept;
	struct {
		enum prong_at_limit policy;
		const char *text;
	} at_limit;
	enum prong_refusal refusal;
	const char *refusal_text;
	struct banner banner;
	struct value_keepalive keepalive;
	int64_t user_timeout_ms;
	struct option_strings allow, deny, exempt;
	unsigned max_per_source;
	struct prong_rate rate_per_source, rate;
	struct {
		unsigned ipv4, ipv6;
	} source_prefix;
	int64_t idle_timeout_ms, session_timeout_ms, grace_ms;
	struct {
		int64_t ms;
		size_t bytes; /* 0: the default */
	} linger;
	const char *user, *group; /* names or numbers; see identity.h */
	struct value_user_range user_range;
	struct {
		unsigned count;
		struct prong_rlimit at[OPTION_LIST_MAX];
	} limits;
	struct prong_privileges privileges; /* root, allow_new_privs and drop */
	enum prong_sandbox sandbox;
	struct option_strings env;
	bool warm;
	struct prong_program program; /* without argv */
	int ready_fd;                 /* -1: none */
	enum prong_log_format log_format;
	unsigned log_level; /* index of the word of --log-level */
};

/* The settings before any option has been read. */
extern const struct prongd_settings prongd_defaults;

extern const struct option_page prongd_page;

/* Converts the settings to the library's options. Points into settings. */
void prongd_fill_options(struct prong_options *options,
			 const struct prongd_settings *settings);
/* Everything except the ids. */
void prongd_fill_privileges(struct prong_privileges *privileges,
			    const struct prongd_settings *settings);
void prongd_fill_program(struct prong_program *program,
			 const struct prongd_settings *settings);

#endif
