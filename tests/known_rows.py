"""Rows of the programs, drawn once for all tests."""

from __future__ import annotations

from functools import cache

from mibench.tasks.known.programs import load_program


@cache
def rows_of(program, name, split="test"):
    """Return base and counterfactual settings of one set."""
    return tuple(load_program(program).rows(split, name))
