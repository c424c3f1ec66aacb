from __future__ import annotations

import pytest

import mibench
from mibench.core.version import BOARD, code_digest


def test_the_board_has_the_first_two_numbers_of_the_version():
    assert mibench.__version__.startswith(f"{BOARD}.")
    assert len(BOARD.split(".")) == 2


def test_a_digest_of_code_depends_on_what_is_asked_for_and_on_nothing_else():
    assert code_digest("core") == code_digest("core") != code_digest("core/errors.py")
    with pytest.raises(FileNotFoundError):
        code_digest("core/nothing.py")
