"""Where a dictionary reads and writes: one kind of activation of one layer, at every token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from mibench.core.errors import DataError


class HookKind(StrEnum):
    """What is read of a block, for each token."""

    RESIDUAL_PRE = "residual-pre"
    """The residual stream before the block, ``d_model`` wide."""
    RESIDUAL_MID = "residual-mid"
    """The residual stream between attention and MLP, ``d_model`` wide."""
    RESIDUAL_POST = "residual-post"
    """The residual stream after the block, ``d_model`` wide."""
    ATTN_OUT = "attn-out"
    """What attention adds to the residual stream, ``d_model`` wide."""
    HEADS = "heads"
    """What all heads hand to the output projection, side by side, ``n_heads · head_dim`` wide."""
    MLP_IN = "mlp-in"
    """What the MLP reads, after its norm, ``d_model`` wide."""
    MLP_NORMALISED = "mlp-normalised"
    """The same before the norm's own scale and shift, ``d_model`` wide."""
    MLP_OUT = "mlp-out"
    """What the MLP adds to the residual stream, ``d_model`` wide."""


_TRANSFORMER_LENS = {
    "hook_resid_pre": HookKind.RESIDUAL_PRE,
    "hook_resid_mid": HookKind.RESIDUAL_MID,
    "hook_resid_post": HookKind.RESIDUAL_POST,
    "hook_attn_out": HookKind.ATTN_OUT,
    "attn.hook_z": HookKind.HEADS,
    "ln2.hook_normalized": HookKind.MLP_NORMALISED,
    "hook_mlp_out": HookKind.MLP_OUT,
}
"""TransformerLens' names inside a block. What an MLP reads has none there that is not folded away."""

_OWN = re.compile(r"(?P<kind>[a-z-]+)\.L(?P<layer>\d{1,4})")
_FOREIGN = re.compile(r"blocks\.(?P<layer>\d{1,4})\.(?P<kind>[A-Za-z0-9_.]{1,40})")


@dataclass(frozen=True, order=True)
class HookPoint:
    """One place in a network.

    Attributes:
        layer: Which block, from 0.
        kind: What is read there.
    """

    layer: int
    kind: HookKind = HookKind.RESIDUAL_POST

    @property
    def name(self) -> str:
        """Such as ``residual-post.L15``."""
        return f"{self.kind}.L{self.layer}"

    @property
    def transformer_lens(self) -> str | None:
        """TransformerLens' name, such as ``blocks.15.hook_resid_post``; None where it has none."""
        inside = {kind: name for name, kind in _TRANSFORMER_LENS.items()}.get(self.kind)
        return None if inside is None else f"blocks.{self.layer}.{inside}"

    @classmethod
    def parse(cls, name: str) -> HookPoint:
        """Read a name, ours or TransformerLens'.

        Raises:
            DataError: It is neither.
        """
        own, foreign = _OWN.fullmatch(name), _FOREIGN.fullmatch(name)
        if own is not None and own["kind"] in set(HookKind):
            return cls(int(own["layer"]), HookKind(own["kind"]))
        if foreign is not None and foreign["kind"] in _TRANSFORMER_LENS:
            return cls(int(foreign["layer"]), _TRANSFORMER_LENS[foreign["kind"]])
        raise DataError(
            f"'{name[:200]}' is not the name of a hook point.",
            why=f"It is written kind.Llayer, kind one of {', '.join(HookKind)}; or as TransformerLens does.",
            do="Write residual-post.L12 or blocks.12.hook_resid_post.",
        )
