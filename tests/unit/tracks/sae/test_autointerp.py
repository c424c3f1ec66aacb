"""The autointerp family on a tiny model: judges that know, that always say the same, and that misbehave."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from core_family import Letters, subject
from dictionary_examples import example
from judge_server import Reply, chat, serving
from traced_family import SAE, detectable, detectors, ground

from mibench.core.errors import ModelError, UsageError
from mibench.core.specs import Convention
from mibench.metrics.sae.autointerp import JUDGEMENTS, WINDOWS, autointerp_metrics
from mibench.tasks.sae.autointerp import AutointerpTask, JudgeLimits, Windows
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tracks.sae.autointerp import AutointerpEvaluation, prepare
from mibench.tracks.sae.judges.judge import NoAnswerError, Question

SETTINGS = AutointerpTask(
    judge="local:never-loaded",
    tokens=900,
    latents=20,
    min_active=3,
    windows=Windows(width=4, top=3, drawn=2, active=3, inactive=4),
)
KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIBENCH_JUDGE", raising=False)
    monkeypatch.delenv("MIBENCH_JUDGE_KEY", raising=False)


@dataclass
class Knowing:
    """Explains a latent by the letters that are marked in all excerpts, and finds these."""

    name: str = "test:knowing"
    asked: list[Question] = field(default_factory=list)

    def answer(self, question: Question) -> str:
        self.asked.append(question)
        material = json.loads(question.material)
        if isinstance(material, list):
            return "".join(
                sorted({letter for one in material for letter in "".join(re.findall("⟦(.*?)⟧", one["text"]))})
            )
        said = [int(any(letter in text for letter in material["description"])) for text in material["excerpts"]]
        return json.dumps(said)


@dataclass
class Scripted:
    """Says what a function of a question says."""

    say: Any
    name: str = "test:scripted"
    asked: int = 0

    def answer(self, question: Question) -> str:
        self.asked += 1
        return self.say(json.loads(question.material), self.asked)


def silent(material: Any, _: int) -> str:
    return "something" if isinstance(material, list) else json.dumps([0] * len(material["excerpts"]))


def evaluation(
    folder: Path, judge: Any = None, settings: AutointerpTask = SETTINGS, **changes: Any
) -> AutointerpEvaluation:
    made = prepare(settings, ground(folder, **changes))
    if judge is not None:
        made._judge = judge
    return made


def planted() -> Any:
    return subject(detectors("".join(detectable()[:4]), silent=2))


def test_a_judge_that_knows_gets_one(tmp_path: Path) -> None:
    judge = Knowing()
    (scores,) = evaluation(tmp_path, judge).score([planted()])
    assert scores.metrics["autointerp_balanced_accuracy"].value == 1.0
    assert scores.metrics["autointerp_balanced_accuracy"].n == 4
    assert scores.metrics["autointerp_unread"].value == 0.0
    assert scores.tables[JUDGEMENTS]["explanation"].tolist() == detectable()[:4]
    assert len(judge.asked) == 8


@pytest.mark.parametrize("always", [0, 1])
def test_a_judge_that_always_says_the_same_gets_one_half(tmp_path: Path, always: int) -> None:
    def say(material: Any, _: int) -> str:
        return "x" if isinstance(material, list) else json.dumps([always] * len(material["excerpts"]))

    (scores,) = evaluation(tmp_path, Scripted(say)).score([planted()])
    assert scores.metrics["autointerp_balanced_accuracy"].value == 0.5
    assert scores.metrics["autointerp_true_negatives"].value == 1 - always


def test_explanations_come_from_one_half_and_are_tried_on_the_other(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, Knowing())
    (scores,) = tested.score([planted()])
    windows, halves, text = scores.tables[WINDOWS], tested._text.halves, tested._text.blocks
    explained, tried = (windows[windows["role"] == role] for role in ("explain", "detect"))
    assert (explained["context"] < halves.fit.stop).all()
    assert (tried["context"] >= halves.held.start).all()
    assert (explained.groupby("latent").size() == 5).all()
    assert (tried.groupby("latent")["active"].agg(["sum", "size"]) == [3, 7]).all(axis=None)
    assert not windows.duplicated(["latent", "context", "start"]).any()
    assert explained["active"].all()
    assert (explained.groupby("latent")["peak"].diff().dropna() <= 0).all()
    for row in tried.itertuples():
        ids = text.ids[row.context, row.start : row.stop]
        letter = Letters().encode(detectable()[row.latent])[0]
        assert (letter in ids) == row.active
    # Shuffled: the active ones are not always in front.
    assert (tried[tried["active"]].groupby("latent")["place"].max() > 2).any()


def test_active_windows_are_one_from_each_quantile(tmp_path: Path) -> None:
    one = subject(example("topk", 16, 24))
    tested = evaluation(tmp_path, Scripted(silent), replace(SETTINGS, latents=6), place=SAE)
    (scores,) = tested.score([one])
    windows = scores.tables[WINDOWS]
    tried = windows[(windows["role"] == "detect") & windows["active"]]
    assert len(tried)
    (traces,) = tested._text.traces([one], _sampling(), lambda *_: None)
    for latent, part in tried.groupby("latent"):
        tokens, values = traces.of(int(np.flatnonzero(traces.latents == latent)[0]))
        peaks = tested._windows.choose(tokens, values, np.random.default_rng(0)).peaks
        held = np.arange(len(peaks)) >= tested._text.halves.held.start * tested._windows.per
        ranked = np.sort(peaks[held & (peaks > 0)])
        parts = np.array_split(ranked, 3)
        for peak, quantile in zip(sorted(part["peak"]), parts, strict=True):
            assert quantile[0] <= peak <= quantile[-1]


def _sampling() -> Any:
    from mibench.tracks.sae.latent_traces import Sampling

    return Sampling(6, 3, 0)


def test_unreadable_answers_count_as_chance_and_stay_in_the_table(tmp_path: Path) -> None:
    def say(material: Any, number: int) -> str:
        if isinstance(material, list):
            return " \n" if number == 1 else "x"
        return "I would rather not." if number == 3 else silent(material, number)

    (scores,) = evaluation(tmp_path, Scripted(say)).score([planted()])
    table = scores.tables[JUDGEMENTS]
    assert table["status"].tolist() == ["unreadable", "unreadable", "read", "read"]
    assert table["raw_answer"].tolist()[1] == "I would rather not."
    assert table["raw_explanation"].tolist()[0] == " \n"
    assert "not a list of 7" in table["why"].tolist()[1]
    assert scores.metrics["autointerp_unread"].value == 0.5
    assert scores.metrics["autointerp_balanced_accuracy"].n == 4
    assert autointerp_metrics(scores.tables) == scores.metrics


def test_single_failures_are_told_and_a_judge_that_is_gone_ends_it(tmp_path: Path) -> None:
    def sometimes(material: Any, number: int) -> str:
        if number == 2:
            raise NoAnswerError("no reply within 1 s")
        return silent(material, number)

    (scores,) = evaluation(tmp_path, Scripted(sometimes)).score([planted()])
    assert scores.tables[JUDGEMENTS]["status"].tolist() == ["no answer", "read", "read", "read"]
    assert scores.tables[JUDGEMENTS]["why"][0] == "no reply within 1 s"
    assert scores.metrics["autointerp_unread"].value == 0.25

    def never(*_: Any) -> str:
        raise NoAnswerError("gone")

    judge = Scripted(never)
    with pytest.raises(ModelError, match="does not answer"):
        evaluation(tmp_path, judge, replace(SETTINGS, limits=JudgeLimits(failures=3))).score([planted()])
    assert judge.asked == 3


def test_latents_with_too_few_windows_are_counted_and_not_asked_about(tmp_path: Path) -> None:
    settings = replace(SETTINGS, windows=replace(SETTINGS.windows, active=10_000))
    judge = Knowing()
    (scores,) = evaluation(tmp_path, judge, settings).score([planted()])
    assert judge.asked == []
    assert scores.metrics["autointerp_left_out"].value == 1.0
    assert scores.metrics["autointerp_balanced_accuracy"].value is None
    assert "10000 are wanted" in scores.tables[JUDGEMENTS]["why"][0]


def test_without_a_judge_nothing_runs_and_every_number_says_what_to_do(tmp_path: Path) -> None:
    tested = evaluation(tmp_path, settings=replace(SETTINGS, judge=None))
    first, second = tested.score([planted(), planted()])
    assert first.metrics == second.metrics
    assert first.tables == {}
    for one in first.metrics.values():
        assert one.value is None
        assert "no judge is given: set MIBENCH_JUDGE" in one.reason


def test_the_same_comes_out_in_company(tmp_path: Path) -> None:
    settings = replace(SETTINGS, latents=5)
    subjects = [subject(example("topk", 16, 24, seed=seed)) for seed in (1, 2)]
    together = evaluation(tmp_path, Scripted(silent), settings, place=SAE).score(subjects)
    apart = [evaluation(tmp_path, Scripted(silent), settings, place=SAE).score([one])[0] for one in subjects]
    for one, other in zip(together, apart, strict=True):
        for name in (JUDGEMENTS, WINDOWS):
            assert one.tables[name].equals(other.tables[name])


def test_a_server_judges_from_end_to_end_and_its_key_is_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowing = Knowing()

    def respond(body: dict[str, Any], number: int) -> Reply:
        if number == 0:
            return Reply(b"", 500)
        said = [one["content"] for one in body["messages"]]
        found = knowing.answer(Question(said[0], said[1], body["max_tokens"]))
        # The first description is spoilt by a server that says the key, the second answer is of the wrong length.
        return chat(f"{found} {KEY}" if number == 1 else "[1, 0]" if number == 4 else found)

    with serving(respond) as server:
        monkeypatch.setenv("MIBENCH_JUDGE", f"{server.base}#tiny")
        monkeypatch.setenv("MIBENCH_JUDGE_KEY", KEY)
        monkeypatch.setattr("mibench.tracks.sae.judges.server._PAUSE", 0.01)
        tested = evaluation(tmp_path)
        (scores,) = tested.score([planted()])
    assert all(one["headers"]["Authorization"] == f"Bearer {KEY}" for one in server.seen)
    assert not any(KEY in json.dumps(one["body"]) for one in server.seen)
    table = scores.tables[JUDGEMENTS]
    assert table["status"].tolist() == ["read", "unreadable", "read", "read"]
    assert set(table["judge"]) == {f"{server.base}#tiny"}
    written = "".join(one.to_json() for one in scores.tables.values()) + repr(scores.metrics) + repr(tested._judge)
    assert KEY not in written
    assert "[key]" in table["raw_explanation"][0]
    for name, one in scores.tables.items():
        one.to_parquet(tmp_path / f"{name}.parquet")
        assert KEY.encode() not in (tmp_path / f"{name}.parquet").read_bytes()


def test_the_digest_follows_judge_prompts_text_and_windows_and_no_limit_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = evaluation(tmp_path, Knowing()).digest
    others = [
        evaluation(tmp_path, Knowing("test:another")).digest,
        evaluation(tmp_path, settings=replace(SETTINGS, judge=None)).digest,
        evaluation(tmp_path, Knowing(), replace(SETTINGS, latents=21)).digest,
        evaluation(tmp_path, Knowing(), replace(SETTINGS, windows=replace(SETTINGS.windows, width=5))).digest,
        evaluation(tmp_path, Knowing(), seed=1).digest,
        evaluation(tmp_path, Knowing(), limit=20).digest,
    ]
    assert len({first, *others}) == 7
    assert evaluation(tmp_path, Knowing(), replace(SETTINGS, limits=JudgeLimits(seconds=1))).digest == first
    monkeypatch.setenv("MIBENCH_JUDGE_KEY", KEY)
    assert evaluation(tmp_path, Knowing()).digest == first
    monkeypatch.setattr("mibench.tracks.sae.autointerp.PROMPTS", "other")
    assert evaluation(tmp_path, Knowing()).digest != first


def test_the_digest_follows_where_documents_end(tmp_path: Path) -> None:
    one, other = evaluation(tmp_path, Knowing()), evaluation(tmp_path, Knowing())
    blocks = other._text.blocks
    moved = replace(blocks, document=np.maximum(blocks.document - 1, 0))
    other._text.__dict__["blocks"] = moved
    assert moved.digest == blocks.digest
    assert one.digest != other.digest


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one convention"):
        evaluation(tmp_path, convention=Convention.SAEBENCH)
    with pytest.raises(UsageError, match="too few windows"):
        evaluation(tmp_path, settings=replace(SETTINGS, windows=replace(SETTINGS.windows, inactive=0)))
    with pytest.raises(UsageError, match="not known"):
        evaluation(tmp_path, settings=replace(SETTINGS, judge="gpt-4"))
    made = ground(tmp_path)
    blind = replace(made, network=replace(made.network, encoder=Letters()))
    with pytest.raises(UsageError, match="turned into text"):
        prepare(SETTINGS, blind).score([planted()])


def test_the_task_is_registered_and_names_no_judge() -> None:
    task = load_dictionary_task("sae-autointerp")
    assert (task.family, task.settings) == ("autointerp", AutointerpTask())
    assert task.settings.judge is None
