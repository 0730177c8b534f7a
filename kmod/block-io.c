// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of the kernel's block devices: from the block layer into a ring, and back.
 *
 * The data stays where it is. Its pages are mapped for the device by the kernel's DMA API, as any driver does, and the process is told the
 * device addresses. If it touches the data, a page fault maps that page into it for as long as the request is in flight.
 *
 * What the process writes into a ring is checked: a completion must be one of a request in flight, and ends that and nothing else.
 */
#include <linux/dma-mapping.h>
#include <linux/eventfd.h>
#include <linux/module.h>
#include <linux/nospec.h>

#include "block.h"
#include "compat.h"

#define REAP_BATCH 32

static unsigned int deaths = 10;
module_param(deaths, uint, 0644);
MODULE_PARM_DESC(deaths, "a request that was in flight at so many deaths of driver processes fails instead of being issued again; 0: never (default 10)");

/* Of each request, from when it is first issued until it has ended. */
struct udf_history {
	unsigned int deaths;		/* of driver processes, that it has seen in flight */
	u32 place;			/* of an append: where in its zone it goes, in sectors, and 1; 0: not known yet */
};

static struct udf_history *history_of(struct request *rq)
{
	struct udf_history *history = blk_mq_rq_to_pdu(rq);

	if (!(rq->rq_flags & RQF_DONTPREP))
		*history = (struct udf_history){ 0 };
	rq->rq_flags |= RQF_DONTPREP;
	return history;
}

/* ---- memory ---- */

static blk_status_t map_one(struct udf_block *b, struct udf_slot *s, struct request *rq, struct udf_ring_sqe *e)
{
	struct bio_vec bv = req_bvec(rq);

	s->dev = dma_map_bvec(b->dev, &bv, rq_dma_dir(rq), 0);
	if (dma_mapping_error(b->dev, s->dev))
		return BLK_STS_RESOURCE;
	s->len = bv.bv_len;
	e->nr_segments = 1;
	e->segment[0] = (struct udf_ring_segment){ s->dev, s->len };
	return BLK_STS_OK;
}

static void fill_list(struct udf_queue *q, struct udf_slot *s, unsigned int n, struct udf_ring_sqe *e)
{
	size_t first = (s - q->slot) * UDF_SEGMENTS;
	struct udf_ring_segment *to = n > UDF_RING_INLINE ? q->lists + first : e->segment;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(s->sg, sg, n, i)
		to[i] = (struct udf_ring_segment){ sg_dma_address(sg), sg_dma_len(sg) };
	e->nr_segments = n;
	if (n > UDF_RING_INLINE)
		e->segment[0] = (struct udf_ring_segment){ first * sizeof(*to), n * sizeof(*to) };
}

static blk_status_t map_many(struct udf_queue *q, struct udf_slot *s, struct request *rq, struct udf_ring_sqe *e)
{
	struct udf_block *b = q->block;
	int n;

	s->sg = mempool_alloc(&b->tables, GFP_ATOMIC);
	if (!s->sg)
		return BLK_STS_RESOURCE;
	sg_init_table(s->sg, blk_rq_nr_phys_segments(rq));
	s->nr_sg = blk_rq_map_sg(rq->q, rq, s->sg);
	n = dma_map_sg_attrs(b->dev, s->sg, s->nr_sg, rq_dma_dir(rq), DMA_ATTR_NO_WARN);
	if (n <= 0) {
		mempool_free(s->sg, &b->tables);
		s->nr_sg = 0;
		return BLK_STS_RESOURCE;
	}
	fill_list(q, s, n, e);
	return BLK_STS_OK;
}

static blk_status_t map_data(struct udf_queue *q, struct udf_slot *s, struct request *rq, struct udf_ring_sqe *e)
{
	WRITE_ONCE(s->touched, false);
	s->nr_sg = s->len = 0;
	if (!bio_has_data(rq->bio) || e->op == UDF_RING_ZONE_WHERE)
		return BLK_STS_OK;
	if (blk_rq_nr_phys_segments(rq) == 1 && req_bvec(rq).bv_len == e->length)
		return map_one(q->block, s, rq, e);
	return map_many(q, s, rq, e);
}

