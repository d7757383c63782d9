"""Documents come in strictly, stay as they are, and go out the same each time."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, Field, ValidationError

from placer_models.document import (
    Count,
    Cpus,
    Document,
    Faults,
    MemoryMib,
    Name,
    digest,
    dump,
    milli,
    parse,
    read_json,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner),
    max_leaves=8,
)


class Gpu(Document):
    id: Name
    slot: Count | None = None


class Host(Document):
    kind: Literal["host"]
    name: Name
    cpus: Cpus = 2
    gpus: tuple[Gpu, ...] = ()


class Room(Document):
    kind: Literal["room"]
    hosts: tuple[Host, ...]


class Site(Document):
    parts: tuple[Annotated[Union[Host, Room], Field(discriminator="kind")], ...] = ()  # noqa: UP007
    memory_mib: MemoryMib = 0
    taken_at: AwareDatetime | None = None
    labels: Mapping[Name, int | None] = Field(default_factory=dict)
    to: Name = Field(default="here", serialization_alias="from", validation_alias="from")


class Part(Document):
    from_: Name = Field(alias="from")


class Box(Document):
    width: int
    lid: tuple[int, ...] = ()

    @cached_property
    def twice(self) -> int:
        return 2 * self.width

    @cached_property
    def open(self) -> Box:
        return self if not self.lid else self.model_copy(update={"lid": ()})


def _shaped(keys: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the right keys, so that the faults are deep inside."""
    return st.fixed_dictionaries({}, optional={key: value | json_values for key, value in keys.items()})


gpus = _shaped({"id": st.text(max_size=3), "slot": st.integers()})
hosts = _shaped({"kind": st.just("host"), "name": st.text(), "cpus": st.floats(), "gpus": st.lists(gpus, max_size=2)})
rooms = _shaped({"kind": st.sampled_from(["room", "host"]), "hosts": st.lists(hosts, max_size=2)})
sites = _shaped({"parts": st.lists(rooms | hosts, max_size=3), "labels": json_values, "taken_at": st.text()})


@given(json_values | sites)
def test_any_value_gives_a_document_or_faults(value: object) -> None:
    try:
        site = parse(Site, value, "s")
    except Faults as refused:
        assert refused.sentences
        assert all(sentence.isprintable() or " " in sentence for sentence in refused.sentences)
        assert len(str(refused).splitlines()) == min(len(refused.sentences), 51)
    else:
        assert parse(Site, read_json(dump(site).encode(), "s"), "s") == site


@pytest.mark.parametrize("value", [{"taken_at": object()}, {1, 2}, {(1, 2): 3}, b"{}", Decimal(1)])
def test_what_json_cannot_hold_is_a_fault(value: object) -> None:
    with pytest.raises(Faults, match="found what JSON cannot hold"):
        parse(Site, value, "s")


def test_a_value_that_holds_itself_or_is_bottomless_is_a_fault() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(Faults):
        parse(Site, endless, "s")
    deep: object = 0
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Faults):
        parse(Site, {"labels": deep}, "s")


def test_odd_values_from_a_library_call_have_their_path() -> None:
    with pytest.raises(Faults) as refused:
        parse(Site, {"labels": {"a": float("nan"), "b": ["\ud800"]}}, "s")
    assert refused.value.sentences[0] == "labels.a: found nan, expected a finite number"
    with pytest.raises(Faults) as refused:
        parse(Site, {"labels": {"b": ["\ud800"]}}, "s")
    assert refused.value.sentences == (r"labels.b[0]: found '\ud800', expected text without lone surrogates",)


def test_a_large_document_of_which_all_is_wrong_is_not_read_to_its_end() -> None:
    with pytest.raises(Faults) as refused:
        parse(Room, {"kind": "room", "hosts": [{}] * 500_000}, "s")
    assert str(refused.value).splitlines()[-1] == "s: and at least 9950 more faults"


