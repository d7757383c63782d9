"""A row of what placer is to show: which calls measure it, with which files, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure
from bench.tables import Line

Call = tuple[str, ...]
"""A module of this checkout that is run (`bench` or `placer`), and its arguments."""


class Missing(Exception):
    """What a row needs and nobody gave."""


@dataclass(frozen=True)
class Files:
    """Where calls find and leave files: the public trace, proxlb-solver's environment, a folder for what is only
    needed meanwhile, and how the files of pictures begin (None: none are drawn).
    """

    scratch: Path
    openb: Path | None = None
    proxlb: Path | None = None
    pictures: str | None = None

    def trace(self, pods: str = "default", part: str = "") -> Call:
        """Options for the trace's nodes and pods. Raises Missing."""
        if self.openb is None:
            raise Missing("the folder of the openb trace: --openb or PLACER_OPENB")
        folder = self.openb / part
        files = folder / "openb_node_list_gpu_node.csv", folder / f"openb_pod_list_{pods}.csv"
        return ("--nodes", str(files[0]), "--pods", str(files[1]))

    def orders(self) -> Call:
        """The option for the arrival orders, in the folder of the trace."""
        return () if self.openb is None else ("--orders", str(self.openb / "orders_default_seeds42-51.json"))

    def defrag(self) -> Call:
        """Options for the trace as another scheduler has left it. Raises Missing."""
        return (*self.trace(), "--placement", str(Path(str(self.openb)) / "placement_fgd_seed42.csv"))

    def peer(self) -> Call:
        """The option that says where proxlb-solver is; nothing where nobody said."""
        return () if self.proxlb is None else ("--proxlb", str(self.proxlb))

    def plot(self, name: str) -> Call:
        """The option that has a picture drawn."""
        return () if self.pictures is None else ("--plot", f"{self.pictures}{name}.svg")


@dataclass(frozen=True)
class Target:
    """A row: what is measured, by which calls (each made `repeat` times), and its figures."""

    name: str
    work: str
    calls: Callable[[Files], Sequence[Call]]
    figures: Sequence[Figure]
    repeat: int = 1

    def said(self, lines: Sequence[Line]) -> str:
        """What was measured."""
        return ", ".join(figure.said(figure.of(lines)) for figure in self.figures)

    def verdict(self, lines: Sequence[Line]) -> str:
        """How what was measured compares with what was asked for: `told` where nothing was."""
        values = [(figure, figure.of(lines)) for figure in self.figures]
        short = [figure.name for figure, value in values if not figure.keeps(value, figure.must)]
        if short:
            return f"short: {', '.join(short)}"
        if all(figure.must is None for figure in self.figures):
            return "told"
        beyond = [figure.keeps(value, figure.beyond) for figure, value in values if figure.beyond is not None]
        return "beyond" if beyond and all(beyond) else "met"
