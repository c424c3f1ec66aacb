"""Save and load featurizers: one ``.safetensors`` file, or a folder of manifest and weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mibench.artifacts.featurizers import native
from mibench.artifacts.featurizers.featurizers import Featurizers, Given, featurizers_of
from mibench.artifacts.featurizers.native import SUFFIX
from mibench.artifacts.featurizers.operation import refuse
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.files import atomic_path, check_name, exists, is_file, is_folder

_OTHER_FORMATS = {".pt", ".pth", ".bin", ".pkl", ".json", ".yaml", ".npz", ".npy"}


def load_featurizers(path: Path | str) -> Featurizers:
    """Read featurizers and check them.

    Args:
        path: A ``.safetensors`` file, or a folder with ``manifest.json`` and ``weights.safetensors``.

    Raises:
        UsageError: There is nothing of the kind.
        ArtifactError: They cannot be used.
    """
    found = Path(path)
    if not is_folder(found) and not (is_file(found) and found.suffix.lower() == SUFFIX):
        why = "It has another suffix." if is_file(found) else "There is no such file or folder."
        raise UsageError(f"{found} is no file of featurizers.", why=why, do=f"Give a {SUFFIX} file, or a folder.")
    try:
        featurizers = native.read_folder(found) if is_folder(found) else native.read_file(found)
        featurizers.validate()
    except ArtifactError as error:
        raise _unusable(found, error.why, error.do) from error
    except MemoryError as error:
        raise _unusable(found, "There is not enough memory for it.", "Use a larger machine.") from error
    except OSError as error:
        raise _unusable(found, f"{error.strerror or error}", "Check the file.") from error
    return featurizers


def _unusable(path: Path, why: str, do: str) -> ArtifactError:
    return ArtifactError(f"{path} cannot be used as featurizers.", why=why, do=do)


def save_featurizers(
    featurizers: Featurizers | Mapping[Any, Given],
    path: Path | str,
    *,
    overwrite: bool = False,
    model: str | None = None,
    task: str | None = None,
    variable: str | None = None,
) -> Featurizers:
    """Check featurizers and write them, whole or not at all; return what was written.

    A featurizer class of your own is handed in this way: say what it does as operations, by site, as in
    ``save_featurizers({"residual-post.L12@last": [Operation("orthogonal", {"rotation": R})]}, "mine.safetensors",
    model="gpt2", task="ioi", variable="output_token")``.

    Args:
        featurizers: Featurizers, or for each site its operations, or ``(operations, select)``.
        path: A file with the suffix ``.safetensors``, or a folder.
        overwrite: Replace a file that is there; a folder is never replaced.
        model: The model they are for; only with a mapping.
        task: The task; only with a mapping.
        variable: The variable; only with a mapping.

    Raises:
        UsageError: The name says no format, or something is there.
        ArtifactError: The featurizers cannot be used.
        StoreError: They cannot be written.
    """
    if isinstance(featurizers, Featurizers):
        whole = featurizers
    else:
        if model is None or task is None or variable is None:
            raise refuse("Model, task and variable are not all stated.", "State model=, task= and variable=.")
        whole = featurizers_of(featurizers, model=model, task=task, variable=variable)
    target = Path(path)
    _check_target(target, overwrite=overwrite)
    whole.validate()
    if target.suffix.lower() == SUFFIX:
        with atomic_path(target) as temporary:
            native.write_file(whole, temporary)
    else:
        native.write_folder(whole, target)
    return whole


def _check_target(target: Path, *, overwrite: bool) -> None:
    check_name(target)
    suffix = target.suffix.lower()
    if suffix in _OTHER_FORMATS:
        why = f"Its suffix is '{suffix}'."
        raise UsageError(f"{target} names no format of featurizers.", why=why, do=f"Use {SUFFIX}, or name a folder.")
    if exists(target) and (not overwrite or is_folder(target)):
        raise UsageError(f"{target} is not overwritten.", why="It exists.", do="Choose another name or remove it.")
