"""Which rules hold, which goals are wished for and in which order, how long to think: a decision
(`placer.decision/1`, TOML).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator

from placer_models.cluster import Cluster
from placer_models.document import Document, Faults, Name, parse, quote
from placer_models.goals import GOALS, Goal
from placer_models.goals.night import NIGHT_GOALS, NightGoal
from placer_models.goals.placed import Placed
from placer_models.rules import RULES, STANDING, Rule, kind_of
from placer_models.shipped import DECISIONS, shipped

__all__ = ["Decision", "Search", "read_decision", "shipped", "shipped_decision"]


class Search(Document):
    """How to search: seconds at most, the seed, how many threads the solver may use, and how much memory the process
    may take (default: half of what is free).
    """

    time_limit_seconds: float = Field(default=60, gt=0, le=10**6)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    workers: int = Field(default=2, ge=1, le=256)
    memory_limit_mib: int | None = Field(default=None, ge=1, le=2**31)


class Decision(Document):
    """A named set of rules, goals and a budget."""

    format: Literal["placer.decision/1"]
    name: Name
    about: str = ""
    rules: tuple[str, ...] = Field(
        default=("all",), description='kinds of rules that a snapshot states, or "all"; the others always hold'
    )
    goals: tuple[str, ...] = Field(min_length=1)
    search: Search = Search()

    @field_validator("rules")
    @classmethod
    def _known_rules(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        known = [kind_of(rule) for rule in RULES]
        for kind in kinds:
            if kind not in (*known, "all"):
                raise ValueError(f"found {quote(kind)}, expected 'all' or some of {', '.join(known)}")
        return kinds

    @field_validator("goals")
    @classmethod
    def _known_goals(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        for kind in kinds:
            if kind not in (*GOALS, *NIGHT_GOALS):
                known = dict.fromkeys((*GOALS, *NIGHT_GOALS))
                raise ValueError(f"found {quote(kind)}, expected some of {', '.join(known)}")
        return kinds

    def holds(self, kind: str) -> bool:
        """Whether rules of a kind hold. Those that no snapshot states always do: whatever is wished for, a host gives
        no more than it has.
        """
        return kind in STANDING or "all" in self.rules or kind in self.rules

    def rules_of(self, stated: Sequence[Rule]) -> list[Rule]:
        """The rules that hold for a snapshot that states these, in the order in which they are judged."""
        order = [kind_of(rule) for rule in RULES]
        standing = [rule.model_validate({}) for rule in STANDING.values()]
        wanted = standing + [rule for rule in stated if self.holds(rule.kind)]
        return [rule.among(wanted) for rule in sorted(wanted, key=lambda rule: order.index(rule.kind))]

    def goals_of(self, cluster: Cluster) -> list[Goal]:
        """The goals of a placement in their order; `placed` once for each priority among the requests.

        Raises Faults where the decision wishes for what only a night's plan can have.
        """
        self._only(GOALS, "placements")
        found: list[Goal] = []
        for kind in self.goals:
            priorities = sorted(set(cluster.asked.values()), reverse=True)
            if kind == "placed" and len(priorities) > 1:
                found.extend(Placed(priority=priority) for priority in priorities)
            else:
                found.append(GOALS[kind].model_validate({}))
        return found

    def night_goals(self) -> list[NightGoal]:
        """The goals of a night's plan in their order. Raises Faults where the decision wishes for what only
        placements can have.
        """
        self._only(NIGHT_GOALS, "a night's plan")
        return [NIGHT_GOALS[kind] for kind in self.goals]

    def _only(self, known: Mapping[str, object], what: str) -> None:
        strange = [kind for kind in self.goals if kind not in known]
        if strange:
            said = f"goals: found {', '.join(strange)}, which is no goal of {what}; expected some of {', '.join(known)}"
            raise Faults(f"decision {quote(self.name)}", [said])


def read_decision(data: bytes, source: str) -> Decision:
    """The decision that a TOML file holds. Raises Faults."""
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Faults(source, [f"found the byte 0x{data[error.start]:02x}, expected TOML in UTF-8"]) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Faults(source, [f"found what is no TOML: {error}"]) from None
    return parse(Decision, values, source)


def shipped_decision(name: str) -> Decision:
    """A decision that comes with placer. Raises Faults for a name that none has."""
    if name not in shipped():
        raise Faults(f"decision {quote(name)}", [f"expected a TOML file or one of {', '.join(shipped())}"])
    return read_decision((DECISIONS / f"{name}.toml").read_bytes(), f"{name}.toml")