def test_a_large_document_is_read_to_its_end_where_its_beginning_is_right() -> None:
    host = {"kind": "host", "name": "a name that is long enough to make many of them large"}
    hosts: list[object] = [host] * 10_000
    assert len(parse(Room, {"kind": "room", "hosts": hosts}, "s").hosts) == 10_000
    hosts[9_999] = 7
    with pytest.raises(Faults) as refused:
        parse(Room, {"kind": "room", "hosts": hosts}, "s")
    assert refused.value.sentences == ("hosts[9999]: found 7, expected an object",)


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "$(reboot)", 'O\'Neil "x"', "机器-1", "a/b\\c", "\U0001f600", " "]
)
def test_a_name_may_be_any_text_on_one_line(name: str) -> None:
    assert parse(Gpu, {"id": name}, "s").id == name


@pytest.mark.parametrize("name", ["", "a\nb", "a\rb", "\t", "\x00", "\x7f", "\x85", "a\u2028b", "x" * 254])
def test_a_name_may_not_break_its_line(name: str) -> None:
    with pytest.raises(Faults, match=r"^s: id: found"):
        parse(Gpu, {"id": name}, "s")


def test_a_document_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Gpu(id="0").id = "1"  # type: ignore[misc]


def test_what_is_worked_out_from_a_part_is_neither_compared_nor_copied() -> None:
    box = Box(width=2)
    assert (box.twice, box.open) == (4, box)
    assert box == Box(width=2) == pickle.loads(pickle.dumps(box))
    assert hash(box) == hash(Box(width=2))
    assert box != Box(width=3)
    assert box.model_copy(update={"width": 5}).twice == 10
    assert box.model_copy(update={"lid": (1,)}).open == box
    assert box not in (None, 2, Part(from_="x"))


def test_whole_cpus_stay_whole_and_thousandths_are_exact() -> None:
    whole, part = (parse(Host, {"kind": "host", "name": "h", "cpus": cpus}, "s") for cpus in (64, 11.9))
    assert dump(whole).endswith('"cpus": 64, "gpus": []}\n')
    assert dump(part).endswith('"cpus": 11.9, "gpus": []}\n')
    assert milli(part.cpus) == 11_900


@given(st.integers(0, 10**9))
def test_every_thousandth_survives_the_way_through_a_float(thousandths: int) -> None:
    text = f'{{"kind": "host", "name": "h", "cpus": {Decimal(thousandths) / 1000}}}'
    assert milli(parse(Host, read_json(text.encode(), "s"), "s").cpus) == thousandths


def test_a_digest_is_of_the_bytes() -> None:
    assert digest(b"{}") == hashlib.sha256(b"{}").hexdigest()


def test_a_short_document_is_one_line_and_a_long_one_has_an_item_on_each() -> None:
    site = Site(
        parts=tuple(Host(kind="host", name=f"esx{n:02}", gpus=(Gpu(id="3b:00.0", slot=n),)) for n in range(3)),
        labels={"Zürich": None, "b": 1},
    )
    assert dump(site) == (
        "{\n"
        '  "parts": [\n'
        '    {"kind": "host", "name": "esx00", "cpus": 2, "gpus": [{"id": "3b:00.0", "slot": 0}]},\n'
        '    {"kind": "host", "name": "esx01", "cpus": 2, "gpus": [{"id": "3b:00.0", "slot": 1}]},\n'
        '    {"kind": "host", "name": "esx02", "cpus": 2, "gpus": [{"id": "3b:00.0", "slot": 2}]}\n'
        "  ],\n"
        '  "memory_mib": 0,\n'
        '  "labels": {"Zürich": null, "b": 1},\n'
        '  "from": "here"\n'
        "}\n"
    )
    assert dump(Gpu(id="0")) == '{"id": "0"}\n'


def test_no_line_of_a_dump_is_wider_than_it_needs_to_be() -> None:
    host = Host(kind="host", name="h", gpus=tuple(Gpu(id=f"0000:{n:02x}:00.0") for n in range(16)))
    text = dump(Room(kind="room", hosts=(host,)))
    assert max(map(len, text.splitlines())) <= 120
    assert json.loads(text)["hosts"][0]["gpus"][15] == {"id": "0000:0f:00.0"}


def test_a_key_in_the_document_may_be_a_word_that_python_keeps_for_itself() -> None:
    assert Part(from_="x") == parse(Part, {"from": "x"}, "s")
    assert dump(Part(from_="x")) == '{"from": "x"}\n'
    with pytest.raises(Faults, match="unknown key; did you mean 'from'"):
        parse(Part, {"from_": "x"}, "s")
