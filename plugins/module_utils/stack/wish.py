# Copyright (c) 2026 mlinfra.hosts contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The declaration of a stack after validation: what everything else in the engine reads.

``document.py`` makes these from module parameters; nothing else makes them in product code. All values are checked
and defaulted, so readers need no further checks. ``None`` for a section means that it was not given: it is then
unmanaged, neither read nor pruned. Sizes are GiB, times are days or seconds as the name says.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scope:
    """Where a stack lives and what goes on all that it makes."""

    account_id: str
    region: str
    stack: str
    environment: str
    tags: dict[str, str] = field(default_factory=dict)
    permissions_boundary: str | None = None
    iam_path: str = ""  # default /mlinfra/<stack>/<environment>/, filled in by document.py

    @property
    def prefix(self) -> str:
        """``<stack>-<environment>``, the prefix of physical names and the word that ``confirm`` wants."""
        return f"{self.stack}-{self.environment}"


@dataclass(frozen=True)
class Reference:
    """Something that exists already and is read, checked and never written: by id or by tags, never both."""

    ids: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExistingNetwork:
    vpc: Reference
    subnets: Reference
    security_groups: Reference


@dataclass(frozen=True)
class Access:
    """How the controller reaches the hosts over ssh."""

    via: str = "direct"  # direct | bastion
    cidrs: tuple[str, ...] = ()  # where ssh to the directly reachable hosts may come from
    bastion_pool: str | None = None  # pool whose first host is the way in
    bastion_host: str | None = None  # or an address that is there already
    bastion_user: str | None = None


@dataclass(frozen=True)
class Ingress:
    """One more port that the hosts' security group opens. ``cidrs`` empty means: from the group itself."""

    from_port: int
    to_port: int
    protocol: str = "tcp"
    cidrs: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class Network:
    """Either ``existing`` is set, or ``cidr`` with exactly one of ``zone_count`` and ``zone_names``."""

    cidr: str | None = None
    zone_count: int | None = None
    zone_names: tuple[str, ...] = ()
    private: bool = False  # hosts live in private subnets, without public addresses
    nat: str = "none"  # none | one | per_zone
    endpoints: tuple[str, ...] = ()  # s3 (gateway) | ecr | ssm (interface)
    ingress: tuple[Ingress, ...] = ()
    access: Access = field(default_factory=Access)
    existing: ExistingNetwork | None = None


@dataclass(frozen=True)
class Key:
    """The EC2 key pair of the hosts: ``existing`` names one, else ``public_key`` (OpenSSH text) is imported as ``name``."""

    name: str
    public_key: str | None = None
    existing: bool = False


@dataclass(frozen=True)
class LifecycleRule:
    prefix: str = ""
    expire_days: int | None = None
    noncurrent_expire_days: int | None = None
    abort_multipart_days: int | None = None


@dataclass(frozen=True)
class Bucket:
    name: str  # name in the declaration
    bucket_name: str  # physical name, <stack>-<environment>-<name>-<account> unless given
    existing: bool = False
    versioning: bool = False
    encryption: str = "s3"  # s3 (AES256) | kms
    kms_key: str | None = None
    tls_only: bool = True
    mlflow: bool = False
    lifecycle: tuple[LifecycleRule, ...] = ()


@dataclass(frozen=True)
class Repository:
    name: str
    repository_name: str  # physical name, <stack>-<environment>/<name> unless given
    existing: bool = False
    immutable_tags: bool = False
    scan_on_push: bool = True
    keep_last: int | None = None  # images kept by the lifecycle policy; None: no policy of ours
    kms_key: str | None = None


@dataclass(frozen=True)
class Identity:
    """The hosts' role and instance profile. Names are names of this declaration's buckets and repositories."""

    existing_instance_profile: str | None = None
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    pull: tuple[str, ...] = ()
    push: tuple[str, ...] = ()
    managed_policies: tuple[str, ...] = ()  # ARNs


@dataclass(frozen=True)
class GpuWish:
    """What each instance must offer. ``memory_gib`` is nominal and per GPU (24, 48, 80, 141, 180 …)."""

    models: tuple[str, ...] = ()
    count: int = 1
    memory_gib: int | None = None


