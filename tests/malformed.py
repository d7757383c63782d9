"""Snapshots that must be refused: generated from one sound document, and made by hand.

Each is a pair of a name (what is wrong) and bytes; :func:`nowhere` gives paths at which there is nothing to read.
"""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Steps = tuple[str | int, ...]

SOUND: dict[str, Any] = {
    "format": "placer.snapshot/1",
    "cluster": "vdi-east",
    "taken_at": "2026-11-20T18:00:00Z",
    "platform": {"kind": "vsphere", "version": "8.0.3"},
    "hosts": [
        {
            "name": "esx01",
            "state": "up",
            "cpus": 64,
            "cpu_ratio": 4,
            "memory_mib": 786432,
            "reserved_cpus": 4,
            "reserved_memory_mib": 32768,
            "labels": {"rack": "r1"},
            "vgpu_manager": "550.90.05",
            "gpus": [
                {
                    "id": "0000:3b:00.0",
                    "model": "Tesla M60",
                    "mode": "graphics",
                    "board": "1",
                    "numa_node": 0,
                    "ecc": False,
                    "sharing": "same-size",
                    "may_share": ["passthrough", "same-size"],
                },
                {"id": "0000:3c:00.0", "model": "Tesla M60", "board": "1", "sharing": "same-size"},
            ],
        },
        {
            "name": "esx02",
            "cpus": 64,
            "memory_mib": 786432,
            "labels": {"rack": "r2"},
            "gpus": [
                {"id": "0", "model": "Tesla M60", "mode": "compute"},
                {"id": "1", "model": "A100 PCIe 40GB", "sharing": "mig"},
                {"id": "2", "model": "Tesla T4", "sharing": "fraction"},
            ],
        },
    ],
    "vms": [
        {
            "name": "desk-001",
            "power": "on",
            "host": "esx01",
            "cpus": 4,
            "memory_mib": 8192,
            "gpus": [{"profile": "M60-1Q", "count": 1, "at": [{"gpu": "0000:3b:00.0", "slot": 0}]}],
            "needs": {"cuda": False, "same_board": False},
            "may": {"live_migrate": True, "suspend": True, "power_cycle": False},
            "labels": {"pool": "desks"},
            "notes": "anything",
        },
        {
            "name": "render-7",
            "power": "on",
            "host": "esx02",
            "cpus": 16.5,
            "memory_mib": 65536,
            "gpus": [{"models": ["Tesla M60"], "mode": "compute", "count": 1, "at": [{"gpu": "0"}]}],
        },
        {
            "name": "train-1",
            "power": "on",
            "host": "esx02",
            "cpus": 8,
            "memory_mib": 65536,
            "gpus": [{"profile": "3g.20gb", "at": [{"gpu": "1", "slot": 4}]}],
        },
        {
            "name": "pod-12",
            "power": "on",
            "host": "esx02",
            "cpus": 11.9,
            "memory_mib": 1024,
            "gpus": [{"models": ["T4"], "milli": 460, "at": [{"gpu": "2"}]}],
        },
        {"name": "desk-002", "power": "off", "cpus": 4, "memory_mib": 8192, "gpus": [{"profile": "M60-1Q"}]},
    ],
    "rules": [
        {"kind": "apart", "vms": ["desk-001", "render-7"], "by": "host"},
        {"kind": "affinity", "vms": ["desk-001"], "hosts": ["esx01"], "strength": "must"},
    ],
    "requests": [
        {"kind": "power-on", "vm": "desk-002", "priority": 10},
        {
            "kind": "consolidate",
            "windows": [
                {"from": "22:00", "until": "06:30", "zone": "Europe/Berlin", "first": "2026-11-20", "nights": 2}
            ],
            "hosts": ["esx01"],
            "free": ["esx01"],
            "way_back": "same-host",
            "ready_by": "2026-11-21T05:30:00Z",
            "limits": {
                "moves_at_once_per_host": 2,
                "moves_at_once": 4,
                "links": [{"label": "rack", "moves_at_once": 1, "mib_per_second": 900}],
                "mib_per_second": 1000,
                "store_mib_per_second": 500,
                "store_mib": 65536,
                "most_moves": 40,
                "stun_seconds": 10,
                "least_gain": 1,
            },
        },
    ],
    "jobs": [
        {
            "name": "render",
            "cpus": 16,
            "memory_mib": 65536,
            "gpus": [{"models": ["Tesla M60"]}],
            "whole_host": False,
            "instances": 2,
            "hours": 1.5,
            "value": 10,
            "not_before": "2026-11-20T22:00:00Z",
            "deadline": "2026-11-21T04:00:00Z",
            "checkpointed": False,
        }
    ],
}

