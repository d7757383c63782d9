"""The options by which a night is asked for on the command line, and the request that they make with the snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from placer.cli.options import Command, read
from placer_models.faults import Faults

if TYPE_CHECKING:
    from placer_models.night import Asked, Job, Request
    from placer_models.snapshot import Snapshot

OPTIONS = "the options"
LIMITS = {
    "moves_at_once_per_host": (int, "N", "Migrations into and out of one host at once."),
    "moves_at_once": (int, "N", "Migrations at once in all."),
    "mib_per_second": (float, "MIB", "What one migration is given of a host's network each second."),
    "store_mib": (int, "MIB", "Room for the states of suspended VMs."),
    "store_mib_per_second": (float, "MIB", "How fast such states are written and read."),
    "most_moves": (int, "N", "Migrations in all, those of the way back included."),
    "stun_seconds": (float, "SECONDS", "How long a VM may stand still while it is migrated."),
    "least_gain": (int, "VALUE", "Job value that a freed host must bring (hosts named by --free need not)."),
}
"""What may be done at once and in all: the key of the request's limits, its type, its metavar, its help."""
NAMES = {"stun_seconds": "--stun-limit"}

R = TypeVar("R", bound="Request")


def night_options(command: Command) -> Command:
    """Add --window and its kin, --way-back and the limits to a command."""
    options: list[Callable[[Command], Command]] = [
        click.option(
            "--window",
            "windows",
            metavar="FROM/UNTIL",
            multiple=True,
            help="When steps may run: 2026-11-20T22:00/2026-11-21T06:30 (with --zone, or each with its offset), or "
            "22:00/06:30 on the nights from --first on.",
        ),
        click.option("--zone", metavar="ZONE", help="The time zone of windows: Europe/Berlin, UTC."),
        click.option("--first", metavar="DATE", help="The day on whose evening the first night begins."),
        click.option("--nights", metavar="N", type=click.IntRange(1, 366), help="How many nights (default: 1)."),
        click.option(
            "--way-back",
            type=click.Choice(["same-host", "any-host", "none"]),
            help="Where VMs run again when it is over.",
        ),
    ]
    for key, (kind, metavar, about) in LIMITS.items():
        name = NAMES.get(key, f"--{key.replace('_', '-')}")
        options.append(click.option(name, key, metavar=metavar, type=kind, help=about))
    for option in reversed(options):
        command = option(command)
    return command


def request_of(kind: type[R], snapshot: Snapshot, source: str, flags: Mapping[str, Any]) -> R:
    """The request that the options make of the snapshot's only one of that kind, if it has one.

    `flags` are the request's own keys and those of `night_options`; what is None or empty was not said. Raises Faults.
    """
    from placer_models.document import parse

    name = kind.model_fields["kind"].default
    found = [request for request in snapshot.requests if isinstance(request, kind)]
    if len(found) > 1:
        raise Faults(source, [f"requests: found {len(found)} of kind '{name}', expected one"])
    base = found[0].model_dump(mode="json", by_alias=True, exclude_none=True) if found else {}
    said = {key: value for key, value in flags.items() if value not in (None, ())}
    windows = _windows(
        said.pop("windows", ()), said.pop("zone", None), said.pop("first", None), said.pop("nights", None)
    )
    limits = {key: said.pop(key) for key in LIMITS if key in said}
    values = {"kind": name, **base, **said}
    if windows:
        values["windows"] = windows
    if limits:
        values["limits"] = {**base.get("limits", {}), **limits}
    if "windows" not in values:
        raise Faults(source, [f"requests: found none of kind '{name}', expected one (or --window)"])
    return parse(kind, values, OPTIONS if windows or limits or said else source)


def _windows(texts: Sequence[str], zone: str | None, first: str | None, nights: int | None) -> list[Mapping[str, Any]]:
    if not texts and (zone or first or nights):
        raise click.UsageError("found --zone, --first or --nights without --window")
    return [_window(text, zone, first, nights) for text in texts]


def _window(text: str, zone: str | None, first: str | None, nights: int | None) -> Mapping[str, Any]:
    begin, slash, end = text.partition("/")
    if not slash:
        raise click.UsageError(f"--window: found {text!r}, expected FROM/UNTIL")
    if len(begin) <= len("22:00:00"):
        if zone is None or first is None:
            raise click.UsageError(f"--window {text} is on every night: expected --zone and --first beside it")
        return {"from": begin, "until": end, "zone": zone, "first": first, **({"nights": nights} if nights else {})}
    if first is not None or nights is not None:
        raise click.UsageError(f"--window {text} says its day itself: found --first or --nights beside it")
    return {"from": _instant(begin, zone), "until": _instant(end, zone)}


def _instant(text: str, zone: str | None) -> str:
    """A time with its offset; one that says none is of the zone."""
    from datetime import datetime
    from zoneinfo import ZoneInfo

    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            if zone is None:
                raise click.UsageError(f"--window: found {text} without an offset, expected one, or --zone")
            found = found.replace(tzinfo=ZoneInfo(zone))
    except (ValueError, OSError, LookupError):
        raise click.UsageError(
            f"--window: found {text!r}{f' in zone {zone!r}' if zone else ''}, expected a time such as 2026-11-20T22:00"
        ) from None
    return found.isoformat()


def jobs_of(path: str | None, snapshot: Snapshot) -> tuple[Job, ...]:
    """The jobs in a file (a list, or an object with one under `jobs`), else those of the snapshot. Raises Faults."""
    if path is None:
        return snapshot.jobs
    from placer_models.document import parse, read_json
    from placer_models.night import Jobs

    data, source = read(path)
    values = read_json(data, source)
    return parse(Jobs, {"jobs": values} if isinstance(values, list) else values, source).jobs


def checked(snapshot: Snapshot, asked: Asked) -> Asked:
    """What is asked, if the snapshot has all that it names. Raises Faults."""
    misfits = snapshot.misfits(asked)
    if misfits:
        raise Faults(OPTIONS, misfits)
    return asked
