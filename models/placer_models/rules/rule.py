"""The base of a rule, and the board: what a rule may ask of whoever searches.

A rule says the same thing four times: its docstring to people, `encode` to a solver, `check` to the judge, and `why`
to the operator. It knows neither solver nor judge: it posts linear conditions on counts of VMs to a `Board`, and it
reads a `Scene`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

from placer_models.cluster import Cluster, Gpu, Host, Vm
from placer_models.document import Document
from placer_models.gpus import Sharing
from placer_models.named import Hosts, Vms
from placer_models.plan import Breach, Reason
from placer_models.scene import Scene, Stand

__all__ = ["Board", "Hosts", "Loss", "Place", "Rule", "Strength", "Term", "Var", "VmClass", "Vms"]

Var = Any
"""A board's unknown: an opaque integer that only its board can read. Where nothing is left to decide it is a plain
int.
"""
Term = tuple[int, Var]
Strength = Literal["must", "should"]


@dataclass(frozen=True, eq=False)
class VmClass:
    """VMs that no rule tells apart: same ask, same rules, same present stand.

    `stands` are their present stands; `fixed` VMs stay as they are. A class without stands arrives where it is
    counted: VMs to be powered on or, where `moving`, running VMs that leave other hosts (what of them stays is
    counted in classes of its own).
    """

    vm: Vm
    names: tuple[str, ...]
    stands: tuple[Stand, ...] = ()
    fixed: bool = False
    moving: bool = False

    @property
    def host(self) -> str | None:
        """The host on which they stand now."""
        return self.stands[0].host if self.stands else None


@dataclass(frozen=True, eq=False)
class Place:
    """A column of the board: one host, or `m` hosts that no rule tells apart, with `host` for all of them."""

    host: Host
    names: tuple[str, ...]

    @property
    def m(self) -> int:
        """How many hosts it stands for."""
        return len(self.names)


class Board(Protocol):
    """Counts of VMs by class and place, and the conditions on them.

    A condition that the present scene already breaks is eased to what stands now: nobody may make it worse, and what
    was broken before is not the search's fault. A board may also count breaches (rules that only "should" hold) for a
    goal.
    """

    @property
    def scene(self) -> Scene:
        """Who stands where now."""

    @property
    def places(self) -> Sequence[Place]:
        """The columns: hosts about which something may be decided."""

    @property
    def asked(self) -> Mapping[str, int]:
        """The VMs to power on, with their priorities."""

    def here(self, place: Place) -> Sequence[tuple[VmClass, Var]]:
        """Each class that may stand on a place, with how many do (fixed ones as plain ints)."""

    def where(self, vms: Collection[str] | None = None) -> Iterable[tuple[VmClass, Place, Var]]:
        """Each class (of these VMs) and each place where it may stand, with how many do; all hosts, fixed VMs
        included.
        """

    @property
    def exact(self) -> bool:
        """Whether GPU layouts are to say just what is held, because somebody looks at what is left of them."""

    @property
    def exact_for_rules(self) -> bool:
        """Whether a rule looks: then they must. For goals it is enough where there are not too many."""

    def integer(self, most: int, name: str, now: int = 0) -> Var:
        """A further unknown between 0 and `most`; `now` is its value in the present scene."""

    def at_most(self, terms: Iterable[Term], bound: int, *, eased: bool = True) -> None:
        """Post sum(coefficient x unknown) <= bound; not eased where the condition only links unknowns."""

    def equal(self, terms: Iterable[Term], value: int) -> None:
        """Post sum(coefficient x unknown) = value; never eased."""

    def gate(self, place: Place, arriving: Iterable[Var], touched: Var) -> None:
        """Tell the board that these unknowns, all who may arrive on a place, are 0 while `touched` is: it may sharpen
        the rules' conditions by that.
        """

    def rows(self, place: Place) -> Any:
        """The GPU rows of a place where they are not those of the scene (`gpu_rows.Row`), else None."""

    def layout(self, place: Place, gpu: Gpu, sharing: Sharing, holds: Any, count: Var) -> None:
        """Tell the board that `count` of the GPUs like `gpu` come to hold this (`gpus_use.Held`) in this sharing."""

    @property
    def slot_choice(self) -> str:
        """Who picks slots (`Platform.slot_choice`)."""

    def after_loss(self, host: Host, again: Callable[[Vm], bool], to: Collection[str]) -> Loss:
        """A host is lost: a board on which those of its VMs that are to start `again` may do so on the hosts `to`."""

    def rough(self, place: Place) -> None:
        """Tell the board that a place has too many layouts to list: `layouts` says nothing of it."""

    def rough_places(self) -> Sequence[Place]:
        """The places of which that was told."""

    def narrowed(self) -> None:
        """Tell the board that what is posted allows less than the rule does: then it proves no bound."""

    def soft_breaches(self) -> tuple[list[Term], int]:
        """The breaches of rules that only should hold: terms and a constant."""

    def elsewhere(self) -> Sequence[Host]:
        """The hosts about which nothing is decided on this board."""

    def layouts(self) -> Iterable[tuple[Place, Gpu, Sharing, Any, Var]]:
        """What the gpu rule told by `layout`."""

    def reader(self, place: Place, read: Callable[[Callable[[Var], int]], Any]) -> None:
        """Leave a function that reads, from the unknowns' values, who holds what on a place, and who leaves it."""


