"""What the hub says of things that a run needs: their sizes, or nothing, where it cannot be reached."""

from __future__ import annotations

from mibench.models.catalogue import CATALOGUE
from mibench.models.footprint import ITEM_BYTES
from mibench.runner.needs import HUB_SECONDS
from mibench.runner.wanted import Kind, Wanted


def hub_bytes(one: Wanted) -> int | None:
    """Size of something as the hub tells it; None where it does not, or cannot be reached."""
    if one.n_bytes is not None or one.hub_id is None:
        return one.n_bytes
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    api = HfApi()
    ask = api.dataset_info if one.kind in {"data", "text"} else api.model_info
    try:
        info = ask(one.hub_id, revision=one.revision, files_metadata=True, timeout=HUB_SECONDS)
    except (OSError, ValueError, HTTPError):
        return None
    sizes = [part.size for part in info.siblings or () if _is_fetched(one.kind, part.rfilename)]
    return sum(size for size in sizes if size is not None) if sizes and None not in sizes else None


def estimated_bytes(one: Wanted) -> int | None:
    """Size of a model's weights by the catalogue, parameters times bytes of its usual type; None: not known."""
    spec = CATALOGUE.get(one.name) if one.kind == "model" else None
    return None if spec is None else spec.n_params * ITEM_BYTES[spec.default_dtype]


def _is_fetched(kind: Kind, file: str) -> bool:
    """Whether a file of a repository is among those that are fetched; of models, plain weights at the top."""
    return kind != "model" or ("/" not in file and file.endswith((".safetensors", ".json", ".txt", ".model")))
