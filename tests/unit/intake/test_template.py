from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml
from dictionary_examples import example
from submission_cases import MODEL, TASK, WIDTH, scores

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.artifacts.dictionaries.native import save_dictionary
from mibench.artifacts.featurizers.files import save_featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.files import save_scores
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.hook_points import HookPoint
from mibench.intake.check import check_submission
from mibench.intake.draft import read_draft
from mibench.intake.manifest import FILL_IN, Submission
from mibench.intake.template import Wish, write_template

FACTS = {"authors": "A. Person", "contact": "a@example.org", "licence": "MIT", "description": "A 'method': #1 \\ \"x\""}
WISH = Wish("team", "method", tasks=(TASK,), models=(MODEL,), facts=FACTS)


def artifacts(folder):
    folder.mkdir()
    save_scores(scores(), folder / "edges.safetensors")
    rotation = {"rotation": np.eye(WIDTH, 2, dtype=np.float32)}
    where = {"residual-post.L1@last": [Operation("orthogonal", rotation)]}
    save_featurizers(where, folder / "deep.safetensors", model=MODEL, task=TASK, variable="answer")
    found = replace(example("relu", WIDTH, 8), place=Place(MODEL, HookPoint(1)))
    save_dictionary(found, folder / "sae.safetensors")
    return folder


def test_a_template_with_everything_given_passes(tmp_path):
    folder = write_template(replace(WISH, tasks=()), artifacts(tmp_path / "found"), tmp_path / "all")
    text = (folder / "submission.yaml").read_text(encoding="utf-8")
    assert FILL_IN in text.partition("\nartifacts:\n")[2]
    (folder / "submission.yaml").write_text(text.replace(f'["{FILL_IN}"]', f'["{TASK}"]'), encoding="utf-8")
    report = check_submission(folder)
    assert report.passed, report.failures
    assert report.n_read == 3
    values = yaml.safe_load(text)
    assert values["tracks"] == ["variable", "circuit", "sae"]
    assert values["description"] == FACTS["description"]
    assert [one["track"] for one in values["artifacts"]] == ["variable", "circuit", "sae"]


def test_a_template_without_artifacts_says_what_to_fill_in(tmp_path):
    folder = write_template(Wish("team", "method"), None, tmp_path)
    text = (folder / "submission.yaml").read_text(encoding="utf-8")
    # Every key is there, or stands in a comment.
    assert all(f"{key}:" in text for key in Submission.model_fields)
    draft = read_draft(text)
    assert draft.submission is None
    said = " ".join(f"{one.what} {one.why}" for one in draft.failures)
    assert all(f"'{key}'" in said for key in ("authors[0]", "contact", "licence", "description"))
    assert "It is not filled in." in said
    assert {one.index for one in draft.failures} == {0, None}
    assert not check_submission(folder).passed


def test_task_and_model_are_taken_from_the_name_of_a_file(tmp_path):
    found = tmp_path / "found"
    (found / "mcqa_qwen2.5-0.5b").mkdir(parents=True)
    for name in ("ioi_gpt2", "ioi-gpt2-seed1", "mcqa_qwen2.5-0.5b/scores", "x"):
        save_scores(scores(), found / f"{name}.safetensors")
    folder = write_template(Wish("team", "method"), found, tmp_path)
    entries = yaml.safe_load((folder / "submission.yaml").read_text(encoding="utf-8"))["artifacts"]
    assert [(one["tasks"], one["models"]) for one in entries] == [
        (["ioi"], ["gpt2"]),
        (["ioi"], ["gpt2"]),
        (["mcqa"], ["qwen2.5-0.5b"]),
        ([FILL_IN], [FILL_IN]),
    ]


def test_nothing_is_overwritten(tmp_path):
    folder = write_template(WISH, None, tmp_path)
    before = (folder / "submission.yaml").read_bytes()
    with pytest.raises(UsageError, match="not overwritten"):
        write_template(WISH, None, tmp_path)
    assert (folder / "submission.yaml").read_bytes() == before
    (tmp_path / "team__method@2").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="not overwritten"):
        write_template(replace(WISH, version="2"), None, tmp_path)


@pytest.mark.parametrize("changes", [{"team": "a/b"}, {"method": ".."}, {"version": "1 2"}, {"team": "é"}])
def test_names_that_cannot_be_used_are_refused(tmp_path, changes):
    with pytest.raises(UsageError, match="cannot be used"):
        write_template(replace(WISH, **changes), None, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_handed_in_is_refused_and_nothing_is_left(tmp_path):
    found = tmp_path / "found"
    found.mkdir()
    with pytest.raises(UsageError, match="no artifact"):
        write_template(WISH, found, tmp_path)
    (found / "a b.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be handed in"):
        write_template(WISH, found, tmp_path)
    (found / "a b.json").rename(found / "a.json")
    with pytest.raises(ArtifactError):
        write_template(WISH, found, tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        write_template(WISH, tmp_path / "absent", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["found"]
