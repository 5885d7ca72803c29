/*
 * manual: fills a manual page's template from the program's own tables, so that the
 * page cannot say anything else than --help does. Runs at build time only.
 *
 *	manual TEMPLATE >PAGE
 *
 * A line "@OPTIONS name@" becomes the option list of that program, in its groups, and
 * "@SERVICES@" the table of services. Everything else is copied.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"
#include "prong/bench/bench_options.h"
#include "prong/connect_options.h"
#include "prongd/options.h"
#include "service/service.h"

static const struct {
	const char *name;
	const struct option_page *page;
} pages[] = {
	{ "prongd", &prongd_page },
	{ "connect", &connect_page },
	{ "bench", &bench_page },
};

/*
 * A table's text is no markup: '-' is a minus sign to roff, '\' begins an escape. Each
 * sentence begins a line.
 */
static void print_text(const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\\')
			fputs("\\e", stdout);
		else if (*c == '-')
			fputs("\\-", stdout);
		else if (*c == ' ' && c > text && c[-1] == '.')
			putchar('\n');
		else
			putchar(*c);
	}
}

static void print_row(const struct option_row *row)
{
	printf(".It ");
	if (row->letter != 0)
		printf("Fl %c , ", row->letter);
	printf("Fl -%s", row->name);
	if (row->argument != NULL)
		printf(" Ar %s", row->argument);
	printf("\n\\&%c", toupper((unsigned char)row->help[0]));
	print_text(row->help + 1);
	puts(".");
	if (row->initial != NULL) {
		printf("Default: \\&");
		print_text(row->initial);
		puts(".");
	}
}

/* A list for each group, below its heading; one list if there are none. */
static void print_rows(const struct option_page *page)
{
	const struct option_row *row = NULL;
	bool begun = false;

	while ((row = option_next(page, row)) != NULL) {
		const char *heading = option_heading(page, row);

		if (heading != NULL && begun)
			puts(".El");
		if (heading != NULL)
			printf(".Ss %s\n", heading);
		if (heading != NULL || !begun)
			puts(".Bl -tag -width Ds");
		begun = true;
		print_row(row);
	}
	puts(".El");
}

static bool print_options(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strlen(pages[i].name) != length ||
		    strncmp(pages[i].name, name, length) != 0)
			continue;
		print_rows(pages[i].page);
		return true;
	}
	return false;
}

static void print_services(void)
{
	puts(".Bl -tag -width discard");
	for (const struct service *service = services; service->name; service++) {
		printf(".It Cm %s\n", service->name);
		print_text(service->what);
		printf(" (%s).\n", service->rfc);
	}
	puts(".El");
}

static void fill_line(const char *line)
{
	if (strncmp(line, "@OPTIONS ", 9) == 0) {
		if (!print_options(line + 9, strcspn(line + 9, "@")))
			die(EXIT_FAILED, "manual", "no options for: %s", line);
	} else if (strcmp(line, "@SERVICES@\n") == 0) {
		print_services();
	} else {
		fputs(line, stdout);
	}
}

int main(int argc, char **argv)
{
	char line[1024];
	FILE *template;

	if (argc != 2)
		die(EXIT_USAGE, "manual", "usage: manual TEMPLATE >PAGE");
	template = fopen(argv[1], "r");
	if (template == NULL)
		die(EXIT_FAILED, "manual", "%s: %s", argv[1], strerror(errno));
	while (fgets(line, sizeof(line), template) != NULL)
		fill_line(line);
	fclose(template);
	if (fflush(stdout) != 0)
		die(EXIT_FAILED, "manual", "cannot write: %s", strerror(errno));
	return 0;
}
