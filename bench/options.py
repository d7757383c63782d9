"""Options that several commands share. What is wrong with a value is said before anything is measured."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A file to read."""
FOLDER = click.Path(file_okay=False, path_type=Path)
"""A folder, there or not."""
THERE = click.Path(exists=True, file_okay=False, path_type=Path)
"""A folder that is there."""
PLACES = click.Choice(["gpu_allocation", "power_on"])
"""The shipped decisions that place what is asked for."""
SECONDS = click.FloatRange(0, min_open=True)
"""A time limit."""


class _Output(click.Path):
    """A file to write: its folder must be there."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not os.access(path.parent, os.W_OK | os.X_OK):
            self.fail(f"no file can be written to the folder of {str(path)!r}.", param, ctx)
        return path


class _Picture(_Output):
    """A picture to draw: PNG or SVG."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = super().convert(value, param, ctx)
        if path.suffix not in (".png", ".svg"):
            self.fail(f"found {path.name!r}, expected a name that ends with .png or .svg.", param, ctx)
        if find_spec("matplotlib") is None:
            self.fail("a picture needs matplotlib: pip install 'gpu-placer[bench]'", param, ctx)
        return path


def asked_seeds(_context: click.Context, _parameter: click.Parameter, text: str | None) -> list[int] | None:
    """Whole numbers joined by commas: a callback."""
    try:
        return None if text is None else [int(seed) for seed in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"found {text!r}, expected whole numbers joined by commas.") from error


OUTPUT = _Output()
PICTURE = _Picture()


@contextmanager
def reading(path: Path, expected: str) -> Iterator[None]:
    """While a file is read: says in a sentence, as a UsageError, that it is not what is expected."""
    try:
        yield
    except KeyError as error:
        raise click.UsageError(f"{path.name}: there is no {error}, expected {expected}.") from error
    except (AttributeError, OSError, TypeError, ValueError) as error:
        raise click.UsageError(f"{path.name}: {error}, expected {expected}.") from error
