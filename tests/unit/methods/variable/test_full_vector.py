from __future__ import annotations

import torch
from planted_sites import HERE, THERE, WIDTH, PlantedRuns, planted_view, rows_of

from mibench.engine.featurizers.edit import edit_of
from mibench.methods.variable.full_vector import full_vector


def test_every_site_is_replaced_as_a_whole():
    blank = {site: torch.zeros(2, 1, WIDTH, dtype=torch.float64) for site in (HERE, THERE)}
    found = full_vector.function(planted_view(PlantedRuns(rows_of("ab", "ba"), blank, blank)))
    found.validate()
    base, source = torch.randn(2, 3, 1, WIDTH, dtype=torch.float64)
    assert [one.site for one in found.sites] == [HERE, THERE]
    for one in found.sites:
        assert torch.equal(edit_of(one, device=base.device, dtype=base.dtype)(base, source), source)
