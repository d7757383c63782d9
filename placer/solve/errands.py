"""Jobs in whole seconds, the freed hosts that take them, and their runs there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from placer_models.cluster import Cluster, Host, Vm
from placer_models.night import filling
from placer_models.scene import Hold, Scene


@dataclass(frozen=True)
class Errand:
    """A job in whole seconds from the window's start: what one instance is (`vm` has the job's name), the numbers of
    those that are left to do, how long each runs, what it is worth, and when it may run. `name` is its own among the
    errands of a night.

    One that is done in parts has runs of at least `least` seconds, of which each but the first takes `again` seconds
    longer (`least` 0: it is not done in parts).
    """

    name: str
    vm: Vm
    numbers: Sequence[int]
    seconds: int
    value: int
    earliest: int
    latest: int
    whole_host: bool
    least: int = 0
    again: int = 0

    @property
    def instances(self) -> int:
        """How many are left to do."""
        return len(self.numbers)

    @property
    def unit(self) -> int:
        """The seconds for which a target counts 1: those of an instance, or one where it is done in parts."""
        return 1 if self.least else self.seconds

    def within(self, hours: tuple[int, int]) -> tuple[int, int]:
        """The part of some hours in which it may run."""
        return max(hours[0], self.earliest), min(hours[1], self.latest)


@dataclass(frozen=True)
class Slot:
    """A freed host from `opens` until `closes`, as it then is; `night` says who stands where in the cluster meanwhile
    (None: nobody asks).
    """

    host: Host
    opens: int
    closes: int
    night: Scene | None = None

    @property
    def hours(self) -> tuple[int, int]:
        """From when until when it is free."""
        return self.opens, self.closes


def slots_of(cluster: Cluster, hours: Mapping[str, tuple[int, int]], night: Scene | None = None) -> list[Slot]:
    """The slots of hosts that are free from when until when."""
    return [Slot(cluster.hosts[name], *its, night) for name, its in hours.items()]


@dataclass(frozen=True)
class Run:
    """A run of an instance on a freed host from `start` to `end`, with the GPUs that it holds; `slot` is the number of
    its slot among those that were looked at.
    """

    errand: Errand
    instance: int
    host: str
    start: int
    end: int
    holds: tuple[Hold, ...] = ()
    slot: int = 0

    @property
    def job(self) -> str:
        """The job's name."""
        return self.errand.vm.name

    @property
    def name(self) -> str:
        """The instance's name, as it stands on the host."""
        return f"job/{self.job}/{self.instance}"

    @cached_property
    def vm(self) -> Vm:
        """The VM as which it stands on the host."""
        return self.errand.vm.model_copy(update={"name": self.name})

    def on(self, host: Host) -> Vm:
        """The VM as which it stands on this host, all of which is its own where it has that to itself."""
        return filling(self.vm, host) if self.whole_host else self.vm

    @property
    def whole_host(self) -> bool:
        """Whether it has the host to itself."""
        return self.errand.whole_host


def value_of(runs: Iterable[Run]) -> int:
    """What runs bring that do all of their instances: each counts once."""
    return sum({run.name: run.errand.value for run in runs}.values())


def gains_of(runs: Iterable[Run]) -> dict[str, Fraction]:
    """What each host gains by runs: of an instance with several the part that is its part of their time."""
    runs = list(runs)
    seconds: dict[str, int] = defaultdict(int)
    for run in runs:
        seconds[run.name] += run.end - run.start
    gains: dict[str, Fraction] = defaultdict(Fraction)
    for run in runs:
        gains[run.host] += Fraction(run.errand.value * (run.end - run.start), seconds[run.name])
    return gains
