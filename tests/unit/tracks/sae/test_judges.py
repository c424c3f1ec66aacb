"""Judges behind a server and on this machine: what they are sent, and what they may do wrong."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from judge_server import Reply, Server, chat, serving
from safetensors.torch import load_file, save_file

from mibench.core.errors import MibenchError, ModelError, UsageError
from mibench.tasks.sae.autointerp import AutointerpTask, JudgeLimits
from mibench.tracks.sae.judges.address import address, key_for
from mibench.tracks.sae.judges.judge import NoAnswerError, Question
from mibench.tracks.sae.judges.local import LocalJudge, _prompt
from mibench.tracks.sae.judges.reference import judge_of
from mibench.tracks.sae.judges.server import ServerJudge

KEY = "sk-very-secret-0123456789"
QUESTION = Question("Do this.", '["text"]', 30)
QUICK = JudgeLimits(seconds=0.4, retries=1, max_bytes=5000)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIBENCH_JUDGE", raising=False)
    monkeypatch.delenv("MIBENCH_JUDGE_KEY", raising=False)


def judge(server: Server, key: str = KEY, limits: JudgeLimits = QUICK) -> tuple[ServerJudge, list[float]]:
    pauses: list[float] = []
    return ServerJudge(address(f"{server.base}#tiny"), limits, key, pauses.append), pauses


def test_a_question_is_one_request_at_temperature_0_and_the_first_choice_is_the_answer() -> None:
    with serving(lambda *_: chat(" [1, 0] ")) as server:
        one, pauses = judge(server)
        assert one.answer(QUESTION) == " [1, 0] "
    (seen,) = server.seen
    assert seen["path"] == "/v1/chat/completions"
    assert seen["headers"]["Authorization"] == f"Bearer {KEY}"
    assert seen["body"] == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Do this."}, {"role": "user", "content": '["text"]'}],
        "temperature": 0,
        "max_tokens": 30,
    }
    assert pauses == []
    assert one.name == f"{server.base}#tiny"
    assert KEY not in repr(one) + one.name


def test_no_key_is_sent_where_there_is_none() -> None:
    with serving(lambda *_: chat("yes")) as server:
        assert judge(server, key="")[0].answer(QUESTION) == "yes"
    assert "Authorization" not in server.seen[0]["headers"]


GARBAGE = {
    "not JSON": b"<html>busy</html>",
    "not UTF-8": b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
    "another form": b'{"error": "no"}',
    "no choice": b'{"choices": []}',
    "a number": b'{"choices": [{"message": {"content": 3}}]}',
    "null": b'{"choices": [{"message": {"content": null}}]}',
    "a list": b"[1, 2]",
    "nothing": b"",
    "deep": b"[" * 4000,
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_a_reply_of_another_form_is_no_answer(body: bytes) -> None:
    with serving(lambda *_: Reply(body)) as server:
        one, pauses = judge(server)
        with pytest.raises(NoAnswerError, match="not a chat completion"):
            one.answer(QUESTION)
    assert len(server.seen) == 2
    assert pauses == [1.0]


def test_a_server_error_is_asked_again_and_then_given_up() -> None:
    with serving(lambda _, number: chat("done") if number else Reply(b"", 500)) as server:
        assert judge(server)[0].answer(QUESTION) == "done"
    with serving(lambda *_: Reply(b"", 503)) as server:
        one, pauses = judge(server, limits=JudgeLimits(seconds=5, retries=3))
        with pytest.raises(NoAnswerError, match="HTTP 503 Service Unavailable"):
            one.answer(QUESTION)
    assert (len(server.seen), pauses) == (4, [1.0, 2.0, 4.0])


@pytest.mark.parametrize(("status", "told"), [(401, "MIBENCH_JUDGE_KEY"), (404, "model's name"), (400, "how long")])
def test_a_refusal_is_not_repeated_and_says_what_to_do(status: int, told: str) -> None:
    echo = Reply(KEY.encode(), status, {"X-Echo": KEY})
    with serving(lambda *_: echo) as server, pytest.raises(ModelError, match="refuses to answer") as caught:
        judge(server)[0].answer(QUESTION)
    assert len(server.seen) == 1
    assert told in caught.value.do
    assert KEY not in str(caught.value)


def test_a_redirect_is_not_followed_so_that_the_key_stays() -> None:
    with serving(lambda *_: chat("stolen")) as other:
        to = {"Location": f"{other.base}/chat/completions"}
        for status in (301, 302, 303, 307, 308):
            away = Reply(b"", status, to)
            with serving(lambda *_, away=away: away) as server, pytest.raises(ModelError, match="refuses") as caught:
                judge(server)[0].answer(QUESTION)
            assert "Redirects" in caught.value.do
    assert other.seen == []


def test_a_server_that_keeps_silent_is_not_waited_for() -> None:
    with serving(lambda *_: Reply(b"", wait=20)) as server:
        one, _ = judge(server, limits=JudgeLimits(seconds=0.2, retries=0))
        with pytest.raises(NoAnswerError, match=r"no reply within 0\.2 s"):
            one.answer(QUESTION)


def test_a_reply_that_trickles_in_is_not_waited_for_either() -> None:
    with serving(lambda *_: Reply(parts=[b" "] * 60)) as server:
        one, _ = judge(server, limits=JudgeLimits(seconds=0.4, retries=0))
        with pytest.raises(NoAnswerError, match="no reply within"):
            one.answer(QUESTION)


def test_a_huge_reply_is_not_read_to_its_end() -> None:
    limits, huge = JudgeLimits(seconds=5, retries=0, max_bytes=5000), Reply(b"x" * 4_000_000)
    with serving(lambda *_: huge) as server, pytest.raises(NoAnswerError, match="longer than 5000 bytes"):
        judge(server, limits=limits)[0].answer(QUESTION)


def test_a_server_that_is_not_there_is_no_answer() -> None:
    with serving(lambda *_: chat("")) as server:
        pass
    with pytest.raises(NoAnswerError, match="ConnectionRefused"):
        judge(server)[0].answer(QUESTION)


def test_a_key_that_comes_back_is_blotted_out_and_half_characters_can_be_stored() -> None:
    with serving(lambda *_: chat(f"your key is {KEY} \ud800")) as server:
        assert judge(server)[0].answer(QUESTION) == "your key is [key] ?"


BAD = [
    "https://user@host/v1#m",
    "https://user:pass@host/v1#m",
    "https://host/v1?key=abc#m",
    "https://host/v1",
    "https://host/v1#",
    "https:///v1#m",
    "https://host:99999/v1#m",
    "https://host/v1#two words",
    "https://host/v1\r\nX: y#m",
    "ftp://host/v1#m",
    "https://[::1/v1#m",
    f"https://host/{'v' * 1000}#m",
]


@pytest.mark.parametrize("ref", BAD)
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(ref: str) -> None:
    with pytest.raises(UsageError, match="address cannot be used") as caught:
        address(ref)
    assert ref not in str(caught.value)
    assert "pass" not in str(caught.value).replace("password", "")


def test_an_address_is_taken_apart() -> None:
    found = address("https://api.example.org:8443/v1/#org/model-1")
    assert (found.base, found.model, found.local) == ("https://api.example.org:8443/v1", "org/model-1", False)
    assert found.name == "https://api.example.org:8443/v1#org/model-1"
    assert [address(f"http://{host}/v1#m").local for host in ("localhost", "127.0.0.2", "[::1]", "10.0.0.1")] == [
        True, True, True, False,
    ]  # fmt: skip


def test_a_key_does_not_go_over_the_network_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    assert key_for(address("http://10.0.0.1/v1#m")) == ""
    monkeypatch.setenv("MIBENCH_JUDGE_KEY", f" {KEY}\n")
    assert key_for(address("https://host/v1#m")) == key_for(address("http://localhost:8000/v1#m")) == KEY
    with pytest.raises(UsageError, match="not sent") as caught:
        key_for(address("http://10.0.0.1/v1#m"))
    assert KEY not in str(caught.value)
    monkeypatch.setenv("MIBENCH_JUDGE_KEY", f"{KEY}\r\nX-Other: 1")
    with pytest.raises(UsageError, match="cannot be used") as caught:
        key_for(address("https://host/v1#m"))
    assert KEY not in str(caught.value)


def test_the_environment_goes_before_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judge_of(AutointerpTask(), "cpu") is None
    found = judge_of(AutointerpTask(judge="local:gpt2"), "cpu")
    assert isinstance(found, LocalJudge)
    assert found.ref == "gpt2"
    monkeypatch.setenv("MIBENCH_JUDGE", "https://host/v1#m")
    monkeypatch.setenv("MIBENCH_JUDGE_KEY", KEY)
    other = judge_of(AutointerpTask(judge="local:gpt2"), "cpu")
    assert isinstance(other, ServerJudge)
    assert (other.name, other.key) == ("https://host/v1#m", KEY)


@pytest.mark.parametrize("ref", ["gpt2", "local:", KEY, "file:///etc/passwd"])
def test_a_reference_of_another_kind_is_refused_and_not_repeated(ref: str) -> None:
    with pytest.raises(UsageError, match="not known") as caught:
        judge_of(AutointerpTask(judge=ref), "cpu")
    assert KEY not in str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny random model with a tokenizer of words."""
    import torch
    from tiny_models import tiny_model
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<s>", "</s>", "<unk>", *(f"w{one}" for one in range(38))]
    inner = Tokenizer(models.WordLevel({word: one for one, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    path = tmp_path_factory.mktemp("judge") / "tiny-judge"
    tiny_model("gpt2", torch.float32).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_a_local_judge_decodes_greedily_and_says_no_private_path(folder: Any) -> None:
    import torch
    from tiny_models import tiny_model

    one = LocalJudge(str(folder), "cpu")
    question = Question("w1 w2", "w3", 6)
    said = one.answer(question)
    ids = [0, 4, 5, 6]
    model = tiny_model("gpt2", torch.float32)
    for _ in range(6):
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    expected = [one for one in ids[4:] if one > 2]
    assert said.split() == [f"w{token - 3}" for token in expected]
    assert one.answer(question) == said
    assert one.name.startswith("local:tiny-judge@")
    assert str(folder.parent) not in one.name


def test_a_branch_that_moved_gives_another_name_and_a_type_of_weights_does_not(
    folder: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved)
    weights = moved / "model.safetensors"
    tensors = load_file(weights)
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, weights, {"format": "pt"})
    now = {"snapshot": folder}
    monkeypatch.setattr("mibench.models.load.snapshot", lambda *_, **__: now["snapshot"])
    first = LocalJudge("org/judge@main", "cpu").name
    assert first == LocalJudge("org/judge@main", "cpu", "float64").name
    now["snapshot"] = moved
    second = LocalJudge("org/judge@main", "cpu").name
    assert first.startswith("local:org/judge@main@")
    assert second.startswith("local:org/judge@main@")
    assert first != second


def test_a_local_judge_that_cannot_be_used_says_so(folder: Any) -> None:
    with pytest.raises(NoAnswerError, match="it reads 32"):
        LocalJudge(str(folder), "cpu").answer(Question("w1 " * 30, "w2", 6))
    with pytest.raises(MibenchError, match="Unknown model"):
        LocalJudge("nothing-of-the-kind", "cpu").answer(QUESTION)


def test_a_chat_template_is_used_where_there_is_one(folder: Any) -> None:
    _, tokenizer = LocalJudge(str(folder), "cpu")._loaded
    question = Question("w1", "w2", 5)
    assert _prompt(tokenizer, question) == [0, 4, 5]
    tokenizer.inner.chat_template = "{% for m in messages %}<s> w9 {{ m['content'] }}{% endfor %} w8"
    assert _prompt(tokenizer, question) == [0, 12, 4, 5, 11]
