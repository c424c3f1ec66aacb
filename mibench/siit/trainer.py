"""The training loop: AdamW at a constant learning rate until the checks hold, then down to 0."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from random import Random

import torch
from torch import Tensor

from mibench.core.errors import MethodError
from mibench.core.hashing import digest
from mibench.siit.checkpoints import FILE, State, restore_state, save_state
from mibench.siit.circuit_pass import circuit_logits
from mibench.siit.examples import Examples, Reader
from mibench.siit.losses import losses, total
from mibench.siit.network import Network, Swap
from mibench.siit.recipes import Recipe

WARM_UP = 100
PROBE_EVERY = 100
SAVE_EVERY_SECONDS = 30.0
ENOUGH = 0.995
"""Accuracy of each kind on the validation split, from which on the learning rate falls."""
_PROBED = 200
_DECAY, _CLIP = 0.01, 1.0
Told = Callable[[int, Mapping[str, float]], None]
"""Told of steps that are done, and of the losses or accuracies then."""


@dataclass(frozen=True, eq=False)
class Trainer:
    """A training.

    Attributes:
        recipe: How the model is made.
        folder: Where the state is kept while it is unfinished.
        told: Told how it goes.
    """

    recipe: Recipe
    folder: Path
    told: Told = lambda _step, _numbers: None

    @cached_property
    def reader(self) -> Reader:
        """The program's prompts."""
        return self.recipe.reader

    @cached_property
    def network(self) -> Network:
        """What is trained."""
        return Network.fresh(self.recipe.sizes, self.recipe.seed)

    @cached_property
    def optimiser(self) -> torch.optim.AdamW:
        """Its optimiser, with all that it keeps."""
        found = torch.optim.AdamW(self.network.weights.values(), lr=0.0, weight_decay=_DECAY, foreach=True)
        for weight in self.network.weights.values():
            kept = {"exp_avg": torch.zeros_like(weight), "exp_avg_sq": torch.zeros_like(weight)}
            found.state[weight] = {"step": torch.tensor(0.0), **kept}
        return found

    @cached_property
    def state(self) -> State:
        """How far it is."""
        tensors: dict[str, Tensor] = {}
        for name, weight in self.network.weights.items():
            tensors[name] = weight
            tensors |= {f"{name}/{key}": tensor for key, tensor in self.optimiser.state[weight].items()}
        return State(tensors)

    @property
    def identity(self) -> str:
        """A digest of everything that decides what the training comes to."""
        return digest({"recipe": self.recipe.content, "torch": torch.__version__})

    def run(self, *, until: int | None = None) -> bool:
        """Train, from where a training of the same recipe stopped in the folder.

        Args:
            until: Stop after so many steps, unfinished.

        Returns:
            Whether the training is finished; its state stays in the folder.

        Raises:
            MethodError: A loss is not a number.
            StoreError: The state cannot be written.
        """
        restore_state(self.folder, self.state, self.identity)
        saved = started = time.monotonic()
        while not self._finished:
            if until is not None and self.state.steps >= until:
                save_state(self.folder, self.state, self.identity)
                return False
            self._step()
            now = time.monotonic()
            self.state.seconds, started = self.state.seconds + now - started, now
            if now > saved + SAVE_EVERY_SECONDS:
                save_state(self.folder, self.state, self.identity)
                saved = now
        save_state(self.folder, self.state, self.identity)
        return True

    def forget(self) -> None:
        """Remove the state from the folder."""
        (self.folder / FILE).unlink(missing_ok=True)

    @property
    def _finished(self) -> bool:
        decay = self.state.decay_from
        return decay is not None and self.state.steps >= decay + self.recipe.decay

    def _step(self) -> None:
        state, recipe = self.state, self.recipe
        examples = self.reader.step(recipe.seed, state.steps, recipe.batch)
        found = losses(self.network, examples, self.reader.alignment.flows, recipe.weights)
        loss = total(found, recipe.weights)
        if not math.isfinite(loss.item()):
            raise _not_finite(state.steps, loss.item())
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.weights.values(), _CLIP)
        self.optimiser.step()
        state.steps += 1
        if state.steps % PROBE_EVERY == 0:
            self._probe({name: one.item() for name, one in found.items()})

    def _rate(self) -> float:
        steps, decay = self.state.steps, self.state.decay_from
        if decay is None:
            return self.recipe.lr * min(1.0, (steps + 1) / WARM_UP)
        return self.recipe.lr * (1.0 - (steps - decay) / self.recipe.decay)

    def _probe(self, found: Mapping[str, float]) -> None:
        accuracies = accuracy(self.network, self.reader, self._validation)
        self.told(self.state.steps, {**found, **{f"{name} accuracy": value for name, value in accuracies.items()}})
        enough = all(value >= ENOUGH for value in accuracies.values())
        if self.state.decay_from is None and (enough or self.state.steps >= self.recipe.steps):
            self.state.decay_from = self.state.steps

    @cached_property
    def _validation(self) -> Examples:
        program = self.reader.program
        rows = [row for name in program.sets for row in islice(program.rows("validation", name), _PROBED)]
        random = Random(f"{program.name} siit validation")  # noqa: S311  draws swaps, not secrets
        return self.reader.examples(random, [base for base, _ in rows], [other for _, other in rows])


def accuracy(network: Network, reader: Reader, examples: Examples) -> dict[str, float]:
    """Return the share of right answers, for each kind of loss and for the swaps of each variable."""
    with torch.no_grad():
        plain = network.run(examples.ids)
        on, off = (
            network.answer(network.run(examples.ids, Swap(plain, *swap))).argmax(-1)
            for swap in ((examples.partners, examples.on, examples.where), (examples.strangers, examples.off))
        )
        partners = plain.rows(examples.partners)
        circuit = circuit_logits(network, reader.alignment.flows, plain, partners, examples.kept)
    right = {
        "behaviour": network.answer(plain).argmax(-1) == examples.answers,
        "strict": off == examples.answers,
        "edges": circuit.argmax(-1) == examples.mixed,
    }
    for variable in reader.alignment.nodes:
        chosen = torch.tensor([one == variable for one in examples.variables])
        right[variable] = (on == examples.swapped)[chosen]
    return {name: one.double().mean().item() for name, one in right.items()}


def _not_finite(step: int, loss: float) -> MethodError:
    return MethodError(
        f"The loss of training step {step} is {loss}.",
        why="The learning rate is too large.",
        do="Give the recipe a smaller one.",
    )