@dataclass(frozen=True)
class Image:
    """Exactly one of ``id``, ``ssm`` and ``owner`` with ``name`` (newest match; wildcards as in DescribeImages)."""

    id: str | None = None
    ssm: str | None = None
    owner: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Disk:
    gib: int = 100
    type: str = "gp3"
    iops: int | None = None
    throughput: int | None = None  # MiB/s
    kms_key: str | None = None


@dataclass(frozen=True)
class Volume:
    """A volume beside the root one. Without ``gib`` it is as large as ``snapshot``. ``keep``: it stays when the instance ends."""

    device: str  # chosen by check_volumes.py where the declaration names none
    gib: int | None = None
    type: str = "gp3"  # gp3 | io2
    iops: int | None = None
    throughput: int | None = None  # MiB/s
    kms_key: str | None = None
    snapshot: str | None = None
    keep: bool = False


@dataclass(frozen=True)
class Lease:
    """Until when an instance may live; one of ``expire`` and ``idle`` is there. Durations are seconds."""

    expire: int | None = None  # from when its slot was first filled, or ``renew`` changed
    idle: int | None = None
    on_idle: str = "stop"  # stop | terminate
    renew: str = ""  # any text: another one begins the lease anew
    enforce: str = "host"  # who ends what has expired: host (a timer on it) | scheduler (EventBridge Scheduler)

    @property
    def on_host(self) -> bool:
        """Whether the host needs the timer."""
        return self.idle is not None or self.enforce == "host"

    @property
    def shutdown(self) -> str:
        """What EC2 does when the host powers itself off. An instance has one such behaviour, whatever the reason of the power-off."""
        return "terminate" if self.expire is not None and self.enforce == "host" else self.on_idle


@dataclass(frozen=True)
class Pool:
    """``instance_types`` is never empty: document.py resolves a GPU wish into it, cheapest first."""

    name: str
    count: int
    instance_types: tuple[str, ...]
    image: Image
    gpu: GpuWish | None = None
    disk: Disk = field(default_factory=Disk)
    volumes: tuple[Volume, ...] = ()
    placement: str = "none"  # none | cluster: all in one placement group, and so in one zone
    existing_placement_group: str | None = None
    efa: bool = False
    interfaces: int = 1  # with an address each
    market: tuple[str, ...] = ("on_demand",)  # in the order in which they are tried
    max_hourly_usd: float | None = None  # of one instance
    min: int | None = None  # instances that do for a start; None: all of count
    zones: tuple[str, ...] = ()  # limits the pool to these; empty: all of the network
    exclude_zones: tuple[str, ...] = ()
    exclude_types: tuple[str, ...] = ()
    spread: bool = True  # over the zones; false: all in one zone
    on_change: str = "keep"  # of image or type: keep | refuse | in_place | replace
    adopt: tuple[str, ...] = ()  # ids of instances that others launched and that are the pool's now
    ssh_user: str = "admin"
    user_data: str | None = None
    termination_protection: bool = False
    power: str = "unmanaged"  # running | stopped | unmanaged
    data_loss: str = "refused"  # refused | accepted: what a stop loses on the instance's own disks
    lease: Lease | None = None
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def together(self) -> bool:
        """Whether all instances have to be in one zone."""
        return not self.spread or self.placement == "cluster"

    @property
    def least(self) -> int:
        """Instances below which a launch has failed."""
        return self.count if self.min is None else min(self.min, self.count)


@dataclass(frozen=True)
class Stack:
    """The whole declaration. A section that is None was not given."""

    scope: Scope
    network: Network | None = None
    key: Key | None = None
    buckets: tuple[Bucket, ...] | None = None
    repositories: tuple[Repository, ...] | None = None
    identity: Identity | None = None
    pools: tuple[Pool, ...] | None = None


@dataclass(frozen=True)
class Control:
    """How a run behaves; no part of the declaration and no part of ``plan_id``."""

    state: str = "present"  # present | absent
    check_mode: bool = False
    confirm: str | None = None
    force: tuple[str, ...] = ()
    prune: bool = False
    max_delete: int = 0
    expect_plan: str | None = None
    lock_timeout: int = 0  # seconds to wait for a held lock
    break_lock: bool = False
    on_failure: str = "keep"  # keep | rollback
    wait_timeout: int = 600  # seconds for instances to reach running