static void zap(struct udf_block *b, dma_addr_t dev, size_t len)
{
	u64 first = round_down(dev, PAGE_SIZE), end = round_up(dev + len, PAGE_SIZE);

	if (b->port->mapping)
		unmap_mapping_range(b->port->mapping, UDF_PORT_MMAP_REQUESTS + first, end - first, 1);
}

/* The process has it mapped, or is about to: the fault finds it gone, or has ended when we have the lock. */
static void zap_data(struct udf_block *b, const struct udf_slot *s)
{
	struct scatterlist *sg;
	unsigned int i;

	mutex_lock(&b->touch_lock);
	if (s->len)
		zap(b, s->dev, s->len);
	for_each_sg(s->sg, sg, s->nr_sg, i) {
		if (!sg_dma_len(sg))
			break;
		zap(b, sg_dma_address(sg), sg_dma_len(sg));
	}
	mutex_unlock(&b->touch_lock);
}

static void unmap_data(struct udf_block *b, struct udf_slot *s, struct request *rq)
{
	if (READ_ONCE(s->touched))
		zap_data(b, s);
	if (s->len)
		dma_unmap_page(b->dev, s->dev, s->len, rq_dma_dir(rq));
	if (!s->nr_sg)
		return;
	dma_unmap_sg(b->dev, s->sg, s->nr_sg, rq_dma_dir(rq));
	mempool_free(s->sg, &b->tables);
}

/* Page of the request in S that is at device address DEV; NULL: none. Both lists describe the same bytes, in the same order. */
static struct page *find_page(const struct udf_slot *s, struct request *rq, dma_addr_t dev)
{
	struct scatterlist *sg;
	struct bio_vec bv;
	size_t at = 0;
	unsigned int i;

	if (s->len) {
		bv = req_bvec(rq);
		if (dev < round_down(s->dev, PAGE_SIZE) || dev >= s->dev + s->len)
			return NULL;
		return bv.bv_page + ((bv.bv_offset + dev - s->dev) >> PAGE_SHIFT);
	}
	for_each_sg(s->sg, sg, s->nr_sg, i) {
		if (!sg_dma_len(sg))
			return NULL;
		if (dev >= round_down(sg_dma_address(sg), PAGE_SIZE) && dev < sg_dma_address(sg) + sg_dma_len(sg))
			break;
		at += sg_dma_len(sg);
	}
	if (i == s->nr_sg)
		return NULL;
	at += max_t(dma_addr_t, dev, sg_dma_address(sg)) - sg_dma_address(sg);
	for_each_sg(s->sg, sg, s->nr_sg, i) {
		if (at < sg->length)
			return sg_page(sg) + ((sg->offset + at) >> PAGE_SHIFT);
		at -= sg->length;
	}
	return NULL;
}

/* With touch_lock: find DEV in the request of S, and see to it that whoever ends it waits for us. */
static struct page *touch(struct udf_slot *s, dma_addr_t dev)
{
	struct request *rq = smp_load_acquire(&s->rq);
	struct page *page;

	if (!rq || READ_ONCE(s->touched))
		return rq ? find_page(s, rq, dev) : NULL;
	WRITE_ONCE(s->touched, true);
	smp_mb();	/* pairs with the exchange of RQ, by who then looks at TOUCHED */
	/* the slot may have been used anew before it was marked */
	if (smp_load_acquire(&s->rq) != rq || !READ_ONCE(s->touched))
		return NULL;
	page = find_page(s, rq, dev);
	if (!page)
		WRITE_ONCE(s->touched, false);
	return page;
}