@dataclass(frozen=True, eq=False)
class Loss:
    """The board after a host is lost, and how many VMs do not start again there, as terms."""

    board: Board
    missing: Sequence[Term]


class Keeper(Protocol):
    """Keeps watch over a rule while VMs are put into a scene one by one."""

    def against(self, stand: Stand) -> Mapping[str, int]:
        """What the rule says against this VM's standing so beside those in the scene; nothing: it may."""

    def took(self) -> None:
        """The VM that was asked about last stands so from now on."""


class Rule(Document):
    """What must hold, or should. A subclass names its `kind` (`kind: Literal["apart"] = "apart"`), by which documents
    say it.

    `standing` rules hold for every cluster and are no entries of a snapshot's `rules`; the others are.
    """

    kind: str
    standing: ClassVar[bool] = False
    always: ClassVar[bool] = False
    """Whether it holds at every instant, with a VM on the move standing on both hosts; else in the end scene only."""

    holds_after_loss: ClassVar[bool] = False
    """Whether it must also hold when VMs of a lost host have been started again elsewhere (rule `reserve`)."""

    keeps_up: ClassVar[bool] = False
    """Whether what it remembers of a scene follows when a host or a VM changes: an `exact` rule that does not is made
    anew then.
    """

    def among(self, rules: Sequence[Rule]) -> Self:
        """The rule as it stands beside these: for a rule that asks the others."""
        return self

    @property
    def soft(self) -> bool:
        """Whether it is only wished for: a goal counts its breaches."""
        return vars(self).get("strength", "must") in ("should", "should-not")

    @property
    def exact(self) -> bool:
        """Whether it looks at what is left of GPUs, so that boards must count layouts exactly."""
        return False

    @property
    def by_host(self) -> bool:
        """Whether it looks at one host at a time: what stands on one host never matters on another."""
        return False

    def concerns(self, vm: Vm) -> bool:
        """Whether it could be this VM's standing somewhere that breaks it. A false "no" is a bug; a false "yes" costs
        time.
        """
        return True

    def pins(self, vm: Vm) -> bool:
        """Whether the rule forbids that a running VM is moved at all."""
        return False

    def vm_key(self, vm: Vm) -> Hashable:
        """What the rule sees of a VM: two VMs with equal keys are alike to it."""
        return ()

    def host_key(self, host: Host) -> Hashable:
        """What the rule sees of a host: two hosts with equal keys are alike to it."""
        return ()

    def scene_key(self, scene: Scene, host: Host) -> Hashable | None:
        """What the rule sees of who stands on a host: where the keys of VM, host and scene are equal, `why` says the
        same but for names. None: it sees more than that.
        """
        return None

    def admits(self, cluster: Cluster, vm: Vm, host: Host) -> bool:
        """Whether the VM may stand on the host at all, whoever else does. A false "no" is a bug; a false "yes" is
        not.
        """
        return True

    def room(self, scene: Scene, host: Host) -> tuple[int, ...] | None:
        """How much more a host can take, by each of the rule's measures (below 0: it has too much already). None: the
        rule is no matter of amounts on one host.

        Where it is, a VM breaks it (further) where something of what it `takes` is more than 0 and more than the room.
        """
        return None

    def takes(self, vm: Vm) -> tuple[int, ...]:
        """What a VM takes of the `room`, measure by measure."""
        return ()

    def adds(self, scene: Scene, vm: Vm) -> Callable[[Host], int] | None:
        """By how much a VM that stands nowhere would add to the breaches if it stood on a host: a function to ask of
        many hosts while the scene stays as it is. None: that must be looked up with `check`, host by host.
        """
        return None

    def encode(self, board: Board) -> None:
        """Post the rule's conditions."""

    def check(self, scene: Scene, hosts: Collection[str] | None = None) -> Iterator[Breach]:
        """Every breach in a scene (on these hosts only, where given: the others did not change)."""
        return iter(())

    def keeper(self, scene: Scene) -> Keeper | None:
        """Who keeps watch while VMs are put into a scene, for a rule of which boards of many hosts grow too large: such
        boards may leave it away or allow more than it does, and what they find is asked about. None: no such rule.
        """
        return None

    def watch(self, scene: Scene) -> None:
        """Find out now what `why` will want to know of a scene that changes little from one question to the next."""

    def why(self, scene: Scene, stand: Stand) -> Reason | None:
        """Why this VM, not standing anywhere, cannot stand so: by putting it there and looking at what it breaks."""
        if not self.concerns(scene.cluster.vms[stand.vm]):
            return None
        with scene.trial(stand):
            after = list(self.check(scene, (stand.host,)))
        before = {breach.subject: breach.amount for breach in self.check(scene, (stand.host,))} if after else {}
        for breach in after:
            if breach.amount > before.get(breach.subject, 0):
                with scene.trial(stand):
                    return self.reason(scene, stand, breach)
        return None

    def reason(self, scene: Scene, stand: Stand, breach: Breach) -> Reason:
        """The reason that a breach gives."""
        return Reason(self.kind, stand.host, (breach.said,), breach.said)

    def say(self, reasons: Sequence[Reason]) -> str:
        """One sentence for several hosts whose reasons have the same code."""
        return reasons[0].said

    def missing(self, reason: Reason) -> str:
        """What would have to be there on that host, in a few words."""
        return self.say([reason])
