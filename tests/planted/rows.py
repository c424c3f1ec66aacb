"""Rows on the planted network, and the truth about its sites."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from mibench.core.sites import Component, Site
from mibench.tasks.interchange import EncodedInterchange, Ids
from planted.plan import VARIABLES, Array, Plan

LAST = "last"


@dataclass(frozen=True)
class Prompt:
    """Values of the variables, and which of the tokens that say them."""

    values: dict[str, int]
    synonyms: dict[str, int]
    query: int

    @classmethod
    def draw(cls, plan: Plan, rng: np.random.Generator, a: int, b: int) -> Prompt:
        """Draw synonyms and a query."""
        synonyms = {name: int(rng.integers(plan.synonyms)) for name in VARIABLES}
        return cls({"a": a, "b": b}, synonyms, int(rng.integers(plan.n_queries)))

    def mirrored(self, plan: Plan) -> Prompt:
        """The same values by the tokens whose noise is opposite."""
        synonyms = {name: (which + plan.synonyms // 2) % plan.synonyms for name, which in self.synonyms.items()}
        return Prompt(self.values, synonyms, (self.query + plan.n_queries // 2) % plan.n_queries)

    def ids(self, plan: Plan) -> Ids:
        """``BOS A B Q``."""
        spoken = (plan.token(name, self.values[name], self.synonyms[name]) for name in VARIABLES)
        return (0, *spoken, plan.query(self.query))


POSITIONS: dict[str, Ids] = {"a": (1,), "b": (2,), LAST: (3,), "all": (0, 1, 2, 3)}


def random_rows(plan: Plan, variable: str, seed: int = 0) -> list[EncodedInterchange]:
    """Every pair of value pairs whose value of ``variable`` differs: all are cause rows."""
    return _rows(plan, variable, "random", (seed, 0))


def isolate_rows(plan: Plan, variable: str, seed: int = 0) -> list[EncodedInterchange]:
    """Every pair of value pairs that differ in the other variable only, as often as gives as many as cause rows."""
    draws = range(plan.n_values)
    return [row for draw in draws for row in _rows(plan, variable, "isolate", (seed, draw))]


def _rows(plan: Plan, variable: str, name: str, seed: tuple[int, int]) -> list[EncodedInterchange]:
    """Each row comes twice, with opposite noise: what is learnt of the noise from one is unlearnt from the other."""
    rng, rows, moved = np.random.default_rng([plan.seed, 6, *seed, len(name)]), [], variable.split("+")
    pairs = list(product(range(plan.n_values), repeat=2))
    for base, source in product(pairs, pairs):
        differs = any(base[VARIABLES.index(one)] != source[VARIABLES.index(one)] for one in moved)
        if base == source or differs != (name == "random"):
            continue
        both = Prompt.draw(plan, rng, *base), Prompt.draw(plan, rng, *source)
        for prompts in (both, (both[0].mirrored(plan), both[1].mirrored(plan))):
            rows.append(encoded(plan, prompts, variable, name, f"{name}-{seed[1]}-{len(rows)}"))
    return rows


def encoded(plan: Plan, both: tuple[Prompt, Prompt], variable: str, name: str, row: str) -> EncodedInterchange:
    """The row of a base and a source, labelled for ``variable`` (or ``a+b``)."""
    base, source = both
    moved = variable.split("+")
    after = {one: (source if one in moved else base).values[one] for one in VARIABLES}
    answers = [((plan.answer(**values),),) for values in (after, base.values, source.values)]
    return EncodedInterchange(
        id=row,
        set=name,
        base=base.ids(plan),
        source=source.ids(plan),
        base_positions=POSITIONS,
        source_positions=POSITIONS,
        accepted=answers[0],
        base_accepted=answers[1],
        source_accepted=answers[2],
        cause=answers[0] != answers[1],
        base_value="+".join(str(base.values[one]) for one in moved),
        source_value="+".join(str(source.values[one]) for one in moved),
    )


def true_sites(plan: Plan, variable: str) -> dict[Site, Array]:
    """Where the variable lives, and in which subspace: an orthonormal basis ``[width, k]``."""
    parts, moved = plan.directions, plan.moved_at[variable]
    truth = {Site(layer, variable): parts[f"own_{variable}"] for layer in range(moved)}
    truth |= {Site(layer, LAST): parts[f"moved_{variable}"] for layer in range(moved, plan.n_layers)}
    head = Site(moved, LAST, Component.HEAD, VARIABLES.index(variable))
    return truth | {head: np.eye(plan.head_dim)[:, : plan.k]}


def empty_sites(plan: Plan, variable: str) -> tuple[Site, ...]:
    """Sites of the residual stream and heads at which nothing of the variable acts on the answer.

    At its own token the code stays in the stream after it was moved, but nothing reads it any more.
    """
    truth, layers = true_sites(plan, variable), range(plan.n_layers)
    stream = [Site(layer, position) for layer in layers for position in (*VARIABLES, LAST)]
    heads = [Site(layer, LAST, Component.HEAD, head) for layer in layers for head in range(plan.n_heads)]
    return tuple(site for site in (*stream, *heads) if site not in truth)
