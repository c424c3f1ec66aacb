"""What a method is, how one registers itself, and how its parameters are checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from mibench.core.errors import UsageError
from mibench.core.hashing import digest, file_digest
from mibench.core.names import unknown
from mibench.core.registry import Registry

METHODS = Registry("method", "mibench.methods")


class InputFile:
    """Marks a parameter that names a file or folder: ``Annotated[str, InputFile()]``. Its content is part of a cell."""


@dataclass(frozen=True)
class Method:
    """A function of a view that returns an artifact.

    Attributes:
        function: Takes the view, then parameters by keyword.
        name: What users write.
        track: What kind of artifact it hands in.
        version: Raised when its artifacts change.
        needs: Of ``train`` (sees training examples), ``gradients``, ``randomness`` (draws from the seed).
        levels: What it can score.
        code_digest: Digest of the user's own modules; None for a built-in method.
    """

    function: Callable[..., Any]
    name: str
    track: str = "circuit"
    version: int = 1
    needs: tuple[str, ...] = ("train", "gradients")
    levels: tuple[str, ...] = ("edge", "node", "neuron")
    code_digest: str | None = None

    def parameters(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters of the method, those not given at their defaults, converted to their types.

        Args:
            given: Values by name; texts are converted.

        Raises:
            UsageError: An unknown name, a value of the wrong type, or one that is missing.
        """
        known = self.known
        for name in given:
            if name not in known:
                raise unknown(f"parameter of {self.name}", name, known)
        values = {}
        for name, parameter in known.items():
            value = given.get(name, parameter.default)
            if value is inspect.Parameter.empty:
                raise UsageError(f"{self.name} needs '{name}'.", why="It has no default.", do=f"--set {name}=…")
            values[name] = self._converted(parameter, value)
        return values

    @property
    def known(self) -> dict[str, inspect.Parameter]:
        """Its parameters by name, the view left out."""
        found = list(inspect.signature(self.function).parameters.values())[1:]
        return {one.name: one for one in found if one.kind is not inspect.Parameter.VAR_KEYWORD}

    def content(self, params: Mapping[str, Any]) -> dict[str, str]:
        """Digests of the files that parameters name, by ``<parameter>_sha256``; of a folder, those of all its files."""
        marked = [name for name, one in self.known.items() if _is_file(self._kind(one))]
        return {f"{name}_sha256": _content(Path(str(params[name]))) for name in marked}

    def _kind(self, parameter: inspect.Parameter) -> Any:
        """Type of a parameter; without an annotation, that of its default, where ``1`` also means ``1.5``."""
        if parameter.annotation is inspect.Parameter.empty:
            kind = type(parameter.default)
            return {bool: bool, int: int | float, float: float, str: str}.get(kind, Any)
        annotated = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
        # By itself, since another annotation may name what is imported for type checkers only.
        try:
            found = get_type_hints(annotated, getattr(self.function, "__globals__", {}), include_extras=True)
        except (NameError, AttributeError, TypeError, SyntaxError):
            return Any
        return found[parameter.name]

    def _converted(self, parameter: inspect.Parameter, value: Any) -> Any:
        default, kind = parameter.default, self._kind(parameter)
        try:
            return _as_kind(kind, value)
        except PydanticSchemaGenerationError:
            return value
        except ValueError as error:
            if value is default:  # such as `k: int = None`
                return value
            raise UsageError(
                f"{self.name} cannot take {parameter.name}={value!r}.",
                why=error.errors()[0]["msg"] if isinstance(error, ValidationError) else f"{error}.",
                do="Give another value." if default is inspect.Parameter.empty else f"Its default is {default}.",
            ) from error


def _is_file(kind: Any) -> bool:
    return any(isinstance(mark, InputFile) for mark in getattr(kind, "__metadata__", ()))


def _content(path: Path) -> str:
    """Digest of a file, or of a folder's files by name; empty where there is nothing: the method will say so."""
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    found = {
        one.name if one == path else str(one.relative_to(path)): file_digest(one) for one in files if one.is_file()
    }
    return digest(found) if found else ""


def _as_kind(kind: Any, value: Any) -> Any:
    """Convert a value; a number becomes a text where a text is wanted, since YAML reads 7 as a number."""
    adapter = TypeAdapter(kind)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        found = adapter.validate_python(value)
    except ValidationError:
        if not number:
            raise
        return adapter.validate_python(str(value))
    if isinstance(value, bool) and isinstance(found, int | float) and not isinstance(found, bool):
        raise ValueError("A number is wanted, not true or false")
    return found


def method(
    *,
    track: str,
    name: str,
    version: int,
    needs: tuple[str, ...] = ("train", "gradients"),
    levels: tuple[str, ...] = ("edge",),
) -> Callable[[Callable[..., Any]], Method]:
    """Register the decorated function as a method; arguments are literals, since the registry parses them.

    Args:
        track: What kind of artifact it hands in.
        name: What users write.
        version: Raised when its artifacts change.
        needs: Of ``train``, ``gradients``, ``randomness``.
        levels: What it can score.
    """

    def register(function: Callable[..., Any]) -> Method:
        return Method(function, name, track, version, needs, levels)

    return register
