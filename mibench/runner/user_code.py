"""The digest of a user's method: its file and every module of the user's own that it imports."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import mibench
from mibench.core.files import is_file
from mibench.core.hashing import digest


def code_digest(path: Path, *, folder: Path | None = None) -> str:
    """Digest of a Python file and of all that it imports, directly or not, from files of the user's own.

    Installed packages, Python's own modules and mibench are left out: they are provenance. Other methods that are
    loaded too do not enter. Found by reading import statements, those inside functions included.

    Args:
        path: The file.
        folder: Where its imports lie; None: it was imported before, and they are where Python finds them.
    """
    found: dict[str, str] = {}
    waiting = [("", path.resolve())]
    while waiting:
        name, file = waiting.pop()
        if name in found:
            continue
        content = file.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
        for imported in _imports(content, package=name.rpartition(".")[0] if file.stem != "__init__" else name):
            place = _own_file(imported) if folder is None else _file_in(folder, imported)
            if place is not None:
                waiting.append((imported, place))
    return digest(found)


def _imports(content: bytes, *, package: str) -> Iterator[str]:
    """Dotted names that a file may import, packages before what is in them."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # a file that cannot be imported, and was not
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _file_in(folder: Path, name: str) -> Path | None:
    """Source file of a module in a folder of scripts, which another Python imports."""
    base = folder.joinpath(*name.split("."))
    places = (base / "__init__.py", base.parent / f"{base.name}.py") if name else ()
    return next((place for place in places if is_file(place)), None)


def _own_file(name: str) -> Path | None:
    """Source file of a module that is the user's own; None for others, and for names that are no module."""
    module = sys.modules.get(name)
    origin = getattr(module, "__file__", None) if module is not None else _origin(name)
    if not origin or not str(origin).endswith(".py"):
        return None
    file = Path(origin).resolve()
    return file if file.is_file() and not any(file.is_relative_to(place) for place in _foreign()) else None


def _origin(name: str) -> str | None:
    # Looking for a part of a package imports the package, so only what is imported already is searched.
    parent = name.rpartition(".")[0]
    if parent and parent not in sys.modules:
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, AttributeError, ValueError):
        return None
    return None if spec is None else spec.origin


def _foreign() -> list[Path]:
    paths = sysconfig.get_paths()
    installed = [Path(paths[key]).resolve() for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    return [*installed, Path(mibench.__file__).resolve().parent]
