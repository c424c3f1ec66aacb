"""Principal components as a dictionary."""

from __future__ import annotations

from mibench.artifacts.dictionaries.dictionary import Dictionary, Rule
from mibench.core.errors import MethodError
from mibench.methods.dictionaries.linear import facts_of, principal_axes, regression
from mibench.methods.dictionaries.moments import moments_of
from mibench.methods.dictionaries.recipe import Components
from mibench.methods.dictionaries.sample import is_transcoder
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import method


@method(track="sae", name="sae-pca", version=1, needs=("train",), levels=())
def sae_pca(view: DictionaryView, *, width: Components = None, k: Components = None) -> Dictionary:
    """Take the components of largest variance: f = (x − μ) V of either sign, x̂ = f Vᵀ + μ.

    V are the leading eigenvectors of the covariance, in float64, over one epoch; the largest entry of each is positive.
    They are orthonormal and in order, so keeping the first k is the best reconstruction of rank k. A transcoder decodes
    by least squares from f to its targets. Latents are dense: L0 is their number. Cost: one pass over the activations.
    Source: Pearson (1901); as a baseline of SAEs, SAEBench (Karvonen et al. 2025), arXiv 2503.09532.

    Args:
        view: The cell's view.
        width: Number of components; None: as many as the activation has entries.
        k: Keep only so many of them, the first; None: all.
    """
    source = view.source
    count = _count(width, k, source.d_in)
    moments = moments_of(view, second=True)
    axes, variances = principal_axes(moments.covariance, count)
    cross = axes.T @ moments.cross
    transcoder = is_transcoder(view)
    decoder = regression(variances.diag(), cross) if transcoder else axes.T
    tensors = {
        "w_enc": axes,
        "b_enc": -(moments.inputs @ axes) if transcoder else axes.new_zeros(count),
        "w_dec": decoder,
        "b_dec": moments.targets,
    }
    facts = facts_of(view, moments, decoder, variances.diag(), cross)
    return view.dictionary("pca", Rule("linear", not transcoder), tensors, facts=facts)


def _count(width: int | None, k: int | None, d_in: int) -> int:
    """Components to keep.

    Raises:
        MethodError: There are not so many.
    """
    among = d_in if width is None else width
    count = among if k is None else k
    if count > among or among > d_in:
        raise MethodError(
            f"{count} of {among} principal components cannot be kept.",
            why=f"The activation has {d_in} entries, so there are as many components.",
            do="Give a smaller width, or a smaller k.",
        )
    return count
