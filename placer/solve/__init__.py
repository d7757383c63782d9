"""The only room that imports ortools: boards, searches, bounds."""

from contextlib import suppress
from importlib import import_module

from placer.light import spared, stand_ins

if spared:
    with stand_ins(), suppress(ImportError, AttributeError):  # what cannot do without is loaded as it is, later
        import_module("ortools.sat.python.cp_model")
        import_module("ortools.linear_solver.python.model_builder")
