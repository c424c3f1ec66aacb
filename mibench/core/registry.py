"""Find components without importing them: a file registers itself by a decorator with literal arguments."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError
from mibench.core.names import unknown


@dataclass(frozen=True)
class Component:
    """One registered component: where it is and what it declares, read without importing it.

    Attributes:
        kind: What it is (``method``, ``task``, …).
        name: The name users write.
        module: Module that holds it.
        attr: Name in that module.
        metadata: The literal keyword arguments of its decorator.
        doc: First line of its docstring.
    """

    kind: str
    name: str
    module: str
    attr: str
    metadata: dict[str, Any] = field(default_factory=dict)
    doc: str = ""

    @property
    def where(self) -> str:
        """Module and attribute, dotted."""
        return f"{self.module}.{self.attr}"

    def load(self) -> Any:
        """Import the module and return the object.

        Raises:
            MibenchError: The module cannot be imported, or does not hold the object.
        """
        try:
            return attrgetter(self.attr)(importlib.import_module(self.module))
        except (ImportError, AttributeError) as error:
            raise MibenchError(
                f"The {self.kind} '{self.name}' cannot be loaded from {self.where}.",
                why=str(error),
                do="Install what it needs, or uninstall the package that registers it.",
            ) from error


@dataclass(frozen=True)
class Registry:
    """The components of one kind: those in ``package`` and those of installed entry points.

    Attributes:
        kind: Singular name, also the decorator's: ``@method(name=…)`` marks a method.
        package: Dotted package whose files are scanned, sub-packages included.
        plural: Several of them, where that is not the singular with an s.
    """

    kind: str
    package: str
    plural: str = ""

    @cached_property
    def components(self) -> dict[str, Component]:
        """All components by name.

        Raises:
            MibenchError: Two components share a name.
        """
        found: dict[str, Component] = {}
        for component in [*self._built_in(), *self._installed()]:
            if component.name in found:
                other = found[component.name]
                raise MibenchError(
                    f"Two {self.kind}s are called '{component.name}'.",
                    why=f"{other.where} and {component.where} both register it.",
                    do="Rename one of them, or uninstall its package.",
                )
            found[component.name] = component
        return dict(sorted(found.items()))

    @property
    def group(self) -> str:
        """Entry-point group of other packages' components, such as ``mibench.families``."""
        plural = f"{self.kind[:-1]}ies" if self.kind.endswith("y") else f"{self.kind}s"
        return f"mibench.{self.plural or plural}"

    def names(self) -> list[str]:
        """All names, sorted."""
        return list(self.components)

    def get(self, name: str) -> Component:
        """Return the component called ``name``.

        Raises:
            UsageError: No component has that name.
        """
        if name not in self.components:
            raise unknown(self.kind.replace("_", " "), name, self.components)
        return self.components[name]

    def load(self, name: str) -> Any:
        """Import the component called ``name`` and return it."""
        return self.get(name).load()

    def _built_in(self) -> Iterator[Component]:
        for path, module in _package_modules(self.package):
            yield from scan_file(path, kind=self.kind, module=module)

    def _installed(self) -> Iterator[Component]:
        for point in entry_points(group=self.group):
            yield _described(Component(self.kind, point.name, point.module, point.attr), point)


def scan_file(path: Path, *, kind: str, module: str) -> Iterator[Component]:
    """Yield the components that ``path`` registers with ``@kind(name=…, …)``, by parsing it.

    Raises:
        MibenchError: The file is not Python, or a decorator's argument is not a literal.
    """
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        raise MibenchError(f"{path} is not Python.", why=str(error), do="Correct the file.") from error
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and _called_name(decorator) == kind:
                    yield _component(node, decorator, kind=kind, module=module)


def _component(node: ast.FunctionDef | ast.ClassDef, call: ast.Call, *, kind: str, module: str) -> Component:
    try:
        metadata = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
    except ValueError as error:
        raise MibenchError(
            f"@{kind} of {module}.{node.name} (line {call.lineno}) cannot be read.",
            why="It is read without running the file, so its arguments must be literals.",
            do="Write the values themselves, not names or calls.",
        ) from error
    name = str(metadata.pop("name", node.name.replace("_", "-")))
    doc = (ast.get_docstring(node) or "").split("\n")[0]
    return Component(kind, name, module, node.name, metadata, doc)


def _called_name(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _described(bare: Component, point: EntryPoint) -> Component:
    """Add what the decorator declares, where the file is found; the entry point's name stands."""
    for path, module in _package_modules(point.module.partition(".")[0]):
        if module == point.module:
            for found in scan_file(path, kind=bare.kind, module=module):
                if found.attr == bare.attr:
                    return replace(found, name=bare.name)
    return bare


def _package_modules(package: str) -> Iterator[tuple[Path, str]]:
    """Yield the Python files of a package, or of a single-file module, with their dotted names, sorted."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return
    if spec.submodule_search_locations is None and spec.origin and spec.origin.endswith(".py"):
        yield Path(spec.origin), package
    for folder in map(Path, spec.submodule_search_locations or ()):
        for path in sorted(folder.rglob("*.py")):
            inner = path.relative_to(folder).with_suffix("").parts
            yield path, ".".join([package, *(part for part in inner if part != "__init__")])
