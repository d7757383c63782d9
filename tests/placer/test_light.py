"""What a command does without is not loaded, and is there for whoever wants it afterwards."""

from __future__ import annotations

import importlib
import sys

import pytest

from placer import light


@pytest.fixture
def colours(monkeypatch: pytest.MonkeyPatch) -> str:
    """A small module that is not loaded yet, and is to be spared."""
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    monkeypatch.setattr(light, "spared", {"colorsys"})
    return "colorsys"


def test_a_spared_module_has_empty_classes_only_and_is_the_real_one_afterwards(colours: str) -> None:
    with light.stand_ins():
        spared = importlib.import_module(colours)
        assert not isinstance(1, spared.Series)
        assert spared.Series is spared.Series
        assert not hasattr(spared, "__path__")
    assert callable(importlib.import_module(colours).rgb_to_hsv)
    assert importlib.import_module(colours) is not spared


def test_a_module_that_is_loaded_stays(colours: str) -> None:
    real = importlib.import_module(colours)
    with light.stand_ins():
        assert importlib.import_module(colours) is real
    assert importlib.import_module(colours) is real
