"""Sizes of models, from their configuration or the catalogue; no weights are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mibench.core.errors import ModelError, UsageError
from mibench.core.hook_points import HookKind
from mibench.core.names import did_you_mean
from mibench.graph.graph import Graph
from mibench.models.catalogue import CATALOGUE, ModelSpec
from mibench.models.families import FAMILIES
from mibench.models.known import known_folder, known_models


@dataclass(frozen=True)
class ModelSizes:
    """What the shapes of artifacts follow from.

    Attributes:
        graph: The model's graph.
        d_model: Width of the residual stream.
        head_dim: Width of a head.
    """

    graph: Graph
    d_model: int
    head_dim: int

    def width(self, kind: HookKind) -> int:
        """Entries of the activation at a hook point."""
        return self.graph.n_heads * self.head_dim if kind is HookKind.HEADS else self.d_model


def model_sizes(name: str, folders: Mapping[str, Path]) -> ModelSizes:
    """Return the sizes of a model.

    Args:
        name: As the manifest has it: of the catalogue, of a model whose mechanism is known, or of ``folders``.
        folders: Models in transformers format on this machine, by name.

    Raises:
        UsageError: Nothing is known of it.
        ModelError: Its configuration cannot be used.
    """
    if name in folders:
        return _of_folder(folders[name])
    if name in CATALOGUE:
        return _of_catalogue(CATALOGUE[name])
    if name in known_models():
        return _of_folder(known_folder(name))
    raise UsageError(
        f"The model '{name}' is not known.",
        why="It is in no list of models, so the shapes of its artifacts cannot be checked.",
        do=f"{did_you_mean(name, [*CATALOGUE, *known_models()])} Or say where it is: --model-folder {name}=FOLDER.",
    )


def _of_catalogue(spec: ModelSpec) -> ModelSizes:
    """What the catalogue says; the rest (head width, parallel blocks) is what its family has by default."""
    from transformers import AutoConfig

    kind = spec.family.replace("-", "_")
    sizes = {"num_hidden_layers": spec.n_layers, "num_attention_heads": spec.n_heads, "hidden_size": spec.d_model}
    config = AutoConfig.for_model(kind, **sizes)
    return _of_config(config, FAMILIES.load(spec.family)().parallel(config))


def _of_folder(folder: Path) -> ModelSizes:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        names = set(config.architectures or ())
        families = [one for one in FAMILIES.components.values() if names & set(one.metadata["architectures"])]
        if not families:
            raise ValueError(f"No family has the architecture {', '.join(map(str, names)) or 'that it leaves out'}.")
        return _of_config(config, families[0].load()().parallel(config))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        why = " ".join(str(error).split())[:300]
        do = "Give a folder written by model.save_pretrained(FOLDER)."
        raise ModelError(f"The sizes of the model in {folder} cannot be read.", why=why, do=do) from error


def _of_config(config: Any, parallel: bool) -> ModelSizes:  # noqa: FBT001
    n_heads, d_model = int(config.num_attention_heads), int(config.hidden_size)
    graph = Graph(int(config.num_hidden_layers), n_heads, parallel)
    return ModelSizes(graph, d_model, int(getattr(config, "head_dim", None) or d_model // n_heads))
