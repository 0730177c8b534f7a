// SPDX-License-Identifier: GPL-2.0
/*
 * udf_netcheck.ko: does the first Ethernet interface pass frames? Kernel world, an ordinary module.
 *
 * Its init function opens the interface, waits for the link, and sends frames of many lengths to a peer that sends each back with
 * the payload inverted. It fails with -ENODEV without an interface, -ENOLINK without a link, -ETIMEDOUT when a frame is lost,
 * -EBADMSG when one is damaged. Its exit function closes the interface if it has opened it.
 */
#include <linux/completion.h>
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <net/net_namespace.h>
#include <net/sch_generic.h>

#define ETHERTYPE 0x88b5	/* for local experiments */
#define MARK 0x75646621
#define WAIT (5 * HZ)

struct sign {
	__be32 mark, seq, len;
} __packed;

static char *interface = "";
module_param(interface, charp, 0444);
MODULE_PARM_DESC(interface, "name; default: the first Ethernet interface");
static unsigned int rounds = 4;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "times that frames of all lengths are sent");

static struct net_device *dev;
static bool opened;
static DECLARE_WAIT_QUEUE_HEAD(link_wait);
static DECLARE_COMPLETION(answered);
static u32 waiting_for;
static int verdict;

static u8 pattern(u32 seq, unsigned int i)
{
	return seq * 31 + i * 7 + (i >> 8);
}

static bool payload_right(const u8 *p, u32 seq, unsigned int len)
{
	unsigned int i;

	for (i = sizeof(struct sign); i < len; i++)
		if (p[i] != (u8)~pattern(seq, i))
			return false;
	return true;
}

/* A frame has come, in softirq context. */
static int receive(struct sk_buff *skb, struct net_device *in, struct packet_type *type, struct net_device *orig)
{
	const struct sign *sign;
	u32 len;

	if (skb_linearize(skb) || skb->len < sizeof(*sign))
		goto out;
	sign = (const struct sign *)skb->data;
	len = ntohl(sign->len);
	if (sign->mark != htonl(MARK) || ntohl(sign->seq) != READ_ONCE(waiting_for))
		goto out;
	verdict = len <= skb->len && payload_right(skb->data, waiting_for, len) ? 0 : -EBADMSG;
	complete(&answered);
out:
	kfree_skb(skb);
	return 0;
}

static struct packet_type packets = { .type = htons(ETHERTYPE), .func = receive };

static int notify(struct notifier_block *nb, unsigned long event, void *data)
{
	wake_up(&link_wait);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = notify };

static struct net_device *find(void)
{
	struct net_device *d;

	for_each_netdev(&init_net, d)
		if (d->type == ARPHRD_ETHER && (!*interface || !strcmp(d->name, interface)))
			return d;
	return NULL;
}

static struct sk_buff *make(u32 seq, unsigned int len)
{
	struct sk_buff *skb = alloc_skb(LL_RESERVED_SPACE(dev) + len + dev->needed_tailroom, GFP_KERNEL);
	struct sign *sign;
	unsigned int i;
	u8 *p;

	if (!skb)
		return NULL;
	skb_reserve(skb, LL_RESERVED_SPACE(dev));
	p = skb_put(skb, len);
	for (i = 0; i < len; i++)
		p[i] = pattern(seq, i);
	sign = (struct sign *)p;
	sign->mark = htonl(MARK);
	sign->seq = htonl(seq);
	sign->len = htonl(len);
	skb->dev = dev;
	skb->protocol = htons(ETHERTYPE);
	skb_reset_network_header(skb);
	if (dev_hard_header(skb, dev, ETHERTYPE, dev->broadcast, dev->dev_addr, len) < 0) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

/* A frame there and back. */
static int exchange(u32 seq, unsigned int len)
{
	struct sk_buff *skb = make(seq, len);
	int err;

	if (!skb)
		return -ENOMEM;
	reinit_completion(&answered);
	WRITE_ONCE(waiting_for, seq);
	err = dev_queue_xmit(skb);
	if (err)
		return err > 0 ? -EIO : err;
	return wait_for_completion_timeout(&answered, WAIT) ? verdict : -ETIMEDOUT;
}

static int exchange_all(void)
{
	static const u16 lengths[] = { 12, 46, 47, 64, 100, 128, 255, 256, 500, 1000, 1024, 1492, 1499, 1500 };
	u32 seq = 0;
	unsigned int i, round;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < ARRAY_SIZE(lengths); i++) {
			int err = exchange(++seq, lengths[i]);

			if (err) {
				pr_warn("udf_netcheck: %s: frame %u of %u bytes: error %d\n", dev->name, seq, lengths[i], err);
				return err;
			}
		}
	}
	pr_info("udf_netcheck: %s: PASS: %u frames each way\n", dev->name, seq);
	return 0;
}

static int check(void)
{
	struct netlink_ext_ack ack = { };
	int err;

	rtnl_lock();
	dev = find();
	if (dev)
		dev_hold(dev);
	err = dev ? 0 : -ENODEV;
	if (!err && !(dev->flags & IFF_UP)) {
		err = dev_open(dev, &ack);
		opened = !err;
	}
	rtnl_unlock();
	if (err) {
		pr_warn("udf_netcheck: %s: cannot be opened: error %d\n", dev ? dev->name : "no Ethernet interface", err);
		return err;
	}
	/* when the notifier is called, the queues are active */
	if (!wait_event_timeout(link_wait, netif_carrier_ok(dev) && !qdisc_tx_is_noop(dev), 2 * WAIT)) {
		pr_warn("udf_netcheck: %s: no link\n", dev->name);
		return -ENOLINK;
	}
	return exchange_all();
}

static void undo(void)
{
	dev_remove_pack(&packets);
	unregister_netdevice_notifier(&notifier);
	if (!dev)
		return;
	rtnl_lock();
	if (opened)
		dev_close(dev);
	rtnl_unlock();
	dev_put(dev);
}

static int __init netcheck_init(void)
{
	int err = register_netdevice_notifier(&notifier);

	if (err)
		return err;
	dev_add_pack(&packets);
	err = check();
	if (err)
		undo();
	return err;
}

static void __exit netcheck_exit(void)
{
	undo();
}

module_init(netcheck_init);
module_exit(netcheck_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("UDF: checks that a network interface passes frames");
