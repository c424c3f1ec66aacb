"""What a failed fetch means: nobody answered, the hub refused, or a licence is missing."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from mibench.models.hub import hub_error, is_of_network


class Answered(OSError):
    """An answer of the hub that is a refusal."""

    response = SimpleNamespace(status_code=503)


def chained(*errors: Exception) -> Exception:
    """The first, caused by the second, and so on."""
    for one, cause in itertools.pairwise(errors):
        one.__cause__ = cause
    return errors[0]


@pytest.mark.parametrize(
    ("error", "unreached"),
    [
        (ConnectionError("refused"), True),
        (chained(LocalEntryNotFoundError("not here"), ConnectionError("refused")), True),
        (chained(LocalEntryNotFoundError("not here"), Answered("503 Service Unavailable")), False),
        (chained(Answered("429"), ConnectionError("refused")), False),
        (ValueError("a bad name"), False),
    ],
)
def test_only_where_nobody_answered_the_network_is_the_cause(
    error: Exception, *, unreached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert is_of_network(error) is unreached
    told = hub_error("org/name", "main", error, gated=True)
    assert told.why.startswith("The hub cannot be reached") is unreached
    assert told.do.startswith("Connect to the network, accept the licence" if unreached else "Accept the licence")
    assert "https://huggingface.co/org/name" in told.do
