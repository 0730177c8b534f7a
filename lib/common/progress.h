/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A progress line on stderr for what takes more than two seconds: "udf: preparing the image: relocating (40 %, 3 s)".
 * Nothing is shown when stderr is no terminal, or when the work ends sooner. Host world.
 */
#ifndef UDF_COMMON_PROGRESS_H
#define UDF_COMMON_PROGRESS_H

struct udf_progress;

#define UDF_PROGRESS_UNKNOWN 101u	/* for PERCENT: how much is left cannot be told */

/* Begin: WHAT names the work ("preparing the image"). Returns NULL when nothing will be shown, which the others accept. */
struct udf_progress *udf_progress_start(const char *what);

/*
 * STEP (NULL: none) is under way, PERCENT of the work is done. Cheap; from any thread. PROGRESS is a struct udf_progress *,
 * void so that this function serves as the callback of udf_image_options.
 */
void udf_progress_update(void *progress, const char *step, unsigned int percent);

/* The work has ended, well or not: the line goes away. */
void udf_progress_end(struct udf_progress *p);

#endif
