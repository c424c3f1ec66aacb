"""Desiderata-based masking of a sparse autoencoder's features."""

from __future__ import annotations

from typing import Annotated

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.methods.alignment.dictionaries import dictionary_at, read_dictionaries
from mibench.methods.alignment.masks import learn_masks
from mibench.methods.alignment.settings import Count, Rate, Sparsities, Variant, sweep_of, training_of
from mibench.methods.method import InputFile, method
from mibench.methods.variable_view import VariableView


@method(
    track="variable",
    name="dbm-sae",
    version=1,
    needs=("train", "validation", "gradients", "randomness"),
    levels=(),
)
def dbm_sae(  # noqa: PLR0913 - a method's parameters are its settings
    view: VariableView,
    *,
    dictionary: Annotated[str, InputFile()],
    sparsities: Sparsities = (0.0, 1e-4, 1e-3, 1e-2),
    epochs: Count = None,
    batch: Count = None,
    lr: Rate = None,
    variant: Variant = "mibench",
) -> Featurizers:
    """Learn which features of a given sparse autoencoder are swapped; what it does not reconstruct stays the base's.

    x' = dec(f') + x_b − dec(enc(x_b)), f' by the mask of ``dbm`` over the features of the site's dictionary, which is
    not trained. Cost: that of ``dbm``, and two encodings and decodings a row and step. Source: MIB (Mueller et al.
    2025), arXiv 2504.13151.

    Args:
        view: The cell's view.
        dictionary: File or folder of featurizers of this model, with one operation ``sae`` at every site of the cell.
        sparsities: Values of λ; a text has commas between them.
        epochs: Times that each row is seen; None: the task's default.
        batch: Rows a step; None: the task's default.
        lr: Learning rate of the mask; None: the task's default.
        variant: ``mib``: λ = 0 as in ``dbm``.
    """
    given = read_dictionaries(dictionary, view)
    features = {site: dictionary_at(site, given, view.width(site)) for site in view.sites}
    return learn_masks(view, features, sweep_of(sparsities, variant, training_of(view, epochs, batch, lr)))
