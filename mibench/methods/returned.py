"""What methods return: an artifact of their track, or they are told what to return."""

from __future__ import annotations

from typing import TypeVar

from mibench.core.errors import MethodError

Artifact = TypeVar("Artifact")


def artifact_of(found: object, kind: type[Artifact], method: str, *, noun: str, call: str) -> Artifact:
    """Return what a method returned, if it is of its kind.

    Args:
        found: What it returned.
        kind: What it has to return.
        method: Its name.
        noun: What that is called.
        call: What makes one in a method.

    Raises:
        MethodError: It is something else.
    """
    if isinstance(found, kind):
        return found
    raise MethodError(
        f"{method} did not return {noun}.",
        why=f"It returned a {type(found).__name__}.",
        do=f"Return {call} from the method.",
    )