NAMES: tuple[Steps, ...] = (
    ("cluster",),
    ("hosts", 0, "name"),
    ("hosts", 0, "gpus", 0, "id"),
    ("hosts", 0, "gpus", 0, "model"),
    ("hosts", 0, "gpus", 0, "board"),
    ("vms", 0, "name"),
    ("vms", 0, "host"),
    ("vms", 0, "gpus", 0, "profile"),
    ("vms", 0, "gpus", 0, "at", 0, "gpu"),
    ("vms", 1, "gpus", 0, "models", 0),
    ("rules", 0, "vms", 0),
    ("rules", 1, "hosts", 0),
    ("requests", 0, "vm"),
    ("requests", 1, "hosts", 0),
    ("requests", 1, "free", 0),
    ("requests", 1, "limits", "links", 0, "label"),
    ("jobs", 0, "name"),
)
NO_NAMES = {
    "empty": "",
    "long": "x" * 254,
    "newline": "a\nb",
    "escape": "\x1b[2Jgone",
    "separator": "a\u2028b",
    "nul": "\0",
}
REQUIRED: tuple[Steps, ...] = (
    ("format",),
    ("cluster",),
    ("taken_at",),
    ("hosts",),
    ("hosts", 0, "name"),
    ("hosts", 0, "cpus"),
    ("hosts", 0, "memory_mib"),
    ("hosts", 0, "gpus", 0, "id"),
    ("hosts", 0, "gpus", 0, "model"),
    ("vms", 0, "name"),
    ("vms", 0, "power"),
    ("vms", 0, "cpus"),
    ("vms", 0, "memory_mib"),
    ("vms", 0, "gpus", 0, "at", 0, "gpu"),
    ("rules", 0, "kind"),
    ("requests", 0, "vm"),
    ("requests", 1, "windows"),
    ("requests", 1, "windows", 0, "until"),
    ("jobs", 0, "name"),
    ("jobs", 0, "hours"),
)
WORDS: tuple[Steps, ...] = (
    ("format",),
    ("taken_at",),
    ("platform", "kind"),
    ("hosts", 0, "state"),
    ("hosts", 0, "gpus", 0, "mode"),
    ("hosts", 0, "gpus", 0, "sharing"),
    ("hosts", 0, "gpus", 0, "may_share", 0),
    ("vms", 0, "power"),
    ("rules", 0, "kind"),
    ("rules", 1, "strength"),
    ("requests", 0, "kind"),
    ("requests", 1, "windows", 0, "from"),
    ("requests", 1, "windows", 0, "until"),
    ("requests", 1, "windows", 0, "zone"),
    ("requests", 1, "windows", 0, "first"),
    ("requests", 1, "hosts", 0),
    ("requests", 1, "free", 0),
    ("requests", 1, "way_back"),
    ("requests", 1, "ready_by"),
    ("jobs", 0, "not_before"),
    ("jobs", 0, "deadline"),
)
MAY_BE_NEGATIVE: tuple[Steps, ...] = (("requests", 0, "priority"),)
MAY_HAVE_ANY_KEY = ("labels",)


def documents() -> dict[str, bytes]:
    """What is wrong -> the document."""
    return dict(
        [*_wrong_types(), *_wrong_keys(), *_wrong_names(), *_wrong_numbers(), *_wrong_values(), *_wrong_bytes()]
    )


def floods() -> dict[str, Callable[[], bytes]]:
    """Documents so large that each is made only when it is asked for."""
    no_vms = encoded(SOUND | {"vms": []})
    return {
        "100 MB of [": lambda: b"[" * 100_000_000,
        "100 MB of {": lambda: b'{"a":' * 20_000_000,
        "100 MB of brackets that match": lambda: b"[" + b"[]," * 33_000_000 + b"[]]",
        "100 MB of quotes": lambda: b'["' + b'\\"' * 50_000_000,
        "100 MB in one number": lambda: b"[" + b"9" * 100_000_000 + b"]",
        "100 MB of nothing": lambda: b" " * 100_000_000,
        "four million empty VMs": lambda: no_vms.replace(b'"vms": []', b'"vms": [' + b"{}," * 4_000_000 + b"{}]"),
        "five thousand requests for unknown VMs of as many": _strangers,
    }


def _strangers() -> bytes:
    vm = {"power": "off", "cpus": 1, "memory_mib": 1}
    vms = [{"name": f"desk-{number:05}"} | vm for number in range(5_000)]
    requests = [{"kind": "power-on", "vm": f"dusk-{number:05}"} for number in range(5_000)]
    return encoded(SOUND | {"vms": vms, "rules": [], "requests": requests})


