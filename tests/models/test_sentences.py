"""What pydantic finds is said in the document's own words, with its path, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Union

import pytest
from pydantic import AwareDatetime, Field, model_validator

from placer_models.document import Count, Cpus, Document, Faults, MemoryMib, Name, parse

WITH_ZONE = "a time with its zone, such as 2026-11-20T18:00:00Z"
KINDS = "'apart' or 'limit'"


class Seat(Document):
    gpu: Name
    slot: Count | None = None


class Apart(Document):
    kind: Literal["apart"]
    vms: tuple[Name, ...] = Field(min_length=2)


class Limit(Document):
    kind: Literal["limit"]
    limit: int  # named like its tag
    apart: Count | None = None


class Inner(Document):
    seats: tuple[Seat, ...] = ()

    @model_validator(mode="after")
    def _full(self) -> Inner:
        if len(self.seats) > 2:
            raise Faults("inside", ["seats[2].gpu: one too many", "this is full", "[3]: odd"])
        if len(self.seats) == 2:
            raise ValueError("two are unlucky")
        return self


class World(Document):
    name: Name
    power: Literal["on", "off", "suspended"] = "on"
    cpus: Cpus = 1
    memory_mib: MemoryMib = 0
    taken_at: AwareDatetime | None = None
    since: datetime | None = None
    seats: tuple[Seat, ...] = ()
    rules: tuple[Annotated[Union[Apart, Limit], Field(discriminator="kind")], ...] = ()  # noqa: UP007
    either: int | str | None = None
    pair: tuple[int, str] | None = None
    labels: Mapping[Name, str] = Field(default_factory=dict)
    flag: bool = False
    inner: Inner = Inner()
    from_: Name = Field(default="x", alias="from", description="where it comes from")


def faults(**values: Any) -> list[str]:
    with pytest.raises(Faults) as refused:
        parse(World, {"name": "w"} | values, "s")
    return list(refused.value.sentences)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": 7}, "name: found 7, expected text"),
        ({"name": ""}, "name: found '', expected at least 1 character"),
        ({"name": "x" * 254}, f"name: found '{'x' * 60}...', expected at most 253 characters"),
        ({"name": "a\nb"}, r"name: found 'a\nb', expected a name without control characters and line breaks"),
        ({"name": "a\u2028b"}, r"name: found 'a\u2028b', expected a name without control characters and line breaks"),
        ({"power": "of"}, "power: found 'of', expected 'on', 'off' or 'suspended'; did you mean 'off'?"),
        ({"power": None}, "power: found null, expected 'on', 'off' or 'suspended'"),
        ({"cpus": True}, "cpus: found true, expected a number"),
        ({"cpus": "4"}, "cpus: found '4', expected a number"),
        ({"cpus": -0.5}, "cpus: found -0.5, expected at least 0"),
        ({"cpus": 1_000_001}, "cpus: found 1000001, expected at most 1000000"),
        ({"cpus": 0.0005}, "cpus: found 0.0005, expected at most three decimal places"),
        ({"memory_mib": 1.5}, "memory_mib: found 1.5, expected a whole number"),
        ({"memory_mib": 4.0}, "memory_mib: found 4.0, expected a whole number"),
        ({"memory_mib": True}, "memory_mib: found true, expected a whole number"),
        ({"memory_mib": 10**30}, "memory_mib: found 1000000000000000000000000000000, expected at most 1099511627776"),
        ({"flag": 1}, "flag: found 1, expected true or false"),
        ({"taken_at": "today"}, "taken_at: found 'today', expected a time such as 2026-11-20T18:00:00Z"),
        ({"taken_at": "2026-11-20T18:00:00"}, f"taken_at: found '2026-11-20T18:00:00', expected {WITH_ZONE}"),
        ({"since": []}, "since: found a list, expected a time such as 2026-11-20T18:00:00Z"),
        ({"seats": {}}, "seats: found an object, expected a list"),
        ({"seats": [3]}, "seats[0]: found 3, expected an object"),
        ({"seats": [{}]}, "seats[0]: missing 'gpu' (text)"),
        ({"seats": [{"gpu": "a", "slot": -1}]}, "seats[0].slot: found -1, expected at least 0"),
        ({"seats": [{"gpus": "a"}]}, "seats[0].gpus: unknown key; did you mean 'gpu'?; known: gpu, slot"),
        ({"seats": [{"gpu": "a", "x y": 1}]}, "seats[0]['x y']: unknown key; known: gpu, slot"),
        ({"either": []}, "either: found a list, expected a whole number or text"),
        ({"pair": [1, 2]}, "pair[1]: found 2, expected text"),
        ({"labels": {"rack": 1}}, "labels.rack: found 1, expected text"),
        ({"labels": {"": "x"}}, "labels: found the key '', expected at least 1 character"),
        ({"labels": []}, "labels: found a list, expected an object"),
        ({"from": 1}, "from: found 1, expected text"),
        ({"inner": {"seats": [{"gpu": "a"}] * 2}}, "inner: two are unlucky"),
        ({"rules": [{"kind": "apart", "vms": ["a"]}]}, "rules[0].vms: found a list, expected at least 2 items"),
        ({"rules": [{"kind": "apart", "vms": ["a", 2]}]}, "rules[0].vms[1]: found 2, expected text"),
        ({"rules": [{"kind": "limit", "limit": "x"}]}, "rules[0].limit: found 'x', expected a whole number"),
        ({"rules": [{"kind": "limit", "limit": 1, "apart": -1}]}, "rules[0].apart: found -1, expected at least 0"),
        ({"rules": [{"kind": "limit"}]}, "rules[0]: missing 'limit' (a whole number)"),
        ({"rules": [{"kind": "lim"}]}, f"rules[0].kind: found 'lim', expected {KINDS}; did you mean 'limit'?"),
        ({"rules": [{"kind": 5}]}, "rules[0].kind: found 5, expected 'apart' or 'limit'"),
        ({"rules": [{}]}, "rules[0]: missing 'kind' ('apart' or 'limit')"),
        ({"rules": [None]}, "rules[0]: found null, expected an object"),
        ({"rules": [{"kind": "apart", "vms": ["a", "b"], "by": 1}]}, "rules[0].by: unknown key; known: kind, vms"),
    ],
)  # fmt: skip
def test_a_fault_is_one_sentence(values: dict[str, Any], sentence: str) -> None:
    assert faults(**values) == [sentence]


def test_the_written_key_is_asked_for_and_not_the_name_in_the_code() -> None:
    [sentence] = faults(from_="x")
    assert sentence.startswith("from_: unknown key; did you mean 'from'?")


def test_a_part_says_its_own_faults_below_its_path() -> None:
    assert faults(inner={"seats": [{"gpu": "a"}] * 4}) == [
        "inner.seats[2].gpu: one too many",
        "inner: this is full",
        "inner[3]: odd",
    ]


def test_all_faults_are_said_together_in_the_order_of_the_fields() -> None:
    said = faults(power="up", cpus=[], seats=[{"gpu": 1}, {}], colour="red")
    assert [sentence.partition(":")[0] for sentence in said] == ["power", "cpus", "seats[0].gpu", "seats[1]", "colour"]


def test_a_missing_key_says_what_belongs_there() -> None:
    with pytest.raises(Faults) as refused:
        parse(World, {}, "s")
    assert refused.value.sentences == ("missing 'name' (text)",)


def test_a_misspelt_key_is_one_fault_not_two() -> None:
    class Machine(Document):
        memory_mib: MemoryMib
        cpus: Cpus

    with pytest.raises(Faults) as refused:
        parse(Machine, {"memory_mb": 3}, "s")
    assert refused.value.sentences == (
        "missing 'cpus' (a number)",
        "memory_mb: unknown key; did you mean 'memory_mib'?; known: memory_mib, cpus",
    )
    with pytest.raises(Faults) as refused:
        parse(Machine, {"cpus": 3}, "s")
    assert refused.value.sentences == ("missing 'memory_mib' (whole MiB)",)
