/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Would a module load, and what would it need: everything that udf_loader_open() checks, for people. Nothing is placed or run.
 * Host world.
 */
#ifndef UDF_LOADER_CHECK_H
#define UDF_LOADER_CHECK_H

#include <stdbool.h>

#include "loader/insns.h"
#include "loader/modules.h"

enum udf_verdict {
	UDF_VERDICT_OK,
	UDF_VERDICT_NOT_FOUND,		/* no such module or file */
	UDF_VERDICT_BROKEN,		/* not a module, or damaged */
	UDF_VERDICT_WRONG_KERNEL,	/* vermagic */
	UDF_VERDICT_MISSING,		/* symbols that nothing provides */
	UDF_VERDICT_CRC,		/* symbols with another CRC */
	UDF_VERDICT_REFUSED,		/* GPL-only symbols, name spaces */
	UDF_VERDICT_DEPENDENCY,		/* one that it depends on fails */
	UDF_VERDICT_COUNT
};

/* A word or two: "ok", "missing symbols", ... */
const char *udf_verdict_name(enum udf_verdict verdict);

enum udf_complaint_kind { UDF_COMPLAINT_MISSING, UDF_COMPLAINT_CRC, UDF_COMPLAINT_LICENCE, UDF_COMPLAINT_NAMESPACE };

/* A symbol that is not as it should be. */
struct udf_complaint {
	enum udf_complaint_kind kind;
	char *symbol, *source;		/* source: module that has it, "" for the kernel image */
	uint32_t want_crc, have_crc;	/* UDF_COMPLAINT_CRC */
};

struct udf_dependency {
	char *name;
	bool soft;
	enum udf_verdict verdict;
};

struct udf_check_insn {
	const char *name;
	bool handled;
	char *function;
	uint64_t offset;
};

struct udf_check {
	char *name, *path;		/* name: as asked for when the module could not be read; path: "" then */
	enum udf_verdict verdict;
	char *text;			/* one line that says why, "" when ok */
	unsigned int nr_dependencies;	/* in load order */
	struct udf_dependency *dependency;
	unsigned int from_modules, from_kapi, from_image;	/* imported symbols */
	unsigned int nr_complaints;
	struct udf_complaint *complaint;
	unsigned int nr_unsupported;	/* imported functions that end the process when they are called */
	char **unsupported;
	unsigned int nr_insns;		/* privileged instructions; none when they were not looked for */
	struct udf_check_insn *insn;
};

struct udf_checker;

/* INSTRUCTIONS: look for privileged instructions too. The arguments must outlive the checker. */
int udf_checker_new(const struct udf_kernel *kernel, const char *modules_dir, bool instructions, struct udf_checker **checker,
		    struct udf_error *err);
void udf_checker_free(struct udf_checker *checker);

/*
 * Check WHAT (as udf_loader_plan() takes it) and call REPORT for each module that it stands for; also when it stands for none, then
 * with the reason. What REPORT gets is good until the checker is freed. Returns 0, or -ENOMEM.
 */
int udf_checker_run(struct udf_checker *checker, const char *what, void (*report)(void *ctx, const struct udf_check *check),
		    void *ctx, struct udf_error *err);

/* All findings so far, dependencies included, in the order of examination; *N says how many. Good until the next check. */
const struct udf_check *const *udf_checker_findings(const struct udf_checker *checker, unsigned int *n);

/* How many modules were examined so far, dependencies included. */
unsigned int udf_checker_examined(const struct udf_checker *checker);

/* Names of all modules of MODULES_DIR with a PCI alias, ascending; free each and the list. Returns how many, or a negative errno. */
int udf_check_pci_modules(const char *modules_dir, char ***names, struct udf_error *err);

#endif