def nowhere(folder: Path) -> dict[str, Path]:
    """Paths in an empty folder at which there is no document."""
    (folder / "file").write_bytes(encoded(SOUND))
    (folder / "dangling").symlink_to("missing")
    (folder / "loop").symlink_to("loop")
    return {
        "missing file": folder / "missing",
        "missing file of an odd name": folder / "no\nsuch\x1b[2J",
        "missing file of a name that is no text": folder / "no\udcff",
        "directory": folder,
        "file used as a directory": folder / "file" / "snapshot.json",
        "dangling link": folder / "dangling",
        "link to itself": folder / "loop",
    }


def encoded(document: object) -> bytes:
    """As a file holds it."""
    return json.dumps(document, indent=1).encode()


def _spots(value: object, steps: Steps = ()) -> Iterator[tuple[Steps, object]]:
    """Every value in the sound document, with the way to it."""
    yield steps, value
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, part in inner:
        yield from _spots(part, (*steps, step))


def _with(steps: Steps, value: object) -> dict[str, Any]:
    """The sound document with another value there."""
    document: Any = copy.deepcopy(SOUND)
    part = document
    for step in steps[:-1]:
        part = part[step]
    part[steps[-1]] = value
    return document  # type: ignore[no-any-return]


def _without(steps: Steps) -> dict[str, Any]:
    document: Any = copy.deepcopy(SOUND)
    part = document
    for step in steps[:-1]:
        part = part[step]
    del part[steps[-1]]
    return document  # type: ignore[no-any-return]


def _raw(steps: Steps, token: bytes) -> bytes:
    """The sound document with these very bytes as a value."""
    return encoded(_with(steps, "<here>")).replace(b'"<here>"', token)


def _said(steps: Steps) -> str:
    return ".".join(map(str, steps)) or "everything"


def _wrong_types() -> Iterator[tuple[str, bytes]]:
    wrong: dict[type, object] = {str: 7, bool: "yes", int: "4", float: "4.5", list: {}, dict: []}
    for steps, value in _spots(SOUND):
        other = wrong[type(value)]
        yield f"{_said(steps)} is {other!r}", encoded(_with(steps, other) if steps else other)
        if steps and isinstance(steps[-1], int):
            yield f"{_said(steps)} is null", encoded(_with(steps, None))
    for number in (steps for steps, value in _spots(SOUND) if type(value) is int):
        yield f"{_said(number)} is true", encoded(_with(number, True))
    for value in (None, True, 7, 1.5, "snapshot", [], {}, [SOUND], {"snapshot": SOUND}):
        yield f"everything is {str(value)[:30]}", encoded(value)


def _wrong_keys() -> Iterator[tuple[str, bytes]]:
    for steps in REQUIRED:
        yield f"{_said(steps)} is missing", encoded(_without(steps))
    for steps, value in _spots(SOUND):
        if isinstance(value, dict) and steps[-1:] != MAY_HAVE_ANY_KEY:
            yield f"{_said(steps)} has an unknown key", encoded(_with((*steps, "memory_mb"), 1))
    for key in ("", "\n", "__proto__", "$ref", "<script>alert(1)</script>", "x" * 10_000):
        yield f"the unknown key {key[:30]!r}", encoded(SOUND | {key: 1})
    text = encoded(SOUND)
    for line in (
        b'"format": "placer.snapshot/1"',
        b'"cpus": 64',
        b'"power": "on"',
        b'"slot": 0',
        b'"kind": "apart"',
        b'"rack": "r1"',
    ):
        yield f"{line.decode()} twice", text.replace(line, line + b", " + line, 1)
    yield "all of a document twice", text.replace(b"{", b"{" + text.strip()[1:-1] + b",", 1)


def _wrong_names() -> Iterator[tuple[str, bytes]]:
    for steps in NAMES:
        for what, name in NO_NAMES.items():
            yield f"{_said(steps)} is {what}", encoded(_with(steps, name))
        yield f"{_said(steps)} is a lone surrogate", _raw(steps, b'"\\udc80"')
    for what, key in NO_NAMES.items():
        yield f"a label that is {what}", encoded(_with(("hosts", 0, "labels"), {key: "x"}))