vm_fault_t udf_block_fault(struct udf_port *port, struct vm_fault *vmf)
{
	dma_addr_t dev = ((u64)vmf->pgoff << PAGE_SHIFT) - UDF_PORT_MMAP_REQUESTS;
	struct udf_block *b = smp_load_acquire(&port->block);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct page *page = NULL;
	unsigned int i;

	/* what is in flight then is an earlier session's */
	if (!b || READ_ONCE(port->resetting))
		return ret;
	mutex_lock(&b->touch_lock);
	for (i = 0; i < b->nr_queues * b->entries && !page; i++)
		page = touch(&b->queue[i / b->entries].slot[i % b->entries], dev);
	if (page)
		ret = vmf_insert_pfn(vmf->vma, vmf->address & PAGE_MASK, page_to_pfn(page));
	mutex_unlock(&b->touch_lock);
	return ret;
}

/* ---- submission ---- */

static void ring_bell(struct udf_queue *q)
{
	if (udf_ring_publish(&q->ring) && q->eventfd)
		udf_eventfd_signal(q->eventfd);
}

static blk_status_t describe(const struct request *rq, const struct udf_history *history, struct udf_ring_sqe *e)
{
	static const unsigned char ops[] = {
		[REQ_OP_READ] = UDF_RING_READ,
		[REQ_OP_WRITE] = UDF_RING_WRITE,
		[REQ_OP_FLUSH] = UDF_RING_FLUSH,
		[REQ_OP_DISCARD] = UDF_RING_DISCARD,
		[REQ_OP_WRITE_ZEROES] = UDF_RING_WRITE_ZEROES,
		[REQ_OP_ZONE_APPEND] = UDF_RING_ZONE_WHERE,
		[REQ_OP_ZONE_RESET] = UDF_RING_ZONE_RESET,
		[REQ_OP_ZONE_RESET_ALL] = UDF_RING_ZONE_RESET_ALL,
		[REQ_OP_ZONE_OPEN] = UDF_RING_ZONE_OPEN,
		[REQ_OP_ZONE_CLOSE] = UDF_RING_ZONE_CLOSE,
		[REQ_OP_ZONE_FINISH] = UDF_RING_ZONE_FINISH,
		[REQ_OP_DRV_IN] = UDF_RING_ZONE_REPORT,		/* there is no other than udf_report_zones()'s */
	};
	const unsigned int op = (__force unsigned int)req_op(rq);

	e->op = op < ARRAY_SIZE(ops) ? ops[op] : 0;
	if (!e->op)
		return BLK_STS_NOTSUPP;
	if (e->op == UDF_RING_FLUSH)
		return BLK_STS_OK;
	if (e->op == UDF_RING_WRITE_ZEROES)
		e->flags = UDF_RING_NOFALLBACK | (rq->cmd_flags & REQ_NOUNMAP ? UDF_RING_NOUNMAP : 0);
	if (rq->cmd_flags & REQ_FUA)
		e->flags |= UDF_RING_FUA;
	e->sector = blk_rq_pos(rq);
	e->length = blk_rq_bytes(rq);
	if (e->op == UDF_RING_ZONE_WHERE && history->place) {
		e->op = UDF_RING_WRITE;
		e->sector += history->place - 1;
	} else if (e->op == UDF_RING_ZONE_WHERE) {
		e->length = 0;
	}
	return BLK_STS_OK;
}

/* No process performs requests of D: they wait, or fail. */
static blk_status_t not_now(const struct udf_disk *d)
{
	return READ_ONCE(d->dead) || READ_ONCE(d->failing) ? BLK_STS_IOERR : BLK_STS_RESOURCE;
}

/* With the lock, all but publishing. */
static blk_status_t push(struct udf_queue *q, struct udf_disk *d, struct request *rq, struct udf_ring_sqe *e)
{
	struct udf_slot *s = &q->slot[rq->tag];

	e->disk = READ_ONCE(d->id);
	if (!q->running || !e->disk)
		return not_now(d);
	blk_mq_start_request(rq);
	if (history_of(rq)->deaths)
		e->flags |= UDF_RING_AGAIN;
	smp_store_release(&s->rq, rq);
	udf_ring_push(&q->ring, e);
	return BLK_STS_OK;
}

static void commit(struct udf_queue *q)
{
	spin_lock(&q->lock);
	if (q->running)
		ring_bell(q);
	spin_unlock(&q->lock);
}

