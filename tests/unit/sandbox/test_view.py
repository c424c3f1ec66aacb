"""What is seen: paths given under any name, nothing twice, nothing more."""

from __future__ import annotations

import sys
from pathlib import Path

import mibench
from mibench.sandbox.view import view_of


def test_folders_are_mounted_once_and_a_folder_comes_before_what_lies_in_it(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    write = tmp_path / "w"
    write.mkdir()
    view = view_of([inner, tmp_path / "a", inner], write, system=False)
    assert view.read.count(tmp_path / "a") == 1
    assert inner not in view.read


def test_a_folder_to_read_inside_the_one_to_write_inside_one_to_read_keeps_its_own_mount(tmp_path: Path) -> None:
    inner = tmp_path / "r" / "w" / "r"
    inner.mkdir(parents=True)
    view = view_of([tmp_path / "r", inner], inner.parent, system=False)
    assert {tmp_path / "r", inner} <= set(view.read)


def test_a_path_given_by_a_symlink_is_seen_under_both_names(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    name = tmp_path / "name"
    name.symlink_to(real)
    write = tmp_path / "w"
    write.mkdir()
    view = view_of([name], write, system=False)
    assert real in view.read
    assert (name, real) in view.links


def test_below_one_symlink_no_second_is_made(tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    name = tmp_path / "name"
    name.symlink_to(tmp_path / "real")
    write = tmp_path / "w"
    write.mkdir()
    view = view_of([name, name / "inner"], write, system=False)
    assert [path for path, _ in view.links if tmp_path in path.parents] == [name]


def test_python_and_this_package_are_seen_but_not_the_checkout_around_it(tmp_path: Path) -> None:
    view = view_of([], tmp_path)
    package = Path(mibench.__file__).resolve().parent
    covered = [folder for folder in view.read if folder == package or folder in package.parents]
    assert covered
    assert not (package.parent / "tests").exists() or package.parent not in view.read
    assert any(folder in Path(sys.executable).resolve().parents for folder in view.read)


def test_an_image_brings_its_own_system(tmp_path: Path) -> None:
    assert Path("/etc/ld.so.cache") in view_of([], tmp_path).read
    assert not any(Path("/etc") in path.parents for path in view_of([], tmp_path, system=False).read)
