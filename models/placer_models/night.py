"""What is asked of a night: hosts emptied so that jobs can run on them, and everything back by the morning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import Field

from placer_models.clock import Instant, Window
from placer_models.cluster import Ask, Host, Vm
from placer_models.document import Count, Cpus, Document, MemoryMib, Name
from placer_models.gpus import Mode, Sharing
from placer_models.named import Hosts

WayBack = Literal["same-host", "any-host", "none"]


class Running(Document):
    """An instance of a job that runs as the snapshot is taken, and until when it is expected to."""

    instance: Count
    until: Instant


class Job(Document):
    """Work that waits for freed hosts: `instances` times so many CPUs, so much memory and such GPUs for `hours`.

    `whole_host`: an instance has a freed host to itself. `value` is what one finished instance is worth. It starts no
    earlier than `not_before` and ends by `deadline`.

    One that is `checkpointed` may be stopped, and go on later on any freed host, in the same night or another: its
    hours are then done in several runs. A run of less than `least_part_hours` (or than all of its hours, where these
    are fewer) does nothing for it, and every run that goes on with what another has done spends its first
    `checkpoint_minutes` on saving and loading that.

    `running` is for plans that go on in the midst of a night: the instances that run now, each until when (absent: they
    go as planned). An instance of which it is said is finished when it has run so long.
    """

    name: Name
    cpus: Cpus = 0
    memory_mib: MemoryMib = 0
    gpus: tuple[Ask, ...] = ()
    whole_host: bool = False
    instances: int = Field(default=1, ge=1, le=10**5)
    hours: float = Field(gt=0, le=24 * 366)
    value: int = Field(default=1, ge=0, le=10**9)
    not_before: Instant | None = None
    deadline: Instant | None = None
    checkpointed: bool = False
    least_part_hours: float = Field(default=0.5, gt=0, le=24 * 366)
    checkpoint_minutes: int = Field(default=10, ge=0, le=24 * 60)
    running: tuple[Running, ...] | None = None
    notes: str | None = None

    def done(self, lengths: Iterable[float]) -> float:
        """How many seconds of an instance runs of these lengths do, one after the other."""
        if not self.checkpointed:
            return max(lengths, default=0)
        least = min(self.least_part_hours, self.hours) * 3600
        parts = [length for length in lengths if length >= least]
        return sum(parts[:1]) + sum(max(0, length - 60 * self.checkpoint_minutes) for length in parts[1:])

    def vm(self, name: str, host: Host | None = None) -> Vm:
        """The VM as which an instance stands on this host, under this name; without a host, what it asks of any."""
        vm = Vm(name=name, power="off", cpus=self.cpus, memory_mib=self.memory_mib, gpus=self.gpus)
        return vm if host is None or not self.whole_host else filling(vm, host)


def filling(vm: Vm, host: Host) -> Vm:
    """The VM of an instance that has this host to itself: nothing finds room beside it, nor after the loss of another
    host (rule `reserve`).
    """
    memory_mib = host.memory_room_mib * (1000 if vm.gpus else host.memory_ratio_milli) // 1000
    cpus, memory_mib = max(vm.cpus, host.cpu_room_milli / 1000), max(vm.memory_mib, memory_mib)
    return Vm(name=vm.name, power=vm.power, cpus=cpus, memory_mib=memory_mib, gpus=vm.gpus)


class Jobs(Document):
    """A file of jobs."""

    jobs: tuple[Job, ...]


class LinkLimit(Document):
    """What a link bears at once: all hosts with the same value of `label` share one (a rack's uplink, say), for moves
    into or out of them.
    """

    label: Name
    moves_at_once: int | None = Field(default=None, ge=1, le=10**5)
    mib_per_second: float | None = Field(default=None, gt=0, le=10**7)


class Limits(Document):
    """What a plan may do at once, and in all.

    One migration at a time per host is the default, because the stun times that VMware publishes hold for one VM at a
    time (VM-STUN); vSphere itself allows 8 per host at 10 Gb/s (VM-CONC), AHV two in a cluster. `mib_per_second` is
    what one migration is given of a host's network, `store_mib_per_second` what a suspended VM's state is written and
    read with.
    """

    moves_at_once_per_host: int = Field(default=1, ge=1, le=1000)
    moves_at_once: int | None = Field(default=None, ge=1, le=10**5)
    links: tuple[LinkLimit, ...] = ()
    mib_per_second: float = Field(default=1000, gt=0, le=10**6)
    store_mib_per_second: float = Field(default=500, gt=0, le=10**6)
    store_mib: MemoryMib | None = None
    most_moves: int | None = Field(default=None, ge=0, le=10**6)
    stun_seconds: float | None = Field(default=None, gt=0, le=10**5)
    least_gain: int = Field(default=0, ge=0, le=10**9, description="job value that a freed host must bring, at least")


class Consolidate(Hosts):
    """Free hosts for the night: move, suspend or stop VMs in the window, run jobs on the freed hosts, and bring
    everything back.

    `hosts`/`host_labels` is the scope: only these hosts' VMs are touched. `free` names the hosts to free; without it,
    as many as pay. `way_back`: every VM returns to the host it came from, to any host, or not at all; by `ready_by`,
    else by the window's end.
    """

    kind: Literal["consolidate"] = "consolidate"
    windows: tuple[Window, ...] = Field(min_length=1)
    free: tuple[Name, ...] | Count | None = None
    way_back: WayBack = "same-host"
    ready_by: Instant | None = None
    limits: Limits = Limits()


class Evacuate(Document):
    """Empty hosts for maintenance: all at once, or a rolling upgrade `at_once` hosts at a time, each for `minutes`.

    A host's `minutes` are between its entering maintenance and its leaving it. `in_order` keeps the order of `hosts`.
    VMs return to their hosts afterwards where `way_back` says so.
    """

    kind: Literal["evacuate"] = "evacuate"
    hosts: tuple[Name, ...] = Field(min_length=1)
    windows: tuple[Window, ...] = Field(min_length=1)
    at_once: int | None = Field(default=None, ge=1, le=10**5)
    minutes: Count = 60
    in_order: bool = False
    way_back: WayBack = "none"
    limits: Limits = Limits()


class SetMode(Document):
    """Put GPUs of a host (default: all of them) in another mode or sharing; `minutes` is how long a flash takes, and
    how long a restart of the host. VMs that have to leave run again afterwards as `way_back` says.
    """

    kind: Literal["set-mode"] = "set-mode"
    host: Name
    gpus: tuple[Name, ...] | None = None
    mode: Mode | None = None
    sharing: Sharing | None = None
    windows: tuple[Window, ...] = Field(min_length=1)
    minutes: Count = 15
    way_back: WayBack = "any-host"
    limits: Limits = Limits()


Request = Consolidate | Evacuate | SetMode
"""What can be asked of a night."""


class GpuBefore(Document):
    """A GPU that has been changed, as it was before."""

    host: Name
    gpu: Name
    mode: Mode | None = None
    sharing: Sharing | None = None


class Begun(Document):
    """How a night has begun with whose plan another one goes on at an instant, `at`: what its snapshot cannot tell.

    Steps and runs of jobs that have ended by `at` are told in the plan, and not played again. `homes` are the hosts on
    which VMs ran when the night began: of those that stand elsewhere now, and of those that the night's steps have
    suspended or powered off. They are due there as if the plan had moved them. `gpus` are those that the night's steps
    have put in another mode or sharing. `excused` are VMs that will not be back when they are due, with the reason.
    """

    at: Instant
    homes: Mapping[Name, Name] = Field(default_factory=dict)
    gpus: tuple[GpuBefore, ...] = ()
    excused: Mapping[Name, str] = Field(default_factory=dict)


class Asked(Document):
    """What a plan was asked for, which it carries so that anybody can judge it: the request and the jobs, as they were
    stated in the snapshot or by the command's options; and how the night has begun, where it begins in its midst.
    """

    request: Annotated[Request, Field(discriminator="kind")]
    jobs: tuple[Job, ...] = ()
    begun: Begun | None = None
