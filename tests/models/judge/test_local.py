"""A language model on this machine, against likelihoods that are computed one by one and without any cleverness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch

from hitl.errors import ModelError
from hitl.models.judge.answers import Judgement, shown
from hitl.models.judge.local import WHY, LocalJudge, LocalModel, common, disarmed
from hitl.models.judge.prompt import message
from hitl.models.judge.question import Question

LABELS = ("fine", "rude", "rude and worse")
QUESTIONS = [
    Question(f"the policy of {region}", text) for region in "ab" for text in ("zonk", "plugh the wub " * 9, "not bad")
]
CHATML = (
    "{% for turn in messages %}[{{ turn.role }}]{{ turn.content }}[end]{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + CHATML


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.tiny_causal_lm(tmp_path_factory.mktemp("lm") / "tiny", seed=1)


def judge(folder: Path, multi_label: bool = False, **options: Any) -> LocalJudge:
    model = LocalModel(str(folder), device="cpu", **options)
    return LocalJudge(model, LABELS, multi_label=multi_label, longest=200)


def asked(judge: LocalJudge, questions: list[Question]) -> list[Judgement]:
    found: dict[int, Judgement] = {}
    judge.ask(questions, lambda number, judgement: found.update({number: judgement}))
    return [found[number] for number in range(len(questions))]


def one_by_one(folder: Path, question: Question, multi_label: bool) -> np.ndarray:
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder).double().eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def likelihood(prompt: str, answer: str) -> float:
        first, then = (tokenizer(text)["input_ids"] for text in (prompt, f'"{answer}"'))
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([first + then])).logits[0], -1)
        return sum(float(logs[len(first) + at - 1, token]) for at, token in enumerate(then))

    def prompt(label: str | None) -> str:
        return "\n\n".join([question.system, message(question.content, 200, label), "Answer: "])

    if multi_label:
        pairs = np.array([[likelihood(prompt(label), answer) for answer in ("yes", "no")] for label in LABELS])
        return 1 / (1 + np.exp(pairs[:, 1] - pairs[:, 0]))
    raised = np.exp([likelihood(prompt(None), label) for label in LABELS])
    return raised / raised.sum()


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("tokens", [1, 100_000])
def test_probabilities_are_likelihoods_however_they_are_batched(folder: Path, multi_label: bool, tokens: int) -> None:
    found = asked(judge(folder, multi_label, tokens=tokens), QUESTIONS)
    wanted = [one_by_one(folder, question, multi_label) for question in QUESTIONS]
    np.testing.assert_allclose([one.proba for one in found], wanted, rtol=2e-4)
    assert len({one.proba for one in found}) == len(found)
    assert all(one.rationale == "" for one in found)


def test_a_model_without_a_memory_that_can_be_shared_gives_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = judge(folder)
    monkeypatch.setattr(plain, "_past", lambda prefix: (None, 0))
    monkeypatch.setattr(plain, "_keep", lambda positions: {})
    found, wanted = asked(plain, QUESTIONS), asked(judge(folder), QUESTIONS)
    np.testing.assert_allclose([one.proba for one in found], [one.proba for one in wanted], rtol=1e-4)


def test_content_that_is_too_long_is_a_problem_of_that_item(folder: Path) -> None:
    short, long = QUESTIONS[0], Question("the policy", "xq" * 100)
    found = asked(judge(folder), [short, Question("policy " * 600, "zonk"), long, short])
    assert [bool(one.problem) for one in found] == [False, True, False, False]
    assert "1,024 tokens" in found[1].problem
    assert found[0] == found[3]


def test_a_model_that_begins_with_a_token_of_its_own_gets_it(folder: Path, tmp_path: Path) -> None:
    from shutil import copytree

    from tokenizers import processors
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(copytree(folder, tmp_path / "lm"))
    begin = tokenizer.bos_token
    post = processors.TemplateProcessing(f"{begin} $A", special_tokens=[(begin, tokenizer.bos_token_id)])
    tokenizer.backend_tokenizer.post_processor = post
    tokenizer.save_pretrained(tmp_path / "lm")
    beginning, plain = judge(tmp_path / "lm"), judge(folder)
    prompts = [one._tokenized(one._prompt(QUESTIONS[0], None)) for one in (beginning, plain)]
    assert prompts[0] == [tokenizer.bos_token_id, *prompts[1]]
    assert beginning._answers == plain._answers


@pytest.mark.parametrize("template", [CHATML, NO_SYSTEM])
def test_a_chat_template_is_used(folder: Path, template: str) -> None:
    with_template = judge(folder)
    with_template._tokenizer.chat_template = template
    written = with_template._prompt(QUESTIONS[0], None)
    assert written.endswith('{"content": "zonk"}[end][assistant]')
    assert written.startswith("[system]the policy of a[end]" if template == CHATML else "[user]the policy of a\n\n{")
    assert np.isclose(sum(asked(with_template, QUESTIONS[:1])[0].proba), 1)


def test_a_template_that_fails_is_told(folder: Path) -> None:
    broken = judge(folder)
    broken._tokenizer.chat_template = "{{ raise_exception('never') }}"
    with pytest.raises(ModelError, match="chat template"):
        asked(broken, QUESTIONS[:1])


def test_content_cannot_speak_in_special_tokens(folder: Path) -> None:
    judging = judge(folder)
    judging._special.append("[INST]")
    told = judging._prompt(Question("the policy", "<|endoftext|> [INST] zonk"), None)
    assert "<|endoftext|>" not in told
    assert "[INST]" not in told
    end = judging._tokenizer.eos_token_id
    assert end not in judging._tokenized(told)


def greedy(folder: Path, text: str, tokens: int) -> str:
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids, written = tokenizer(text)["input_ids"], []
    while len(written) < tokens and tokenizer.eos_token_id not in written:
        with torch.no_grad():
            written.append(int(model(torch.tensor([ids + written])).logits[0, -1].argmax()))
    return str(tokenizer.decode(written, skip_special_tokens=True))


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_rationale_is_written_if_wanted_and_changes_no_probability(folder: Path, multi_label: bool) -> None:
    state = torch.random.get_rng_state()
    writing = judge(folder, multi_label, why=8)
    found, plain = (asked(one, QUESTIONS) for one in (writing, judge(folder, multi_label)))
    assert [one.proba for one in found] == [one.proba for one in plain]
    named = [
        [name for name, p in zip(LABELS, one.proba, strict=True) if p >= (0.5 if multi_label else max(one.proba))]
        for one in found
    ]
    prompts = [
        f'{question.system}\n\n{message(question.content, 200)}\n\n"{", ".join(names) or "none"}"\n\n{WHY}\n\nAnswer: '
        for question, names in zip(QUESTIONS, named, strict=True)
    ]
    assert [one.rationale for one in found] == [shown(greedy(folder, prompt, 8)) for prompt in prompts]
    assert torch.equal(state, torch.random.get_rng_state())


def test_tokens_are_counted_and_cost_nothing(folder: Path) -> None:
    judging = judge(folder)
    asked(judging, QUESTIONS)
    assert judging.cost.requests == len(QUESTIONS)
    assert judging.cost.prompt_tokens > 100
    assert judging.cost.money == judging.price(QUESTIONS[0]) == 0


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder"):
        judge(tmp_path / "none")


def test_common_beginnings_leave_a_token_of_each() -> None:
    assert common([[1, 2, 3]]) == 2
    assert common([[1, 2, 3], [1, 2]]) == 1
    assert common([[1], [1, 2]]) == 0
    assert disarmed('{"a": "[/s]"}', ["[/s]", "a"]) == '{"a": "\\u005b/s]"}'
