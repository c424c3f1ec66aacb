"""What a submission is scored with works confined."""

from __future__ import annotations

import sys

import pytest
from confined import Confined

from mibench.sandbox.confine import Confinement
from mibench.sandbox.run import run_confined

_TORCH = """
import torch
product = torch.full((8, 8), 2.0) @ torch.full((8, 8), 3.0)
open("answer", "w").write(str(product[0, 0].item()))
"""
_SCORING = """
import mibench.runner.handed_in.score
open("answer", "w").write("48.0")
"""


@pytest.mark.parametrize("program", [_TORCH, pytest.param(_SCORING, marks=pytest.mark.slow)])
def test_torch_multiplies_and_this_package_imports(unshared: Confined, program: str) -> None:
    confinement = Confinement((), unshared.write, 120.0, 4 * 1024**3, 1024**2)
    outcome = run_confined([sys.executable, "-c", program], confinement, unshared.backend)
    assert outcome.status == "done", outcome
    assert (unshared.write / "answer").read_text() == "48.0"
    assert outcome.tail == ""