def _wrong_numbers() -> Iterator[tuple[str, bytes]]:
    for steps, value in _spots(SOUND):
        if type(value) not in (int, float):
            continue
        tokens = [b"NaN", b"1e400", b"-Infinity", b"1" + b"0" * 25, b"1e25", b"-0.1234"]
        tokens += [] if steps in MAY_BE_NEGATIVE else [b"-1"]
        for token in tokens:
            yield f"{_said(steps)} is {token.decode()}", _raw(steps, token)
    cpus: Steps = ("hosts", 0, "cpus")
    for token in (
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"1e",
        b"--1",
        b"1_000",
        b"64f",
        b"9" * 100_000,
        b"0.0001",
        b"nan",
        b"True",
    ):
        yield f"cpus is {token[:20].decode()}", _raw(cpus, token)
    yield "half a slot", _raw(("vms", 0, "gpus", 0, "at", 0, "slot"), b"0.5")
    yield "no GPU asked", _raw(("vms", 0, "gpus", 0, "count"), b"0")
    yield "more than a whole GPU in thousandths", _raw(("vms", 3, "gpus", 0, "milli"), b"1001")
    yield "nothing of a GPU in thousandths", _raw(("vms", 3, "gpus", 0, "milli"), b"0")


def _wrong_values() -> Iterator[tuple[str, bytes]]:
    for steps in WORDS:
        yield f"{_said(steps)} is no word for it", encoded(_with(steps, "whatever"))
    for version in (
        "placer.snapshot/2",
        "placer.snapshot/",
        "placer.snapshot/1 ",
        "placer.plan/1",
        "PLACER.SNAPSHOT/1",
    ):
        yield f"format {version!r}", encoded(SOUND | {"format": version})
    for time in ("", "2026-11-20", "2026-11-20T18:00:00", "2026-13-20T18:00:00Z", "2026-11-20T25:00:00Z", "yesterday"):
        yield f"taken at {time!r}", encoded(SOUND | {"taken_at": time})
    here: dict[str, tuple[Steps, object]] = {
        "a VM on an unknown host": (("vms", 0, "host"), "esx99"),
        "a VM on another VM": (("vms", 0, "host"), "render-7"),
        "a VM that holds an unknown GPU": (("vms", 0, "gpus", 0, "at", 0, "gpu"), "ff:00.0"),
        "a VM that holds another host's GPU": (("vms", 1, "gpus", 0, "at", 0, "gpu"), "0000:3b:00.0"),
        "a VM that holds two GPUs and asks one": (("vms", 1, "gpus", 0, "at"), [{"gpu": "0"}, {"gpu": "2"}]),
        "a VM that is on and holds nothing": (("vms", 1, "gpus", 0, "at"), []),
        "an unknown profile": (("vms", 0, "gpus", 0, "profile"), "M60-3Q"),
        "a profile of another model": (("vms", 0, "gpus", 0, "profile"), "T4-1Q"),
        "a slot that is none": (("vms", 0, "gpus", 0, "at", 0, "slot"), 8),
        "a MIG start that is none": (("vms", 2, "gpus", 0, "at", 0, "slot"), 3),
        "graphics asked and compute held": (("vms", 1, "gpus", 0, "mode"), "graphics"),
        "a profile and thousandths in one ask": (("vms", 0, "gpus", 0, "milli"), 100),
        "MIG on a model that has none": (("hosts", 0, "gpus", 1, "sharing"), "mig"),
        "a GPU held in a sharing that cannot give it": (("hosts", 0, "gpus", 0, "sharing"), "passthrough"),
        "two hosts of one name": (("hosts", 1, "name"), "esx01"),
        "two GPUs of one id": (("hosts", 0, "gpus", 1, "id"), "0000:3b:00.0"),
        "two VMs of one name": (("vms", 1, "name"), "desk-001"),
        "a rule about an unknown VM": (("rules", 0, "vms", 1), "render-8"),
        "a rule about an unknown host": (("rules", 1, "hosts", 0), "esx99"),
        "a rule about a label that no host has": (("rules", 0, "by"), "row"),
        "a request for an unknown VM": (("requests", 0, "vm"), "desk-003"),
        "a request for a VM that is on": (("requests", 0, "vm"), "desk-001"),
        "two requests for one VM": (("requests",), [{"kind": "power-on", "vm": "desk-002"}] * 2),
        "more reserved than there is": (("hosts", 0, "reserved_memory_mib"), 786433),
        "a VM that is off and holds a GPU": (("vms", 0, "power"), "off"),
    }
    for what, (steps, value) in here.items():
        yield what, encoded(_with(steps, value))
    yield "a VM that is on and nowhere", encoded(_without(("vms", 1, "host")))
    cycle = _with(("vms", 0, "host"), "render-7")
    cycle["vms"][1]["host"] = "desk-001"
    yield "two VMs, each on the other", encoded(cycle)
    desk, render, _, pod, off = SOUND["vms"]
    for what, more in {
        "a slot held twice": desk | {"name": "twin"},
        "two sizes on a same-size GPU": desk
        | {"name": "big", "gpus": [{"profile": "M60-2Q", "at": [{"gpu": "0000:3b:00.0", "slot": 1}]}]},
        "a pass-through GPU held twice": render | {"name": "twin"},
        "more thousandths held than a GPU has": pod | {"name": "twin", "gpus": [{"milli": 541, "at": [{"gpu": "2"}]}]},
        "a VM that says it is off and where it is": off
        | {"name": "ghost", "gpus": [{"profile": "M60-1Q", "at": [{"gpu": "0000:3c:00.0"}]}]},
    }.items():
        yield what, encoded(SOUND | {"vms": [*SOUND["vms"], more]})


