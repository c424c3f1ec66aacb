from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mibench.core.errors import MethodError, UsageError
from mibench.runner.sources import find_method

PLAIN = "import numpy as np\n\ndef grad_norm(view, power=1.0, keep=True, name='x', n=2, free=None):\n    return view\n"
TYPED = """from __future__ import annotations
from typing import TYPE_CHECKING, Optional
if TYPE_CHECKING:
    from nowhere import CircuitView

def typed(view: CircuitView, *, steps: int, other: CircuitView = None, rest: Optional[float] = None) -> CircuitScores:
    return view
"""
DECORATED = """from mibench.methods.method import method

@method(track="circuit", name="mine", version=4, needs=("train",), levels=("node",))
def function(view, *, power: float = 1.0):
    return view
"""


def refusal(ref: str, kind: type[Exception] = UsageError):
    with pytest.raises(kind) as caught:
        find_method(ref)
    return caught.value


def test_a_registered_name_gives_the_built_in_method():
    method = find_method("eap")
    assert (method.name, method.code_digest, method.levels) == ("eap", None, ("edge",))


@pytest.mark.parametrize(
    ("ref", "hint"),
    [("epa", "'eap'"), ("eap_ig_inputs", "'eap-ig-inputs'"), ("nowhere.py:f", "path"), ("my.py", "my.py:function")],
)
def test_an_unknown_name_gets_a_hint(ref, hint):
    assert hint in refusal(ref).do


def test_a_plain_function_of_a_file_is_a_method_that_draws_nothing(user_file):
    method = find_method(f"{user_file(PLAIN)}:grad_norm")
    assert method.name == "grad-norm"
    assert set(method.needs) == {"train", "gradients"}
    assert set(method.levels) == {"edge", "node", "neuron"}
    assert method.code_digest


def test_parameters_without_annotations_take_the_type_of_their_default(user_file):
    method = find_method(f"{user_file(PLAIN)}:grad_norm")
    given = {"power": "2", "keep": "false", "name": "7", "n": "3", "free": "x"}
    assert method.parameters(given) == {"power": 2.0, "keep": False, "name": "7", "n": 3, "free": "x"}
    assert method.parameters({"n": "0.5"})["n"] == 0.5


def test_annotations_for_type_checkers_only_are_no_hindrance(user_file):
    method = find_method(f"{user_file(TYPED)}:typed")
    assert method.parameters({"steps": "5", "rest": "0.5"}) == {"steps": 5, "other": None, "rest": 0.5}
    with pytest.raises(UsageError, match="needs 'steps'"):
        method.parameters({})


def test_a_decorated_function_keeps_what_it_declares(user_file):
    method = find_method(f"{user_file(DECORATED)}:function")
    assert (method.name, method.version, method.needs, method.levels) == ("mine", 4, ("train",), ("node",))
    assert method.parameters({"power": "3"}) == {"power": 3.0}


def test_a_file_may_import_its_neighbours_and_its_digest_follows_them(user_file):
    user_file("FACTOR = 2\n", "neighbour.py")
    user_file("", "package/__init__.py")
    user_file("DEPTH = 1\n", "package/deep.py")
    ref = user_file("import neighbour\nfrom package import deep\n\ndef f(view):\n    return neighbour.FACTOR\n")
    digests = [find_method(f"{ref}:f").code_digest]
    for name in ("neighbour.py", "package/deep.py", "my.py"):
        Path(ref).parent.joinpath(name).open("a").write("# changed\n")
        digests.append(find_method(f"{ref}:f").code_digest)
    assert len(set(digests)) == 4


def test_a_digest_does_not_depend_on_what_else_is_loaded(user_file):
    first, second = user_file("def f(view):\n    return 1\n", "a/first.py"), user_file("def f(view):\n    return 2\n")
    alone = find_method(f"{second}:f").code_digest
    find_method(f"{first}:f")
    assert find_method(f"{second}:f").code_digest == alone


