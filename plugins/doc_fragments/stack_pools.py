# Copyright (c) 2026 mlinfra.hosts contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools section of a stack."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  pools:
    description:
      - Groups of identical EC2 instances, described by what they must offer or by instance type.
      - Pools need O(network) and O(key).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the pool. Its hosts are called C(<pool>-0), C(<pool>-1) and so on.
        type: str
        required: true
      count:
        description:
          - Number of instances. A stopped instance counts and is not started.
          - A smaller number ends instances, within O(max_delete). Those go first that do not run, then those with an image or type that the
            pool has no more, then spot before On-Demand before reservations, then those whose lease ends soonest, then the highest slot.
          - An instance with termination protection, or with a tag C(mlinfra:protect) that is not empty or V(false), does not go, unless
            O(force) names it or its pool.
        type: int
        default: 1
      gpu:
        description: What each instance must offer. Exactly one of O(pools[].gpu) and O(pools[].instance_types) is needed.
        type: dict
        suboptions:
          models:
            description: Models that will do, for example V(a10g) or V(h100). Left out, any model of x86 machines will do.
            type: list
            elements: str
          count:
            description: Whole GPUs per instance.
            type: int
            default: 1
          memory_gib:
            description: Nominal memory of one GPU, for example V(24), V(40) or V(80).
            type: int
      instance_types:
        description: Types that will do, in the order in which they are tried.
        type: list
        elements: str
      image:
        description: The image for new instances. Exactly one of O(pools[].image.id), O(pools[].image.ssm), or owner with name.
        type: dict
        required: true
        suboptions:
          id:
            description: Id of an AMI.
            type: str
          ssm:
            description: Path of the SSM parameter that holds the id of an AMI.
            type: str
          owner:
            description: Account id or alias of the owner of the AMI that O(pools[].image.name) finds.
            type: str
          name:
            description: Name of an AMI, with wildcards; the newest match is taken.
            type: str
      disk:
        description: The root volume. It is always encrypted.
        type: dict
        suboptions:
          gib:
            description: Size in GiB.
            type: int
            default: 100
          type:
            description: Type of the volume.
            type: str
            choices: [gp3, gp2]
            default: gp3
          iops:
            description: IOPS of a gp3 volume, 3000 to 80000 and at most 500 for each GiB. Left out, EC2 gives 3000.
            type: int
          throughput:
            description: MiB/s of a gp3 volume, 125 to 2000 and at most a quarter of its IOPS. Left out, EC2 gives 125.
            type: int
          kms_key:
            description: KMS key that encrypts the volume. Left out, the account's default key does.
            type: str
      volumes:
        description:
          - Volumes beside the root one, each of them encrypted. They carry the tags of the instance.
          - They are made at launch. What instances that run already have is compared by device, and told as C(outdated).
        type: list
        elements: dict
        version_added: 0.4.0
        suboptions:
          device:
            description:
              - Name that EC2 knows the volume by, V(/dev/sdb) to V(/dev/sdz). On Nitro instances it shows as an NVMe disk.
              - Left out, the first free one from V(/dev/sdf) to V(/dev/sdp).
            type: str
          gib:
            description: Size in GiB. Needed without O(pools[].volumes[].snapshot), whose size it otherwise has.
            type: int
          type:
            description: Type of the volume.
            type: str
            choices: [gp3, io2]
            default: gp3
          iops:
            description:
              - IOPS. For V(gp3) 3000 to 80000 and at most 500 for each GiB; left out, EC2 gives 3000.
              - For V(io2) 100 to 256000 and at most 1000 for each GiB; it has to be given.
            type: int
          throughput:
            description: MiB/s of a gp3 volume, 125 to 2000 and at most a quarter of its IOPS. Left out, EC2 gives 125.
            type: int
          kms_key:
            description: KMS key that encrypts the volume. Left out, the account's default key does.
            type: str
          snapshot:
            description: Id of the snapshot that the volume begins with.
            type: str
          keep:
            description:
              - Whether the volume stays when its instance ends, also with O(state=absent). The plan names the volumes that will stay.
              - It is then nobody's. It keeps the tags of its launch and costs what it costs until somebody deletes it, and no later
                instance gets it. Make a snapshot of it for that.
            type: bool
            default: false
      placement:
        description:
          - With V(cluster) all instances are in one placement group, close to each other in one zone, and are launched all or none.
          - The group is called C(<stack>-<environment>-<pool>). It goes when no pool wants it and no instance is left in it, which
            is looked for while any pool has a group, with O(prune) and with O(state=absent).
          - Types that cannot be in such a group are no offers.
        type: str
        choices: [none, cluster]
        default: none
        version_added: 0.4.0
      existing_placement_group:
        description: Name of a placement group that is there, for O(pools[].placement=cluster). It is read and checked, never written.
        type: str
        version_added: 0.4.0
      efa:
        description:
          - Whether instances get Elastic Fabric Adapters, one on each network card and as many as the type takes. Types without EFA are
            no offers.
          - The hosts' security group then allows all traffic to and from itself. Existing groups have to do so themselves.
          - Instances with more than one interface get no public address, so that such pools need a private network.
          - EFA works within one zone only. O(pools[].placement=cluster) is what such a pool usually wants too.
        type: bool
        default: false
        version_added: 0.4.0
      interfaces:
        description:
          - Network interfaces with an address of their own, over the type's network cards. Types that take fewer are no offers.
          - Instances with more than one get no public address, so that such pools need a private network.
        type: int
        default: 1
        version_added: 0.4.0
      market:
        description:
          - Ways to pay, in the order in which they are tried. A launch that fails for want of capacity goes on through zones, then
            types, then markets; all other failures end the run.
          - For V(reservation) and V(capacity_block) the account must have one that is active.
          - For V(spot) one instant EC2 Fleet is asked for all types and zones at once, and EC2 chooses by price and capacity
            (C(price-capacity-optimized)). Their order in the declaration means nothing there.
        type: list
        elements: str
        choices: [reservation, capacity_block, spot, on_demand]
        default: [on_demand]
        version_added: 0.3.0
      max_hourly_usd:
        description: The most that an hour of one instance may cost. What has no known price is not launched then.
        type: float
        version_added: 0.3.0
      min:
        description:
          - Instances that do for a start, when there is no capacity for O(pools[].count). The next run tries to get the others.
          - Left out, a run that gets fewer than O(pools[].count) fails.
        type: int
        version_added: 0.3.0
      zones:
        description: Zones that the pool may use. Left out, it may use all of the network.
        type: list
        elements: str
      exclude_zones:
        description: Zones that the pool must not use.
        type: list
        elements: str
        version_added: 0.3.0
      exclude_types:
        description: Types that the pool must not use, of those that offer the wished GPUs.
        type: list
        elements: str
        version_added: 0.3.0
      spread:
        description: Whether instances are spread over the zones. Otherwise all are in one.
        type: bool
        default: true
      on_change:
        description:
          - What happens to instances that the declaration has left behind, in image, type or zone.
          - V(keep) says so in the plan and leaves them. V(refuse) blocks the plan.
          - V(in_place) stops an instance whose type will not do any more, changes its type to the first of those that will do and fit its
            zone, market and architecture, and starts it again. Only On-Demand instances can be changed so. An image cannot.
          - V(replace) terminates and launches anew, one instance after the other; with O(pools[].spread=false) all of the pool together.
            O(max_delete) counts them. Until its successor runs, what is replaced is missing; without capacity for one, the run ends there.
            Instances that O(pools[].adopt) names are not replaced.
        type: str
        choices: [keep, refuse, in_place, replace]
        default: keep
        version_added: 0.4.0
      adopt:
        description:
          - Ids of instances that somebody else launched and that belong to the pool from now on. They get its tags and its lowest free
            slots, and count towards O(pools[].count).
          - Each must be running or stopped, of a type of the pool, in a subnet and zone of the pool, and no other stack's.
          - They are the pool's for as long as they are named here. Such an instance stays when the pool shrinks. O(state=absent) removes it
            when the declaration still names it; its volumes go as their own settings say.
          - One that is no longer named keeps its tags, is V(foreign), and is never changed again. Remove its C(mlinfra:) tags to take it
            out of the inventory.
        type: list
        elements: str
        version_added: 0.4.0
      ssh_user:
        description: The image's login user.
        type: str
        default: admin
      user_data:
        description: Script or cloud-config that instances get at launch, up to 16 KiB.
        type: str
      user_data_file:
        description: File on the controller with the user data, found like any file of the play.
        type: path
      termination_protection:
        description: Whether EC2 refuses to terminate the instances. The collection then refuses too.
        type: bool
        default: false
      power:
        description:
          - V(unmanaged) leaves instances running or stopped as they are. A stopped one counts as present.
          - V(running) starts those that are stopped.
          - V(stopped) stops those that run, and launches none while it says so. It is not possible with V(spot) in O(pools[].market).
        type: str
        choices: [running, stopped, unmanaged]
        default: unmanaged
        version_added: 0.4.0
      data_loss:
        description:
          - Whether instances may be stopped although their type has disks of its own (instance store), whose data a stop loses.
          - V(refused) blocks such a plan.
        type: str
        choices: [refused, accepted]
        default: refused
        version_added: 0.4.0
      lease:
        description:
          - Until when instances may live. AWS and the hosts themselves see to it, with no controller.
          - Tags that begin with C(mlinfra:) carry the moment. The plan says of each instance until when it lives and who ends it.
        type: dict
        version_added: 0.4.0
        suboptions:
          expire:
            description:
              - How long after its launch an instance is terminated, for example V(3d), V(12h) or V(90m).
              - Its slot is not filled again until O(pools[].lease.renew) changes. An instance that replaces another one before that
                lives for the rest of the lease.
              - For instances that are there already it begins when it is declared.
            type: str
          idle:
            description:
              - How long a host may be idle before O(pools[].lease.on_idle). Idle is a host whose GPUs all do less than 5 % of what they
                can; one whose C(nvidia-smi) is not there or tells no such number (MIG), when its load is below a tenth of its CPUs and
                below 1. A host that Ansible is at work on is not idle.
              - A timer on the host measures it, which only instances have that were launched with a lease.
            type: str
          on_idle:
            description:
              - Whether an idle host is stopped, or terminated. A stopped one counts as present.
              - V(stop) is not possible with spot, nor with O(pools[].lease.expire) and O(pools[].lease.enforce=host), since an instance
                has one behaviour when it shuts itself down.
            type: str
            choices: [stop, terminate]
            default: stop
          renew:
            description: Any text, for example a date. Another text than before begins the leases of the pool anew, from that run.
            type: str
          enforce:
            description:
              - Who terminates what has expired. V(host) is a timer on the host, put there by its user data, which looks every minute. It
                works while the host runs.
              - V(scheduler) is a schedule of EventBridge Scheduler for each instance, with a role that the stack makes. It works for
                stopped instances too, and for those that were launched without a lease.
            type: str
            choices: [host, scheduler]
            default: host
      tags:
        description: Tags for this pool's instances and volumes, beside those of the stack.
        type: dict
"""
