"""Load and save dictionaries in any format: ours, and those of SAELens, dictionary_learning, Gemma Scope, sparsify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mibench.artifacts.dictionaries.checks import refuse, usable, validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.formats import (
    dictionary_learning,
    dictionary_learning_writer,
    gemma_scope,
    generic,
    saelens,
    saelens_writer,
    sparsify,
)
from mibench.artifacts.dictionaries.formats.statements import Statement, place_of, stated
from mibench.artifacts.dictionaries.native import is_native_dictionary, load_native, save_dictionary
from mibench.artifacts.dictionaries.processing import STEPS
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.files import atomic_folder, atomic_path, check_name, exists, is_file, is_folder
from mibench.core.hook_points import HookKind


@dataclass(frozen=True)
class Format:
    """A foreign format.

    Attributes:
        is_format: Whether a path is in it, by names and headers.
        read: Reads it, with what the user says of its place.
        write: Writes into an empty folder, or to a file.
        suffix: Of its file; "": it is a folder.
    """

    is_format: Callable[[Path], bool]
    read: Callable[[Path, Statement], Dictionary]
    write: Callable[[Dictionary, Path], None]
    suffix: str = ""


NATIVE = "native"
FORMATS = {
    saelens.FORM: Format(saelens.is_format, saelens.read, saelens_writer.write),
    dictionary_learning.FORM: Format(
        dictionary_learning.is_format, dictionary_learning.read, dictionary_learning_writer.write
    ),
    sparsify.FORM: Format(sparsify.is_format, sparsify.read, sparsify.write),
    gemma_scope.FORM: Format(gemma_scope.is_format, gemma_scope.read, gemma_scope.write, gemma_scope.SUFFIX),
    generic.FORM: Format(generic.is_format, generic.read, generic.write, generic.SUFFIX),
}
_PARTS = {
    saelens.WEIGHTS: saelens.FORM,
    dictionary_learning.WEIGHTS: dictionary_learning.FORM,
    sparsify.WEIGHTS: sparsify.FORM,
}
"""Names of files of which the folder is meant."""


def load_dictionary(path: Path | str, *, model: str | None = None, hook: str | None = None) -> Dictionary:
    """Read a dictionary in any format and check it.

    What it computes is exactly what its own library computes, with latents in other units at most. A dictionary of a
    model whose weights were processed is not changed here: see ``needs_processing``.

    Args:
        path: A file of ours, a folder of SAELens, dictionary_learning or sparsify, a Gemma Scope file or its folder,
            or a ``.safetensors`` with ``W_enc``, ``W_dec``, ``b_enc``, ``b_dec``.
        model: The model that it is for, where its files do not say.
        hook: The hook point that it reads, such as ``residual-post.L12``; of a transcoder ``mlp-in.L5->mlp-out.L5``.

    Raises:
        UsageError: There is no dictionary.
        ArtifactError: It cannot be used, or its files contradict ``model`` or ``hook``.
        DataError: ``hook`` is not the name of a hook point.
    """
    user, found = stated(model, hook), _folder_of(Path(path))
    form = format_of(found) or _form_of_suffix(found)
    if form is None:
        why = "It is in no known format." if exists(found) else "There is no such file or folder."
        do = "Give a .safetensors of ours, or a folder of SAELens, dictionary_learning, sparsify or Gemma Scope."
        raise UsageError(f"{str(path)[:200]} is no dictionary.", why=why, do=do)
    with usable(found):
        if form == NATIVE:
            return _placed(load_native(found), user)
        dictionary = FORMATS[form].read(found, user)
        validate_dictionary(dictionary)
        return dictionary


def _folder_of(path: Path) -> Path:
    """The folder, where one of its files is given."""
    form = _PARTS.get(path.name)
    return path.parent if form is not None and FORMATS[form].is_format(path.parent) else path


def _form_of_suffix(path: Path) -> str | None:
    """The format that a file of this suffix would be in: its reader says what is wrong."""
    return next((name for name, form in FORMATS.items() if form.suffix == path.suffix.lower() and is_file(path)), None)


def _placed(dictionary: Dictionary, user: Statement) -> Dictionary:
    place = dictionary.place
    agreed = place_of(Statement(place.model or None, place.hook, place.target), user, transcoder=None)
    return dictionary if agreed == place else replace(dictionary, place=agreed)


def is_dictionary(path: Path | str) -> bool:
    """Whether a file or folder is a dictionary in a known format; only names and headers are looked at."""
    found = _folder_of(Path(path))
    try:
        return format_of(found) is not None
    except ArtifactError:
        return False


def format_of(path: Path | str) -> str | None:
    """Name of the format of a file or folder; None: of no known one.

    Raises:
        ArtifactError: It is a folder with dictionaries in two formats.
    """
    found = Path(path)
    if is_native_dictionary(found):
        return NATIVE
    forms = [name for name, form in FORMATS.items() if form.is_format(found)]
    if len(forms) > 1:
        raise refuse(f"{found} has files of {' and '.join(forms)}.", "Put each dictionary into a folder of its own.")
    return forms[0] if forms else None


def save_dictionary_as(dictionary: Dictionary, path: Path | str, form: str, *, overwrite: bool = False) -> None:
    """Check a dictionary and write it in a format, whole or not at all.

    Args:
        dictionary: The dictionary.
        path: Where to: a new folder for saelens, dictionary-learning and sparsify; a ``.npz`` for gemma-scope; a
            ``.safetensors`` for native and generic.
        form: Name of the format.
        overwrite: Replace a file that is there; a folder is never replaced.

    Raises:
        UsageError: There is no such format, the suffix is another's, or something is there.
        ArtifactError: The dictionary cannot be used, or the format cannot hold it.
        StoreError: It cannot be written.
    """
    target = Path(path)
    if form == NATIVE:
        save_dictionary(dictionary, target, overwrite=overwrite)
        return
    if form not in FORMATS:
        why = f"Formats are {', '.join((NATIVE, *FORMATS))}."
        raise UsageError(f"'{form[:40]}' is no format of dictionaries.", why=why, do="Choose one of them.")
    _check_target(target, FORMATS[form].suffix, overwrite=overwrite)
    validate_dictionary(dictionary)
    if not FORMATS[form].suffix:
        with atomic_folder(target) as folder:
            FORMATS[form].write(dictionary, folder)
        return
    with atomic_path(target) as temporary:
        FORMATS[form].write(dictionary, temporary)


def _check_target(target: Path, suffix: str, *, overwrite: bool) -> None:
    check_name(target)
    if suffix and target.suffix.lower() != suffix:
        raise UsageError(f"{target} names no such file.", why=f"Its suffix is '{target.suffix}'.", do=f"Use {suffix}.")
    replaceable = overwrite and suffix and is_file(target)
    if (exists(target) or is_folder(target)) and not replaceable:
        raise UsageError(f"{target} is not overwritten.", why="It exists.", do="Choose another name or remove it.")


def needs_processing(dictionary: Dictionary) -> bool:
    """Whether ``dictionaries.processing.processed`` may have to change a dictionary for the model as it is.

    So it is if its meta says that the weights of its model were processed and that this has not been undone; or if it
    reads or writes ``mlp-normalised``, whose meaning depends on the model's norm.
    """
    if "processing" in dictionary.meta:
        return False
    kwargs = dictionary.meta.get("model_from_pretrained_kwargs")
    steps = isinstance(kwargs, dict) and any(kwargs.get(step) for step in STEPS)
    places = {dictionary.place.hook.kind, dictionary.place.target.kind}
    return steps or HookKind.MLP_NORMALISED in places