def test_a_digest_does_not_depend_on_where_the_file_lies(user_file):
    text = "import json\n\ndef f(view):\n    import numpy\n    return 1\n"
    digests = {find_method(f"{user_file(text, place)}:f").code_digest for place in ("a/my.py", "b/my.py")}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("text", "function", "kind", "word"),
    [
        ("def grad_norm(view): ...\n", "grad_nrm", UsageError, "'grad_norm'"),
        ("f = 3\n", "f", UsageError, "int"),
        ("import nothing_of_that_name\n", "f", MethodError, "nothing_of_that_name"),
        ("def f(:\n", "f", MethodError, "SyntaxError"),
        ("raise SystemExit(0)\n", "f", MethodError, "SystemExit"),
    ],
)
def test_a_file_that_gives_no_method_is_refused_with_the_reason(user_file, text, function, kind, word):
    error = refusal(f"{user_file(text)}:{function}", kind)
    assert word in error.why + error.do


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("cmd: python my.py", "{pairs} and {out}"),
        ("cmd: python my.py {pairs}", "lacks {out}"),
        ("cmd:", "{pairs} and {out}"),
        ("cmd: python 'my.py {pairs} {out}", "quotation"),
    ],
)
def test_a_command_without_its_places_is_refused(command, why):
    assert why in refusal(command).why


def test_a_command_is_named_and_digested_by_its_script_not_by_its_interpreter(user_file):
    script = user_file("print()\n", "finder.py")
    ref = f"cmd: {sys.executable} {script} {{pairs}} {{out}}"
    before = find_method(ref)
    assert before.name == "cmd-finder"
    Path(script).write_text("print(1)\n")
    assert find_method(ref).code_digest != before.code_digest


def test_a_command_is_digested_with_the_modules_that_its_scripts_import(user_file):
    user_file("FACTOR = 2\n", "helper.py")
    user_file("from .deep import D\n", "package/__init__.py")
    user_file("D = 1\n", "package/deep.py")
    data = user_file("1,2\n", "data.csv")
    script = user_file("import helper, json\nfrom package import deep\n", "run.py")
    ref = f"cmd: python {script} --table={data} {{pairs}} {{out}}"
    digests = [find_method(ref).code_digest]
    for name in ("helper.py", "package/deep.py", "data.csv", "run.py"):
        Path(script).with_name("x").parent.joinpath(name).open("a").write("# changed\n")
        digests.append(find_method(ref).code_digest)
    assert len(set(digests)) == 5


def test_a_command_is_digested_alike_wherever_its_files_lie(user_file):
    digests = set()
    for place, interpreter in (("a", "python"), ("b", sys.executable)):
        user_file("FACTOR = 2\n", f"{place}/helper.py")
        data, script = user_file("1\n", f"{place}/data.csv"), user_file("import helper\n", f"{place}/run.py")
        digests.add(find_method(f"cmd: {interpreter} {script} --table={data} {{pairs}} {{out}}").code_digest)
    assert len(digests) == 1
    assert find_method(f"cmd: python {script} --depth=2 --table={data} {{pairs}} {{out}}").code_digest not in digests


def test_a_script_whose_name_begins_like_an_interpreter_is_digested(user_file):
    script = user_file("print()\n", "python_scores.py")
    before = find_method(f"cmd: python {script} {{pairs}} {{out}}").code_digest
    Path(script).write_text("print(1)\n")
    assert find_method(f"cmd: python {script} {{pairs}} {{out}}").code_digest != before


def test_a_command_may_have_words_that_no_file_can_be_named():
    long = "x = 1;" * 100
    method = find_method(f"cmd: python -c '{long}' {{pairs}} {{out}}")
    assert method.name == "cmd-python"
    assert len(find_method(f"cmd: {'x' * 300} {{pairs}} {{out}}").name) < 100


def test_two_functions_of_one_file_registered_under_one_name_are_two_methods(user_file):
    text = DECORATED.replace("function", "first") + "\n" + DECORATED.replace("function", "second")
    path = user_file(text)
    first, second = (find_method(f"{path}:{name}") for name in ("first", "second"))
    assert first.name == second.name == "mine"
    assert first.code_digest != second.code_digest


def test_a_file_of_a_command_that_cannot_be_read_is_wrong_usage(user_file, monkeypatch):
    script = user_file("print()\n", "run.py")

    def forbidden(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert "Permission denied" in refusal(f"cmd: python {script} {{pairs}} {{out}}").why
