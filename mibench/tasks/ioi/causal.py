"""IOI for the causal-variable track: what its sentences say of position and token, and where its names stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from mibench.tasks.causal.model import CausalModel, Variable
from mibench.tasks.encode import TextEncoder
from mibench.tasks.fields import Row, field, text
from mibench.tasks.interchange import InterchangeRow, Setting
from mibench.tasks.ioi.rows import answer_text
from mibench.tasks.positions import Find, Position, Span, every, last
from mibench.tasks.select import NO_COUNTERFACTUAL
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_parts import LeftOutOfSet, Linear

SETS = ("s1_io_flip", "s2_io_flip", "s1_ioi_flip_s2_ioi_flip")
"""The first clause is turned round, the second names the other person, or both; MIB's three."""
NAMES = ("name_A", "name_B", "name_C")
Outcome = tuple[str, float, float]
"""The answer, and the signals of position and token."""
_SLOT = re.compile(r"\{(name_A|name_B|name_C|place|object)\}")
_NAME = r"[^\s,.;:!?]+"


@dataclass(frozen=True)
class IoiPrompts:
    """What an IOI row says for this track.

    Attributes:
        template: The sentence with slots for names, place and object.
        prompt: The sentence.
        sources: Prompt of each counterfactual, by its name without ``_counterfactual``.
    """

    template: str
    prompt: str
    sources: Mapping[str, str]


def parse_prompts(row: Row, where: str) -> IoiPrompts:
    """Read a row of the hub's schema; columns that are not used are ignored.

    Raises:
        DataError: A column is missing or is not text.
    """
    columns = {name: f"{name}_counterfactual.prompt" for name in SETS}
    return IoiPrompts(
        template=text(row, "template", where),
        prompt=text(row, "prompt", where),
        sources={name: text(row, path, where) for name, path in columns.items() if field(row, path) is not None},
    )


def interchanges(rows: Iterable[IoiPrompts], encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:
    """Yield the rows of every set, mixed; ids are the rows' positions.

    With ``encoder``, rows with a name of several tokens are left out: the target compares single logits.
    """
    for position, row in enumerate(rows):
        base = inputs(row.template, row.prompt)
        if base is None:
            yield LeftOut("a prompt that is not of its template")
        elif encoder is not None and not _single(base, encoder):
            yield LeftOut("a name of several tokens")
        else:
            yield from (_interchange(str(position), name, row, base) for name in SETS)


def _interchange(row_id: str, name: str, row: IoiPrompts, base: Setting) -> InterchangeRow | LeftOutOfSet:
    prompt = row.sources.get(name)
    if prompt is None:
        return LeftOutOfSet(NO_COUNTERFACTUAL.reason, name)
    source = inputs(row.template, prompt)
    if source is None or {source[one] for one in NAMES} != {base[one] for one in NAMES}:
        return LeftOutOfSet("a counterfactual that is not of its row's template and names", name)
    return InterchangeRow(row_id, name, base, source, row.prompt, prompt)


def _single(setting: Setting, encoder: TextEncoder) -> bool:
    return all(len(encoder.encode(answer_text(setting[name]))) == 1 for name in NAMES)


def inputs(template: str, prompt: str) -> Setting | None:
    """Return the causal model's inputs, as the text itself has them; None where it is not of the template.

    Which name comes first is read here and nowhere assumed: rows come in both orders. The third name is one of
    the first two, which differ.
    """
    found = _pattern(template).fullmatch(prompt)
    if found is None or not set(NAMES) <= set(found.groupdict()):
        return None
    first, second, third = (found[name] for name in NAMES)
    if first == second or third not in (first, second):
        return None
    return {"template": template, "name_A": first, "name_B": second, "name_C": third}


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts, end, seen = [], 0, set()
    for slot in _SLOT.finditer(template):
        name = slot[1]
        group = f"(?P={name})" if name in seen else f"(?P<{name}>{_NAME if name in NAMES else '.+?'})"
        parts += [re.escape(template[end : slot.start()]), group]
        end = slot.end()
        seen.add(name)
    return re.compile("".join(parts) + re.escape(template[end:]))


def causal_model(name: str) -> CausalModel:
    """Return the model of MIB.

    The answer is read off position (does the second clause repeat the first name or the second?) and token (which
    name is not repeated?). A signal is +1 where its variable is what the sentence itself says, else −1; the logit
    difference is taken to be linear in the two signals.
    """
    return CausalModel(
        name,
        (
            Variable("template", doc="the sentence around the names"),
            Variable("name_A", doc="first name of the first clause"),
            Variable("name_B", doc="second name of the first clause"),
            Variable("name_C", doc="name of the second clause"),
            Variable("output_position", NAMES, _position, (0, 1), "place in the first clause of the unrepeated name"),
            Variable("output_token", NAMES, _token, doc="the name that is not repeated"),
            Variable("position_signal", ("output_position", *NAMES), _position_signal, (-1.0, 1.0), "±1"),
            Variable("token_signal", ("output_token", *NAMES), _token_signal, (-1.0, 1.0), "±1"),
            Variable("raw_output", ("output_token",), lambda token: token, doc="the answer"),
            Variable(
                "outcome",
                ("raw_output", "position_signal", "token_signal"),
                lambda *values: values,
                doc="the answer and what moves the logit difference",
            ),
        ),
        output="outcome",
    )


def _position(first: str, _second: str, third: str) -> int:
    return int(third == first)


def _token(first: str, second: str, third: str) -> str:
    return second if third == first else first


def _position_signal(position: int, *names: str) -> float:
    return 1.0 if position == _position(*names) else -1.0


def _token_signal(token: str, *names: str) -> float:
    return 1.0 if token == _token(*names) else -1.0


def answers(outcome: Outcome) -> tuple[str, ...]:
    """Return the answer's text: the name after a space, as it stands in a sentence."""
    return (answer_text(outcome[0]),)


def _compared(row: InterchangeRow) -> tuple[str, str]:
    """Return the indirect object and the subject of the base: its unrepeated and its repeated name."""
    names = [row.base[name] for name in NAMES]
    return answer_text(_token(*names)), answer_text(names[2])


def _signs(setting: Setting) -> tuple[float, ...]:
    return setting["position_signal"], setting["token_signal"]


LINEAR = Linear(tokens=_compared, signs=_signs)
"""Logit of the base's indirect object minus that of its subject; signals of position and token, in this order."""


def _name_at(name: str) -> Find:
    def find(setting: Setting, prompt: str) -> Span | None:
        found = _pattern(setting["template"]).fullmatch(prompt)
        return found.span(name) if found else None

    return find


POSITIONS: Sequence[Position] = (
    every(),
    Position("first_name", _name_at("name_A")),
    Position("second_name", _name_at("name_B")),
    Position("third_name", _name_at("name_C")),
    last(),
)
"""All tokens (for heads), the three names by their place in the sentence, and the last token: none reads the answer."""


def group(row: InterchangeRow) -> Mapping[str, str]:
    """Return template and order of the base: ``ABBA`` where the second clause repeats the second name."""
    return {"template": row.base["template"], "order": "BABA" if row.base["name_C"] == row.base["name_A"] else "ABBA"}
