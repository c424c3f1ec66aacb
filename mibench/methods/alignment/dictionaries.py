"""Sparse autoencoders out of a file of featurizers."""

from __future__ import annotations

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import load_featurizers
from mibench.core.errors import UsageError
from mibench.core.sites import Site
from mibench.methods.alignment.masks import Features
from mibench.methods.variable_view import VariableView

KIND = "sae"


def read_dictionaries(path: str, view: VariableView) -> Featurizers:
    """Read the dictionaries of the view's model.

    Raises:
        UsageError: There is no such file, or it is about another model.
        ArtifactError: It cannot be used.
    """
    found = load_featurizers(path)
    if found.model != view.ground.model:
        raise UsageError(
            f"{path} is not of this model.",
            why=f"It is about {found.model}, the cell about {view.ground.model}.",
            do="Give dictionaries that were trained on the cell's model.",
        )
    return found


def dictionary_at(site: Site, given: Featurizers, width: int) -> Features:
    """The dictionary at a site: the featurizer there, if it is one operation ``sae`` of that width.

    Raises:
        UsageError: There is none.
        ArtifactError: It is of another width.
    """
    if site not in given or [one.kind for one in given[site].operations] != [KIND]:
        known = [one.site.name for one in given.sites if [each.kind for each in one.operations] == [KIND]]
        listed = ", ".join(known[:5]) + (" …" if len(known) > 5 else "")
        raise UsageError(
            f"There is no dictionary at {site.name}.",
            why=f"The file has dictionaries at {listed or 'no site'}.",
            do="Name sites that have one with --position and --layer, or give another file.",
        )
    found = given[site]
    return Features(found.operations, found.validate(width) or width)
