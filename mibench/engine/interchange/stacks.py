"""Which interventions are run together, and from which tokens on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from mibench.engine.interchange.answers import Prompt
from mibench.engine.interchange.edits import Stack
from mibench.engine.interchange.plans import Plan
from mibench.engine.interchange.tape import Tape
from mibench.engine.interchange.tokens import Tokens


class Stacker:
    """Puts interventions on the rows of a batch into stacks.

    Args:
        tokens: From the name of a position, its tokens in the base prompts.
        batch_tokens: Tokens of a stack, at most (one intervention may have more).
        generated: Tokens to be generated after each run; then all rows of a stack begin at the same token.
    """

    def __init__(self, tokens: Callable[[str], Tokens], batch_tokens: int, generated: int = 0) -> None:
        self._tokens, self._batch_tokens, self._generated = tokens, batch_tokens, generated

    def stacks(
        self, tape: Tape, rows: torch.Tensor, prompts: Sequence[Prompt], plans: Sequence[Plan]
    ) -> Iterator[tuple[list[int], Stack]]:
        """Yield stacks of plans that begin at the same tokens, each with the places of its plans in ``plans``.

        Args:
            tape: Plain runs.
            rows: Where the prompts stand in it.
            prompts: The batch.
            plans: Interventions, each made on every prompt.
        """
        alike: dict[tuple[bool, tuple[int, ...]], list[int]] = {}
        for place, plan in enumerate(plans):
            alike.setdefault((plan.late, self._starts(plan, prompts)), []).append(place)
        answers = _answers(prompts, tape.starts.device)
        for (late, starts), places in alike.items():
            size = max(len(prompt.ids) - start for prompt, start in zip(prompts, starts, strict=True))
            for chosen in self._chunks(sorted(places, key=lambda place: plans[place].join), prompts, size):
                yield (
                    chosen,
                    Stack(
                        tape=tape,
                        rows=rows,
                        ids=[prompt.row for prompt in prompts],
                        plans=tuple(plans[place] for place in chosen),
                        starts=torch.tensor(starts, device=answers.device),
                        size=size,
                        answers=answers,
                        late=late,
                    ),
                )

    def _starts(self, plan: Plan, prompts: Sequence[Prompt]) -> tuple[int, ...]:
        found = [
            min((self._tokens(name).first(prompt.row) for name in plan.positions), default=prompt.length - 1)
            for prompt in prompts
        ]
        return (min(found),) * len(found) if self._generated else tuple(found)

    def _chunks(self, places: list[int], prompts: Sequence[Prompt], size: int) -> Iterator[list[int]]:
        width = len(prompts[0].ids) + self._generated if self._generated else size
        fits = max(1, self._batch_tokens // (len(prompts) * width))
        n_chunks = -(-len(places) // fits)
        for chunk in range(n_chunks):
            yield places[chunk * len(places) // n_chunks : (chunk + 1) * len(places) // n_chunks]


def _answers(prompts: Sequence[Prompt], device: torch.device) -> torch.Tensor:
    most = max(len(prompt.forced) for prompt in prompts)
    return torch.tensor(
        [[min(prompt.length - 1 + step, len(prompt.ids) - 1) for step in range(most + 1)] for prompt in prompts],
        device=device,
    )
