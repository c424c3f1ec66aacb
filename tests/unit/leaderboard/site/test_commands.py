"""Commands on pages name the folder that a record is from, and never a place on somebody's machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mibench.leaderboard.build import build
from mibench.leaderboard.site.commands import folder_shown

from ..conftest import FAIR, GOOD, Shelf  # noqa: TID252


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("leaderboard/records", "leaderboard/records"),
        ("./runs/first", "runs/first"),
        ("../my runs", "'../my runs'"),
        ("/somewhere/else", "DIR"),
    ],
)
def test_a_folder_is_named_as_it_was_given_and_others_are_not(given: str, shown: str) -> None:
    assert folder_shown(given) == shown


def test_a_folder_below_where_one_is_goes_by_the_way_from_there(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_shown(tmp_path / "records") == "records"


def test_rows_of_a_folder_laid_over_another_name_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = (Shelf(Path(name) / "records", Path("out")) for name in ("board", "own"))
    theirs, mine = first.add("eap", GOOD), second.add("eap-ig-inputs", FAIR)
    build([Path("board/records")], Path("alone"))
    build([Path("board/records"), Path("own/records")], Path("both"))
    pages = Path("both/site/records")
    for record, folder in ((theirs, "board/records"), (mine, "own/records")):
        command = f"mibench reproduce {record.cell.id[:12]} --records {folder}</pre>"
        assert command in (pages / f"{record.cell.id}.html").read_text()
    script = Path("both/site/assets/data.js").read_text()
    for record, folder in ((theirs, "board/records"), (mine, "own/records")):
        (file,) = Path(folder).rglob(f"{record.cell.id}.json")
        assert f'"file":"{file.as_posix()}"' in script
    alone = Path("alone/site/assets/data.js").read_text()
    assert '"folders":["board/records"]' in alone
    assert '"file":""' in alone
