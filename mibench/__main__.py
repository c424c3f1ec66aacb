"""``python -m mibench``: the command line."""

from __future__ import annotations

from mibench.cli.main import main

main()
