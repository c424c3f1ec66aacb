"""Coverage-guided fuzzing of one reader, where atheris is installed (Linux): the extra ``fuzz``.

python tests/fuzz/guided.py "round.json" [--seconds 60] [--corpus FOLDER]

Branches of mibench that a file reaches for the first time keep that file as one to damage further. Exit status 0: no
finding. A finding ends the run with its traceback; libFuzzer keeps the file as ``crash-…`` in the current folder.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path

import atheris
import click

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
with atheris.instrument_imports(include=["mibench"]):
    from fuzz.parsers import PARSERS

    from mibench.core.errors import MibenchError

LONGEST = 10
"""Seconds that a file may take."""


@click.command()
@click.argument("name", type=click.Choice(list(PARSERS)))
@click.option("--seconds", default=60, show_default=True)
@click.option("--corpus", help="Keep files that reach something new here.  [default: thrown away]")
def main(name: str, seconds: int, corpus: str | None) -> None:
    """Fuzz the reader NAME."""
    warnings.simplefilter("ignore")
    parser, folder = PARSERS[name], Path(tempfile.mkdtemp(prefix="mibench-fuzz-"))
    kept = Path(corpus) if corpus else folder / "corpus"
    kept.mkdir(parents=True, exist_ok=True)
    (folder / "work").mkdir()
    for number, content in enumerate(parser.seeds(folder / "work")):
        (kept / f"seed{number}").write_bytes(content)
    path = folder / "work" / parser.file

    def one(content: bytes) -> None:
        path.write_bytes(content)
        try:
            parser.read(path)
        except MibenchError:
            return

    limits = [f"-max_total_time={seconds}", f"-timeout={LONGEST}", "-rss_limit_mb=4096", "-max_len=65536"]
    atheris.Setup([sys.argv[0], str(kept), *limits, "-print_final_stats=1"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
