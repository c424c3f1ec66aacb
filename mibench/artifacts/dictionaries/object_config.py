"""What the ``cfg`` of an SAE object says, SAEBench's fields and SAELens' among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import MAX_TEXT, refuse
from mibench.artifacts.dictionaries.dictionary import Activation, Architecture, Place, Scaling, TrainingFacts
from mibench.core.errors import ArtifactError, DataError
from mibench.core.hashing import canonical_json
from mibench.core.hook_points import HookPoint

_MAX_KWARGS = 4096


@dataclass(frozen=True)
class Family:
    """What a name of an architecture stands for.

    Attributes:
        architecture: Ours.
        activations: What it may compute, the likelier first.
        pre_bias: Whether ``b_dec`` is usually subtracted from the input.
    """

    architecture: Architecture
    activations: tuple[Activation, ...]
    pre_bias: bool


_RELU = Family("relu", ("relu",), pre_bias=True)
_TOPK = Family("topk", ("topk", "jumprelu"), pre_bias=True)
_JUMPRELU = Family("jumprelu", ("jumprelu",), pre_bias=False)
_BATCHTOPK = Family("batchtopk", ("jumprelu", "topk"), pre_bias=True)
_MATRYOSHKA = Family("matryoshka", ("jumprelu", "topk"), pre_bias=True)
_TRANSCODER = Family("relu", ("relu",), pre_bias=False)

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "standard": _RELU,
        "relu": _RELU,
        "vanilla": _RELU,
        "standard_april_update": Family("relu", ("relu",), pre_bias=False),
        "p_anneal": Family("p-anneal", ("relu",), pre_bias=True),
        "topk": _TOPK,
        "batchtopk": _BATCHTOPK,
        "batch_topk": _BATCHTOPK,
        "matryoshka": _MATRYOSHKA,
        "matryoshka_batchtopk": _MATRYOSHKA,
        "matryoshka_batch_topk": _MATRYOSHKA,
        "jumprelu": _JUMPRELU,
        "jump_relu": _JUMPRELU,
        "gated": Family("gated", ("gated",), pre_bias=True),
        "identity": Family("identity", ("linear",), pre_bias=False),
        "pca": Family("pca", ("linear",), pre_bias=True),
        "transcoder": _TRANSCODER,
        "skip_transcoder": _TRANSCODER,
        "jumprelu_transcoder": _JUMPRELU,
        "jumprelu_skip_transcoder": _JUMPRELU,
    }
)
"""Families by SAEBench's and SAELens' names of architectures."""

_SCALINGS: Mapping[str, Scaling] = {"none": "none", "layer_norm": "layer-norm"}


class ObjectConfig:
    """Reads fields of a ``cfg``, an object or a mapping, or of its ``metadata``.

    Args:
        cfg: The configuration.
    """

    def __init__(self, cfg: object) -> None:
        self._cfg = cfg

    def get(self, name: str) -> Any:
        """The field's value; None where there is none."""
        for part in (self._cfg, _field(self._cfg, "metadata")):
            value = _field(part, name)
            if value is not None:
                return value() if callable(value) else value
        return None

    @staticmethod
    def whole(value: object) -> int | None:
        """``value`` as an int: a tensor or numpy number of one entry will do; None where it is none."""
        if isinstance(value, bool):
            return None
        number = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        return number if isinstance(number, int) else None

    @property
    def family(self) -> Family:
        """The family of its architecture.

        Raises:
            ArtifactError: It is not known.
        """
        name = self.get("architecture")
        family = FAMILIES.get(name.lower().replace("-", "_")) if isinstance(name, str) else None
        if family is None:
            do = f"Set cfg.architecture to one of {', '.join(FAMILIES)}."
            raise refuse(f"cfg.architecture is {brief(name)}.", do)
        function = self.get("activation_fn_str") or self.get("activation_fn")
        topk = isinstance(function, str) and function.lower().replace("-", "").startswith("topk")
        return (
            Family("topk", _TOPK.activations, family.pre_bias) if topk and family.activations == ("relu",) else family
        )

    @property
    def k(self) -> int | None:
        """Latents kept of each token, where it is stated."""
        kwargs = self.get("activation_fn_kwargs")
        stated = kwargs.get("k") if isinstance(kwargs, Mapping) else None
        return self.whole(stated if stated is not None else self.get("k"))

    @property
    def pre_bias(self) -> bool | None:
        """``apply_b_dec_to_input``, where it is stated."""
        value = self.get("apply_b_dec_to_input")
        return value if isinstance(value, bool) else None

    @property
    def scaling(self) -> Scaling:
        """What is done to activations first.

        Raises:
            ArtifactError: It is something that a dictionary here cannot do.
        """
        name = self.get("normalize_activations") or "none"
        if not isinstance(name, str) or name not in _SCALINGS:
            do = "Fold the factor into weights and biases and set it to 'none'; only 'layer_norm' is done otherwise."
            raise refuse(f"cfg.normalize_activations is {brief(name)}.", do)
        return _SCALINGS[name]

    @property
    def place(self) -> Place:
        """Where it reads and writes.

        Raises:
            ArtifactError: It does not say, or contradicts itself.
        """
        hook, output = self._point("hook_name"), self._point("hook_name_out")
        if hook is None:
            raise refuse("cfg.hook_name is missing.", "Set it, such as blocks.12.hook_resid_post, or give place=.")
        layer = self.whole(self.get("hook_layer"))
        if layer is not None and layer != hook.layer:
            raise refuse(f"cfg.hook_layer is {layer}, cfg.hook_name {hook.transformer_lens}.", "Make them agree.")
        head = self.get("hook_head_index")
        if head is not None:
            raise refuse(f"cfg.hook_head_index is {brief(head)}.", "Hand in a dictionary for all heads, not for one.")
        model = self.get("model_name")
        return Place(model if isinstance(model, str) else "", hook, None if output == hook else output)

    def _point(self, field: str) -> HookPoint | None:
        name = self.get(field)
        if not name:
            return None
        try:
            return HookPoint.parse(str(name))
        except DataError as error:
            raise refuse(f"cfg.{field}: {error.what} {error.why}", f"{error.do} Or give place=.") from error

    def check_sizes(self, sizes: Mapping[str, int]) -> None:
        """Check that stated sizes are those of the weights.

        Raises:
            ArtifactError: One is another.
        """
        for name, size in sizes.items():
            stated = self.whole(self.get(name))
            if stated is not None and stated != size:
                raise refuse(f"cfg.{name} is {stated}, and its weights have {size}.", "Transpose them, or fix cfg.")

    @property
    def training(self) -> TrainingFacts:
        """What is known of the training; SAEBench's -100000 tokens mean that nothing is."""
        corpus, bos = self.get("dataset_path"), self.get("prepend_bos")
        tokens, context = self.whole(self.get("training_tokens")), self.whole(self.get("context_size"))
        return TrainingFacts(
            corpus=corpus[:MAX_TEXT] if isinstance(corpus, str) and corpus.isprintable() else None,
            tokens=tokens if tokens is not None and tokens > 0 else None,
            context=context if context is not None and context > 0 else None,
            bos=bos if isinstance(bos, bool) else None,
        )

    @property
    def model_kwargs(self) -> dict[str, Any]:
        """``model_from_pretrained_kwargs``, by which the model was loaded; types such as torch's as text.

        Raises:
            ArtifactError: They cannot be kept, and may say that the model was processed.
        """
        value = self.get("model_from_pretrained_kwargs") or {}
        try:
            plain = {str(name): one if isinstance(one, bool | int | float) else str(one) for name, one in value.items()}
            if len(canonical_json(plain)) <= _MAX_KWARGS:
                return plain
        except (AttributeError, TypeError, ValueError) as error:
            raise _odd_kwargs(value) from error
        raise _odd_kwargs(value)


def _odd_kwargs(value: object) -> ArtifactError:
    return refuse(f"cfg.model_from_pretrained_kwargs is {brief(value)}.", "Keep a short mapping there, or none.")


def _field(part: object, name: str) -> Any:
    return part.get(name) if isinstance(part, Mapping) else getattr(part, name, None)
