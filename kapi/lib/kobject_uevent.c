// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces lib/kobject_uevent.c: kobject_uevent_env(): events go to the host and to the front ends, there is no netlink
 * listener and no helper program in a driver process. Kernel world.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/slab.h>

#include "kapi.h"
#include "front/kapi_front.h"

static const char *const kapi_actions[] = {
	[KOBJ_ADD] = "add", [KOBJ_REMOVE] = "remove", [KOBJ_CHANGE] = "change", [KOBJ_MOVE] = "move",
	[KOBJ_ONLINE] = "online", [KOBJ_OFFLINE] = "offline", [KOBJ_BIND] = "bind", [KOBJ_UNBIND] = "unbind",
};

/* The kset that decides about KOBJ's events: its own or the nearest ancestor's. */
static struct kset *kapi_uevent_kset(struct kobject *kobj)
{
	while (kobj && !kobj->kset)
		kobj = kobj->parent;
	return kobj ? kobj->kset : NULL;
}

static int kapi_uevent_fill(struct kobject *kobj, struct kset *kset, struct kobj_uevent_env *env, char *extra[])
{
	const char *subsystem = NULL;
	int err, i;

	if (kset->uevent_ops && kset->uevent_ops->name)
		subsystem = kset->uevent_ops->name(kobj);
	err = add_uevent_var(env, "SUBSYSTEM=%s", subsystem ?: kobject_name(&kset->kobj));
	for (i = 0; extra && extra[i] && !err; i++)
		err = add_uevent_var(env, "%s", extra[i]);
	if (!err && kset->uevent_ops && kset->uevent_ops->uevent)
		err = kset->uevent_ops->uevent(kobj, env);
	return err;
}

int kobject_uevent_env(struct kobject *kobj, enum kobject_action action, char *envp_ext[])
{
	struct kset *kset = kapi_uevent_kset(kobj);
	struct kobj_uevent_env *env;
	char *path;
	int err;

	if (action == KOBJ_REMOVE)
		kobj->state_remove_uevent_sent = 1;
	if (!kset)
		return -EINVAL;
	if (kobj->uevent_suppress || (kset->uevent_ops && kset->uevent_ops->filter && !kset->uevent_ops->filter(kobj)))
		return 0;
	env = kzalloc(sizeof(*env), GFP_KERNEL);
	path = kobject_get_path(kobj, GFP_KERNEL);
	err = env && path ? kapi_uevent_fill(kobj, kset, env, envp_ext) : -ENOMEM;
	if (!err) {
		if (action == KOBJ_ADD)
			kobj->state_add_uevent_sent = 1;
		host_event(kapi_actions[action], path, (const char *const *)env->envp, env->envp_idx);
		kapi_front_uevent(kobj, action, envp_ext);
	}
	kfree(path);
	kfree(env);
	return err;
}
