"""Fetching from the Hugging Face hub, with errors that say what to do."""

from __future__ import annotations

from pathlib import Path
from socket import gaierror

from mibench.core.errors import ModelError, causes
from mibench.models.quiet import quiet_transformers

_WEIGHTS = ["config.json", "*.safetensors", "*.safetensors.index.json"]
_VOCABULARY = ["tokenizer*", "vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json"]
_BELOW_ROOT = ["*/*"]
_UNREACHED = {"ConnectError", "ConnectTimeout", "ReadTimeout", "NetworkError", "LocalEntryNotFoundError"}
"""Errors of the hub's client, whose HTTP library differs by version."""


def snapshot(hub_id: str, revision: str | None, *, gated: bool = False) -> Path:
    """Return the folder of a hub model's configuration, safetensors weights and tokenizer.

    What is in the local hub cache is not fetched again; ``HF_HUB_OFFLINE=1`` forbids any fetching.

    Args:
        hub_id: ``organisation/name``.
        revision: Commit, branch or tag; None: ``main``.
        gated: Whether the model's licence must be accepted first.

    Raises:
        ModelError: The model could not be fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError

    try:
        with quiet_transformers():
            folder = snapshot_download(
                hub_id,
                revision=revision,
                allow_patterns=[*_WEIGHTS, *_VOCABULARY],
                ignore_patterns=_BELOW_ROOT,
            )
    except (OSError, ValueError, HTTPError) as error:
        raise hub_error(hub_id, revision, error, gated=gated) from error
    return Path(folder)


def hub_folder(repo: str, revision: str | None, patterns: list[str]) -> Path:
    """Return the local folder of a hub repository with the files that match ``patterns``.

    Raises:
        ModelError: They could not be fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError

    try:
        with quiet_transformers():
            return Path(snapshot_download(repo, revision=revision, allow_patterns=patterns))
    except (OSError, ValueError, HTTPError) as error:
        raise hub_error(repo, revision, error) from error


def hub_file(repo: str, file: str, revision: str, n_bytes: int | None = None) -> Path:
    """Return one file of a hub repository, fetched into the local hub cache.

    Args:
        repo: ``organisation/name``.
        file: Path in it.
        revision: Commit.
        n_bytes: Size that the file has to have, asked for before it is fetched; None: any.

    Raises:
        ModelError: The file could not be fetched, or has another size.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HTTPError

    try:
        with quiet_transformers():
            if n_bytes is not None and not isinstance(try_to_load_from_cache(repo, file, revision=revision), str):
                _check_size(get_hf_file_metadata(hf_hub_url(repo, file, revision=revision)).size, n_bytes, repo, file)
            return Path(hf_hub_download(repo, file, revision=revision))
    except (OSError, ValueError, HTTPError) as error:
        raise hub_error(repo, revision, error) from error


def _check_size(found: int | None, stated: int, repo: str, file: str) -> None:
    if found != stated:
        why = f"The hub says that it has {found} bytes; {stated} were stated."
        raise ModelError(f"{repo}/{file} was not fetched.", why=why, do="Correct the size, the path or the revision.")


def hub_error(hub_id: str, revision: str | None, error: Exception, *, gated: bool = False) -> ModelError:
    """Return what a failed fetch means for the user; a licence that is needed comes after what stopped it."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError

    page = f"https://huggingface.co/{hub_id}"
    licence = gated or isinstance(error, GatedRepoError)
    why = str(error).strip().split("\n")[0] or type(error).__name__
    steps = [f"accept the licence at {page} and run `hf auth login`"] if licence else []
    if constants.HF_HUB_OFFLINE:
        why, steps = f"HF_HUB_OFFLINE is set. {why}", ["unset HF_HUB_OFFLINE", *steps]
    elif is_of_network(error):
        why, steps = f"The hub cannot be reached from here: {why}", ["connect to the network", *steps]
    todo = ", ".join(steps) or f"check {page} and the connection"
    return ModelError(
        f"{hub_id}{'@' + revision if revision else ''} could not be fetched from the hub.",
        why=why,
        do=f"{todo[0].upper()}{todo[1:]}; or give a local folder in transformers format.",
    )


def is_of_network(error: BaseException) -> bool:
    """Whether what an error comes from is that nobody answered; an answer of the hub, even a refusal, is none."""
    chain = list(causes(error))
    if any(getattr(one, "response", None) is not None for one in chain):
        return False
    return any(
        isinstance(one, ConnectionError | TimeoutError | gaierror) or type(one).__name__ in _UNREACHED for one in chain
    )
