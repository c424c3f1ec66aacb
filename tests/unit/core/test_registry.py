"""Components are found by parsing, and imported only when they are used."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from mibench.core import registry as module
from mibench.core.errors import MibenchError, UsageError
from mibench.core.registry import Registry

MakePackage = Callable[..., str]
EAP = '''
import marks
from marks import method

@method(track="circuit", name="eap", version=2, needs={"gradients"})
def eap(view):
    """Edge attribution patching.

    More.
    """
    return "eap ran"
'''
BARE = """
import marks

@marks.method()
class TopNodes:
    pass

@other(name="not-this")
def helper(): ...

def plain(): ...
"""
numbers = itertools.count()


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePackage:
    """Return a maker of packages from file contents; their names are new each time."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "entry_points", lambda group: [])
    (tmp_path / "marks.py").write_text("def method(**words):\n    return lambda it: it\n")

    def make(**files: str) -> str:
        name = f"scanned_{next(numbers)}"
        for file, text in {"__init__": "", **files}.items():
            path = tmp_path / name / f"{file.replace('__in__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return name

    return make


def test_names_metadata_and_doc_are_read_without_importing(make_package: MakePackage) -> None:
    package = make_package(eap=EAP)
    found = Registry("method", package).get("eap")
    assert found.metadata == {"track": "circuit", "version": 2, "needs": {"gradients"}}
    assert found.doc == "Edge attribution patching."
    assert (found.module, found.attr) == (f"{package}.eap", "eap")
    assert f"{package}.eap" not in sys.modules


def test_loading_imports_the_file(make_package: MakePackage) -> None:
    package = make_package(eap=EAP)
    assert Registry("method", package).load("eap")(None) == "eap ran"
    assert f"{package}.eap" in sys.modules


def test_a_component_without_a_name_is_called_after_its_function(make_package: MakePackage) -> None:
    package = make_package(circuit__in__top="import marks\n@marks.method()\ndef top_nodes(): ...\n")
    found = Registry("method", package).get("top-nodes")
    assert found.module == f"{package}.circuit.top"


def test_other_decorators_and_plain_functions_are_left_out(make_package: MakePackage) -> None:
    assert Registry("method", make_package(bare=BARE)).names() == ["TopNodes"]


def test_names_are_sorted(make_package: MakePackage) -> None:
    text = "@method(name='{}')\ndef it(): ...\n"
    package = make_package(a=text.format("z"), b=text.format("a"), c=text.format("m"))
    assert Registry("method", package).names() == ["a", "m", "z"]


def test_two_components_of_one_name_are_refused_and_both_named(make_package: MakePackage) -> None:
    package = make_package(one=EAP, two=EAP)
    with pytest.raises(MibenchError, match="'eap'") as caught:
        Registry("method", package).names()
    assert f"{package}.one.eap" in caught.value.why
    assert f"{package}.two.eap" in caught.value.why


def test_a_typo_gets_a_hint(make_package: MakePackage) -> None:
    with pytest.raises(UsageError) as caught:
        Registry("method", make_package(eap=EAP)).get("eep")
    assert "'eap'" in caught.value.do


def test_an_argument_that_is_no_literal_is_refused_with_its_place(make_package: MakePackage) -> None:
    with pytest.raises(MibenchError, match=r"\.bad\.it \(line 2\)") as caught:
        Registry("method", make_package(bad="x = 1\n@method(name=x)\ndef it(): ...\n")).names()
    assert "literals" in caught.value.why


def test_a_file_that_is_not_python_is_named(make_package: MakePackage) -> None:
    with pytest.raises(MibenchError, match=r"bad\.py is not Python"):
        Registry("method", make_package(bad="def (:\n")).names()


def test_a_component_whose_imports_are_missing_cannot_be_loaded(make_package: MakePackage) -> None:
    package = make_package(needy="import not_there_at_all\n@method(name='needy')\ndef needy(): ...\n")
    registry = Registry("method", package)
    assert registry.names() == ["needy"]
    with pytest.raises(MibenchError, match="cannot be loaded") as caught:
        registry.load("needy")
    assert "not_there_at_all" in caught.value.why


def install(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """Pretend that another package has the entry point ``name = value`` for methods."""
    point = EntryPoint(name=name, value=value, group="mibench.methods")
    monkeypatch.setattr(module, "entry_points", lambda group: [point] if group == point.group else [])


def test_an_entry_point_is_found_with_what_its_file_declares(
    make_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_package(sub__in__mine=EAP)
    install(monkeypatch, "mine", f"{other}.sub.mine:eap")
    registry = Registry("method", make_package())
    assert registry.get("mine").metadata["track"] == "circuit"
    assert f"{other}.sub.mine" not in sys.modules
    assert registry.load("mine")(None) == "eap ran"


def test_an_entry_point_may_point_at_a_single_file(
    make_package: MakePackage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lone_method.py").write_text(EAP)
    install(monkeypatch, "lone", "lone_method:eap")
    assert Registry("method", make_package()).get("lone").metadata["version"] == 2


def test_an_entry_point_without_a_file_is_listed_and_fails_when_loaded(
    make_package: MakePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, "gone", "not_there_at_all.mod:it")
    registry = Registry("method", make_package())
    assert registry.names() == ["gone"]
    with pytest.raises(MibenchError, match="cannot be loaded"):
        registry.load("gone")


def test_an_entry_point_cannot_take_a_built_in_name(make_package: MakePackage, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "eap", "not_there_at_all.mod:it")
    with pytest.raises(MibenchError, match="Two methods"):
        Registry("method", make_package(eap=EAP)).names()


def test_an_empty_or_missing_package_has_no_components(make_package: MakePackage) -> None:
    assert Registry("method", make_package()).names() == []
    assert Registry("method", "no_such_package_anywhere").names() == []