static blk_status_t queue_one(struct udf_queue *q, struct request *rq, bool last)
{
	struct udf_disk *d = rq->q->queuedata;
	struct udf_ring_sqe e = { .user_data = rq->tag };
	struct udf_slot *s = &q->slot[rq->tag];
	blk_status_t ret = describe(rq, history_of(rq), &e);

	if (ret)
		return ret;
	if (req_op(rq) == REQ_OP_ZONE_APPEND && !udf_zone_lock(rq)) {
		/* another write of its zone: in the list of those that come again it is in nobody's way */
		blk_mq_start_request(rq);
		blk_mq_requeue_request(rq, false);
		blk_mq_delay_kick_requeue_list(rq->q, 1);
		if (last)
			commit(q);
		return BLK_STS_OK;
	}
	/* the rings, which the lists of segments are in, may be gone if nothing runs; else they are there for as long as this is (RCU) */
	if (!READ_ONCE(q->running)) {
		ret = not_now(d);
		if (ret == BLK_STS_IOERR)
			udf_zone_unlock(rq);
		return ret;
	}
	ret = map_data(q, s, rq, &e);
	if (ret)
		return ret;
	spin_lock(&q->lock);
	ret = push(q, d, rq, &e);
	if (!ret && last)
		ring_bell(q);
	spin_unlock(&q->lock);
	if (ret)
		unmap_data(q->block, s, rq);
	if (ret == BLK_STS_IOERR)
		udf_zone_unlock(rq);
	return ret;
}

static blk_status_t queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	return queue_one(hctx->driver_data, bd->rq, bd->last);
}

static void commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	commit(hctx->driver_data);
}

#ifdef UDF_QUEUE_RQS
/* A process that sleeps wakes up while many requests are being queued: it looks for them for a while, and asks again before it sleeps. */
static void rouse(struct udf_queue *q)
{
	spin_lock(&q->lock);
	if (q->running && q->eventfd && udf_ring_sleeps(&q->ring))
		udf_eventfd_signal(q->eventfd);
	spin_unlock(&q->lock);
}

/*
 * What a task has gathered under its plug, with no detour for each: one ring of the bell. What cannot be queued now stays in the list, and comes
 * again by queue_rq(); the block layer has not looked whether the queue is quiesced, but then there is no process or the disk is not coupled.
 */
static void queue_rqs(struct request **list)
{
	struct request *rq = *list, *next, *left = NULL, **end = &left;
	struct udf_queue *q = rq->mq_hctx->driver_data;

	if (rq->rq_next)
		rouse(q);
	for (; rq; rq = next) {
		struct udf_queue *to = rq->mq_hctx->driver_data;

		next = rq->rq_next;
		rq->rq_next = NULL;
		if (q != to) {
			commit(q);
			q = to;
		}
		if (queue_one(q, rq, !next)) {
			*end = rq;
			end = &rq->rq_next;
		}
	}
	if (left)
		commit(q);	/* the last may not have been queued */
	*list = left;
}
#endif

/* ---- completion ---- */

/*
 * The process has completed an append, that is, has said where it goes (PLACE), or has written it there. Meanwhile the zone is locked, over
 * deaths as well, so that there is one place for it. Returns whether it is to be issued again.
 */
static bool append_goes_on(struct request *rq, struct udf_history *history, u32 place, blk_status_t *status)
{
	const struct queue_limits *lim = &rq->q->limits;
	const bool placed = history->place;

	if (!*status && placed)
		rq->__sector += history->place - 1;
	else if (!*status && (place % (lim->logical_block_size >> SECTOR_SHIFT) || (u64)place + blk_rq_sectors(rq) > lim->chunk_sectors))
		*status = BLK_STS_IOERR;
	if (*status || placed) {
		udf_zone_unlock(rq);
		return false;
	}
	history->place = place + 1;
	blk_mq_requeue_request(rq, true);
	return true;
}