def _wrong_bytes() -> Iterator[tuple[str, bytes]]:
    text = encoded(SOUND)
    short = json.dumps(SOUND)
    yield from {
        "an empty file": b"",
        "blanks": b" \r\n\t\n",
        "a byte order mark": b"\xef\xbb\xbf",
        "zeros": b"\0" * 1000,
        "a program": b"\x7fELF\x02\x01\x01" + bytes(range(256)),
        "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        "an archive": b"PK\x03\x04\x14\0\0\0\x08\0",
        "noise": random.Random(7).randbytes(10_000),
        "UTF-16": short.encode("utf-16"),
        "UTF-16 without its mark": short.encode("utf-16-le"),
        "UTF-32": short.encode("utf-32"),
        "Latin-1": short.replace("anything", "für").encode("latin-1"),
        "surrogates in UTF-8": text.replace(b"anything", b"\xed\xa0\x80"),
        "overlong UTF-8": text.replace(b"anything", b"\xc0\xaf"),
        "UTF-8 cut in a character": b'"\xf0\x9f\x98',
        "an empty gzip": gzip.compress(b""),
        "a gzip of noise": gzip.compress(random.Random(8).randbytes(1000)),
        "a gzip cut off": gzip.compress(text)[:-20],
        "a gzip's first two bytes": b"\x1f\x8b",
        "a gzip with rubbish behind": gzip.compress(text) + b"rubbish",
        "a gzip in a gzip": gzip.compress(gzip.compress(text)),
        "a document and more": text + b"x",
        "two documents": text + b"\n" + text,
        "a comment": b"// a snapshot\n" + text,
        "a comma too many": text.rstrip()[:-1] + b",}",
        "single quotes": str(SOUND).encode(),
        "bare keys": b'{format: "placer.snapshot/1"}',
        "YAML": b"format: placer.snapshot/1\ncluster: vdi-east\nhosts: []\n",
        "XML": b"<?xml version='1.0'?><snapshot/>",
        "HTML": b"<!DOCTYPE html><title>502 Bad Gateway</title>",
        "CSV": b"name,cpus\nesx01,64\n",
        "a line of JSON for each host": b'{"name": "esx01"}\n{"name": "esx02"}\n',
        "not a number": b"NaN",
        "infinite": b"Infinity",
        "no colon": text.replace(b": 64", b" 64", 1),
        "no comma": text.replace(b",", b"", 1),
        "no quote": b'{"format',
        "a line break in a text": text.replace(b"anything", b"any\nthing"),
        "a zero byte in a text": text.replace(b"anything", b"any\0thing"),
        "an unknown escape": text.replace(b"anything", b"any\\xthing"),
        "half an escape": text.replace(b"anything", b"any\\u12"),
        "a high surrogate": text.replace(b"anything", b"\\ud83d"),
        "a low surrogate": text.replace(b"anything", b"\\ude00"),
        "surrogates in the wrong order": text.replace(b"anything", b"\\ude00\\ud83d"),
        "a surrogate in a key": text.replace(b'"pool"', b'"\\ud800"'),
        "lists 101 deep": b"[" * 101 + b"]" * 101,
        "lists 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
        "objects 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "lists and objects deep in the notes": text.replace(b'"anything"', b'[{"a":' * 60 + b"1" + b"}]" * 60),
        "unclosed lists": b"[" * 50,
        "closing brackets": b"]" * 50,
        "brackets that do not match": b'{"hosts": [}]',
        "a number of a million digits": b"1" * 1_000_000,
    }.items()
    for share in range(1, 10):
        yield f"cut off after {share} tenths", text[: len(text) * share // 10]
