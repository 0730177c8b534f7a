// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces wbt_enable_default() and blk_cgroup_bio_start(): the block layer in this process neither throttles writeback nor counts what groups
 * do. Both are for the tasks of a machine; here all requests come from one task, and have passed the machine's own block layer or an
 * application's. Kernel world.
 */
struct request_queue;
struct bio;

void wbt_enable_default(struct request_queue *q);
void blk_cgroup_bio_start(struct bio *bio);

void wbt_enable_default(struct request_queue *q)
{
}

void blk_cgroup_bio_start(struct bio *bio)
{
}