static void complete_one(struct udf_queue *q, const struct udf_ring_cqe *c, struct io_comp_batch *batch)
{
	struct udf_slot *s = &q->slot[array_index_nospec(c->user_data, q->block->entries)];
	struct request *rq = xchg(&s->rq, NULL);
	blk_status_t status = c->result > 0 ? BLK_STS_IOERR : c->result ? errno_to_blk_status(c->result) : BLK_STS_OK;

	if (!rq)
		return;		/* was completed: who says so twice does not know what it does, but hurts nobody */
	unmap_data(q->block, s, rq);
	if (req_op(rq) == REQ_OP_ZONE_APPEND && append_goes_on(rq, history_of(rq), c->value, &status))
		return;
	if (!blk_mq_add_to_batch(rq, batch, status != BLK_STS_OK, blk_mq_end_request_batch))
		blk_mq_end_request(rq, status);
}

/* Take at most REAP_BATCH. Returns how many; 0: none is there, and the next one rings; -1: the ring is broken. */
static int take(struct udf_queue *q, struct udf_ring_cqe *c)
{
	int n = 0;

	spin_lock(&q->reap_lock);
	if (q->running) {
		if (READ_ONCE(q->ring.shared->cq_tail) - q->ring.cq > q->block->entries)
			n = -1;
		do {
			while (n >= 0 && n < REAP_BATCH && udf_ring_reap(&q->ring, &c[n]))
				n++;
		} while (!n && udf_ring_wait_cq(&q->ring));
	}
	spin_unlock(&q->reap_lock);
	return n;
}

int udf_queue_reap(struct udf_queue *q)
{
	struct udf_ring_cqe c[REAP_BATCH];
	int n, i;

	while ((n = take(q, c)) > 0 && !fatal_signal_pending(current)) {
		DEFINE_IO_COMP_BATCH(batch);

		for (i = 0; i < n; i++)
			if (c[i].user_data < q->block->entries)
				complete_one(q, &c[i], &batch);
		if (batch.complete)
			batch.complete(&batch);
		cond_resched();
	}
	return n < 0 ? -EPROTO : 0;
}

/* Whether RQ has seen so many processes die that it may be why they do. */
static bool is_deadly(struct udf_block *b, struct request *rq)
{
	struct udf_history *history = blk_mq_rq_to_pdu(rq);
	unsigned int limit = READ_ONCE(deaths);

	if (++history->deaths < limit || !limit)
		return false;
	dev_err(b->dev, "%u driver processes have died with this request in flight, which fails now: operation %u at sector %llu, %u bytes\n",
		limit, req_op(rq), (u64)blk_rq_pos(rq), blk_rq_bytes(rq));
	return true;
}

void udf_queue_take_back(struct udf_queue *q, bool fail)
{
	unsigned int i;

	for (i = 0; i < q->block->entries; i++) {
		struct request *rq = xchg(&q->slot[i].rq, NULL);
		struct udf_disk *d = rq ? rq->q->queuedata : NULL;

		if (!rq)
			continue;
		unmap_data(q->block, &q->slot[i], rq);
		if (fail || READ_ONCE(d->dead) || is_deadly(q->block, rq)) {
			udf_zone_unlock(rq);
			blk_mq_end_request(rq, BLK_STS_IOERR);
		} else {
			blk_mq_requeue_request(rq, false);
		}
	}
}

/* A process that hangs is for the port manager to see; then what it had in flight goes to the next one. */
static enum blk_eh_timer_return on_timeout(struct request *rq)
{
	return BLK_EH_RESET_TIMER;
}

static int init_hctx(struct blk_mq_hw_ctx *hctx, void *data, unsigned int index)
{
	struct udf_block *b = data;

	hctx->driver_data = &b->queue[index];
	return 0;
}

const unsigned int udf_block_request_size = sizeof(struct udf_history);

const struct blk_mq_ops udf_block_ops = {
	.queue_rq = queue_rq,
	.commit_rqs = commit_rqs,
#ifdef UDF_QUEUE_RQS
	.queue_rqs = queue_rqs,
#endif
	.init_hctx = init_hctx,
	.timeout = on_timeout,
};
