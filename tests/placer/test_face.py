"""What `from placer import ...` gives, whatever has been imported before."""

from __future__ import annotations

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

import placer


@pytest.mark.parametrize("name", placer.__all__)
def test_a_name_of_the_face_is_no_module(name: str) -> None:
    assert not isinstance(getattr(placer, name), ModuleType)


@pytest.mark.parametrize("name", ["consolidate", "evacuate", "go_on", "set_mode"])
def test_a_function_is_meant_also_where_the_module_of_its_name_was_imported_first(name: str) -> None:
    again = f"import placer.{name}; from placer import {name}; from placer.{name} import {name} as same; "
    said = subprocess.run(
        [sys.executable, "-c", again + f"print({name} is same)"], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout == "True\n"


def test_other_modules_are_found_as_ever() -> None:
    light = importlib.import_module("placer.light")
    assert placer.light is light


def test_a_name_that_nobody_knows_is_refused() -> None:
    with pytest.raises(AttributeError, match="nobody"):
        _ = placer.nobody
