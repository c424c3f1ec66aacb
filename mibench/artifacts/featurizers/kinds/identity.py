"""identity: the features are the activation itself, ``f = x``."""

from __future__ import annotations

from mibench.artifacts.featurizers.kinds.kind import Kind

KIND = Kind("identity", lambda _: {})
