"""Where a method comes from: the registry, a user's Python file, or a command in another environment."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import FunctionType, ModuleType

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import FORMATS, load_scores
from mibench.core.errors import MethodError, UsageError
from mibench.core.files import existing_file, is_file
from mibench.core.hashing import digest, file_digest
from mibench.core.leash import leashed
from mibench.core.names import did_you_mean
from mibench.methods.method import METHODS, Method
from mibench.methods.view import CircuitView
from mibench.runner.user_code import code_digest
from mibench.tasks.export import as_pairs
from mibench.tasks.pairs import write_pairs

COMMAND = "cmd:"
_PYTHON = re.compile(r"python[\d.]*(\.exe)?")
_MAX_NAME = 60


def find_method(ref: str) -> Method:
    """Return the method that ``ref`` names.

    Args:
        ref: A registered name, ``path/to/file.py:function``, or ``cmd: command with {pairs} and {out}``.

    Raises:
        UsageError: Nothing of that name, no such file or function, or a command without its places.
        MethodError: The file cannot be imported.
    """
    if ref.startswith(COMMAND):
        return _command(ref.removeprefix(COMMAND).strip())
    if ref in METHODS.components:
        found = METHODS.load(ref)
        return found if isinstance(found, Method) else Method(found, name=ref)
    path, colon, name = ref.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_file(existing_file(path), name)
    raise UsageError(
        f"Unknown method '{ref}'.",
        why="It is no registered method, no path/to/file.py:function, and no 'cmd: …'.",
        do=f"Write {ref}:function." if ref.endswith(".py") else did_you_mean(ref, METHODS.names()),
    )


def _from_file(path: Path, name: str) -> Method:
    module = _import(path)
    found = getattr(module, name, None)
    if not isinstance(found, Method | FunctionType):
        own = [word for word, value in vars(module).items() if isinstance(value, Method | FunctionType)]
        raise UsageError(
            f"{path} has no function '{name}'.",
            why="It is not defined there." if found is None else f"It is a {type(found).__name__}.",
            do=did_you_mean(name, [word for word in own if not word.startswith("_")]),
        )
    method = found if isinstance(found, Method) else Method(found, name=name.replace("_", "-"))
    # Two functions of one file may be registered under one name.
    return replace(method, code_digest=digest([code_digest(path), name]))


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mibench_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise MethodError(f"{path} cannot be imported.", why="It is not a Python file.", do="Give a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise MethodError(
            f"{path} cannot be imported.", why=f"{type(error).__name__}: {error}", do="Fix the file."
        ) from error
    return module


def _command(text: str) -> Method:
    missing = [place for place in ("{pairs}", "{out}") if place not in text]
    if missing:
        raise UsageError(
            f"The command '{text}' cannot be a method.",
            why=f"It lacks {' and '.join(missing)}.",
            do="Write cmd: python my.py {pairs} {out}; it reads the pairs file and writes scores to {out}.",
        )
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"The command '{text}' cannot be read.", why=str(error), do="Close its quotes.") from error
    files = [Path(file) for _, file in map(_parts, words) if file]
    name = (files[0].stem if files else Path(words[0]).name)[:_MAX_NAME]

    def run(view: CircuitView) -> CircuitScores:
        """Run the command on the exported training pairs."""
        return _run_command(words, view)

    try:
        code = digest([_identity(word) for word in words])
    except OSError as error:
        why = f"{error.filename}: {error.strerror}"
        raise UsageError(f"A file of the command '{text}' cannot be read.", why=why, do="Check its rights.") from error
    return Method(run, name=f"cmd-{name}", needs=("train", "randomness"), code_digest=code)


def _parts(word: str) -> tuple[str, str]:
    """A word of a command as flag and file; either may be empty: ``--data=a.csv`` gives ``--data=`` and ``a.csv``."""
    flag, equals, value = ("", "", word) if is_file(word) else word.partition("=")
    return (flag + equals, value) if is_file(value) and not _is_program(value) else (word, "")


def _is_program(word: str) -> bool:
    """Whether it is part of the environment, like packages: provenance, not identity."""
    name = Path(word).name
    found = shutil.which(name)
    return bool(_PYTHON.fullmatch(name)) or (found is not None and Path(found).resolve() == Path(word).resolve())


def _identity(word: str) -> list[str]:
    """What a word means on any machine: of a file name and content, of a Python file its own imports too."""
    flag, value = _parts(word)
    if not value:
        name = Path(word).name
        return ["python" if _PYTHON.fullmatch(name) else name if _is_program(word) else word]
    file = Path(value).resolve()
    content = code_digest(file, folder=file.parent) if file.suffix == ".py" else file_digest(file)
    return [flag, file.name, content]


def _run_command(words: list[str], view: CircuitView) -> CircuitScores:
    with tempfile.TemporaryDirectory(prefix="mibench-") as folder:
        pairs, out = Path(folder) / "train.jsonl", Path(folder) / "scores.json"
        write_pairs(pairs, as_pairs(view.train))
        places = {
            "{pairs}": str(pairs),
            "{out}": str(out),
            "{model}": str(view.model.hf.config._name_or_path),  # noqa: SLF001
            "{seed}": str(view.seed),
        }
        filled = [_fill(word, places) for word in words]
        if shutil.which(filled[0]) is None:
            why = "There is no such program, or it may not be run."
            raise MethodError(f"The command '{words[0]}' cannot be started.", why=why, do="Check its path.")
        try:
            done = subprocess.run(leashed(filled), capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            do = "Check its arguments, and what this machine has left."
            raise MethodError(f"The command '{words[0]}' cannot be started.", why=str(error), do=do) from error
        written = [out.with_suffix(suffix) for suffix in FORMATS if is_file(out.with_suffix(suffix))]
        if done.returncode or not written:
            last = (done.stderr or done.stdout).strip().splitlines()[-3:]
            why = f"Exit status {done.returncode}" + (f": {' / '.join(last)}" if last else "; it wrote no scores.")
            raise MethodError(f"The command '{words[0]} …' failed.", why=why, do="Run it by hand on a pairs file.")
        return load_scores(written[0], level=view.level)


def _fill(word: str, places: dict[str, str]) -> str:
    for place, value in places.items():
        word = word.replace(place, value)
    return word
