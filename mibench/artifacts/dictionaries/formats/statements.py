"""Where a dictionary reads: what its file says and what its user says, which must not contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.artifacts.dictionaries.checks import refuse
from mibench.artifacts.dictionaries.dictionary import Place
from mibench.core.errors import DataError
from mibench.core.hook_points import HookPoint

ARROW = "->"
_SAME = {"gpt2-small": "gpt2"}


@dataclass(frozen=True)
class Statement:
    """What somebody says of a place; None: nothing.

    Attributes:
        model: Name of the model.
        hook: What the dictionary reads.
        output: What it reconstructs.
        layer: The layer of ``hook``, where only that is said.
        default: What it reads if nobody says more.
    """

    model: str | None = None
    hook: HookPoint | None = None
    output: HookPoint | None = None
    layer: int | None = None
    default: HookPoint | None = None


def stated(model: str | None, hook: str | None) -> Statement:
    """What a user says.

    Args:
        model: Name of the model.
        hook: Name of a hook point; of a transcoder ``input->output``, such as ``mlp-in.L5->mlp-out.L5``.

    Raises:
        DataError: A name is of no hook point.
    """
    reads, arrow, writes = (hook or "").partition(ARROW)
    return Statement(
        model,
        HookPoint.parse(reads.strip()) if hook is not None else None,
        HookPoint.parse(writes.strip()) if arrow else None,
    )


def foreign_point(name: str | None, user: HookPoint | None) -> HookPoint | None:
    """The hook point of a name in a file; None where there is no name, or the user says what an unknown one means.

    Raises:
        ArtifactError: The name is unknown, and the user does not say what it means.
    """
    if name is None:
        return None
    try:
        return HookPoint.parse(name)
    except DataError as error:
        if user is not None:
            return None
        do = "State what it is: --hook, or hook= in Python."
        raise refuse(f"It reads or writes at '{name:.80}', which is no hook point known here.", do) from error


def place_of(file: Statement, user: Statement, *, transcoder: bool | None) -> Place:
    """The place that both say.

    Args:
        file: What the file says.
        user: What the user says.
        transcoder: Whether it reconstructs something else than it reads; None: as is said.

    Raises:
        ArtifactError: They contradict each other, or nobody says it.
    """
    hook = _agreed("reads", file.hook, user.hook) or file.default
    if hook is None:
        layer = 12 if file.layer is None else file.layer
        raise refuse("Nothing says where it reads.", f"State it: --hook residual-post.L{layer}, or hook= in Python.")
    if file.layer is not None and hook.layer != file.layer:
        raise refuse(f"Its files say layer {file.layer}; you say {hook.name}.", "State the place it was trained at.")
    output = _agreed("writes", file.output, user.output)
    if transcoder and output is None:
        do = f"State both: --hook 'mlp-in.L{hook.layer}{ARROW}mlp-out.L{hook.layer}', or hook= in Python."
        raise refuse("It is a transcoder, and nothing says where it writes.", do)
    if transcoder is False and output not in (None, hook):
        raise refuse(f"It is no transcoder; you say that it writes at {_name(output)}.", "State one hook point.")
    return Place(_model(file.model, user.model), hook, None if output == hook else output)


def _agreed(verb: str, file: HookPoint | None, user: HookPoint | None) -> HookPoint | None:
    if file is not None and user is not None and file != user:
        why = f"Its files say that it {verb} at {file.name}; you say {user.name}."
        raise refuse(why, "State the place it was trained at, or none.")
    return file or user


def _name(point: HookPoint | None) -> str:
    return "nothing" if point is None else point.name


def _model(file: str | None, user: str | None) -> str:
    if file and user and _short(file) != _short(user):
        raise refuse(f"Its files say that it is for '{file:.80}'; you say '{user:.80}'.", "Name the model it is for.")
    return user or file or ""


def _short(name: str) -> str:
    word = name.rstrip("/").rsplit("/", 1)[-1].lower()
    return _SAME.get(word, word)
