"""The README of a trained model's folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mibench.core.truth import KnownTruth
from mibench.siit.alignment import INPUT, LOGITS, Alignment, Link
from mibench.siit.findings import Findings
from mibench.siit.recipes import Recipe
from mibench.tasks.known.programs import task_names


@dataclass(frozen=True)
class Made:
    """How a training went.

    Attributes:
        steps: Steps in all.
        decay_from: Step from which the learning rate fell.
        seconds: How long it took.
    """

    steps: int
    decay_from: int
    seconds: float


def card(recipe: Recipe, truth: KnownTruth, made: Made, findings: Findings) -> str:
    """Return the text of a model's card."""
    reader, sizes = recipe.reader, recipe.sizes
    program = reader.program
    example = program.say(program_row(recipe))
    weights = ", ".join(f"{name} {value:g}" for name, value in vars(recipe.weights).items())
    sites = "\n".join(_site_lines(truth))
    checks = "\n".join(f"- {line}" for line in findings.lines)
    failures = "".join(f"\n- not reached: {line}" for line in findings.failures)
    return f"""# {recipe.program}

A GPT-2 of {sizes.n_layers} layers, {sizes.n_heads} heads a layer and width {sizes.d_model}, trained to have a known
mechanism: strict interchange-intervention training (Gupta et al. 2024, arXiv:2407.14494), with one more loss, by which
the true edges alone have to do what the causal model does. It knows {len(program.words)} words and reads no others.

A prompt: `{example}`, answered by `{program.answer(program_row(recipe))}`.

## Circuit

Variables, the nodes that hold them, and what they read:

```
{circuit_text(reader.alignment)}
```

Edges that carry the answer, by counterfactual set (`truth.json` has them by task, one into q, k and v of a head each):

{_set_lines(recipe, truth)}

Where the task's variables live; their directions are not known:

{sites}

## Training

{made.steps} steps of {recipe.batch} prompts with AdamW; the learning rate is {recipe.lr:g} until step
{made.decay_from}, then falls to 0. Seed {recipe.seed}. Weights of the losses: {weights}.
It took {made.seconds / 60:.1f} minutes on one core of a CPU server that did other work beside.

    python -m mibench.siit train {recipe.program} --out FOLDER

## Checks

On bases of the test split, which training has not seen (`python -m mibench.siit check FOLDER`):

{checks}{failures}

Written by mibench (`mibench.siit`); Apache-2.0.
"""


def program_row(recipe: Recipe) -> dict[str, object]:
    """Return the first setting of the program's test split."""
    program = recipe.loaded
    base, _ = next(program.rows("test", next(iter(program.sets))))
    return dict(base)


def circuit_text(alignment: Alignment) -> str:
    """Return the circuit as text: a line a variable, then the answer's."""
    lines = [_line(alignment, key, ", ".join(nodes)) for key, nodes in alignment.nodes.items()]
    return "\n".join([*lines, _line(alignment, LOGITS, "")])


def _line(alignment: Alignment, end: str, nodes: str) -> str:
    links = [link for link in alignment.links if link[1] == end]
    read = " + ".join(_source(alignment, link) for link in links)
    return f"{read} → {end}" + (f" [{nodes}]" if nodes else "")


def _source(alignment: Alignment, link: Link) -> str:
    if link[0] == INPUT:
        return f"prompt ({', '.join(alignment.links[link])})"
    return f"{link[0]} [{', '.join(alignment.nodes[link[0]])}]"


def _set_lines(recipe: Recipe, truth: KnownTruth) -> str:
    names = task_names(recipe.loaded)
    found = []
    for task, known in truth.tasks.items():
        edges = dict.fromkeys(edge.partition("<")[0] for edge in known.edges)
        found.append(f"- {names[task]}: {', '.join(f'`{edge}`' for edge in edges)}")
    return "\n".join(found)


def _site_lines(truth: KnownTruth) -> Iterable[str]:
    for known in truth.tasks.values():
        for site in known.sites:
            head = "" if site.head is None else f", head {site.head}"
            yield f"- {site.variable}: {site.component}, layer {site.layer}{head}, at {site.position}"
