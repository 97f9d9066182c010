"""A judge on this machine: how likely a causal language model holds each label's name to be the answer."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hitl.errors import ModelError
from hitl.models.judge.answers import Judgement, shown
from hitl.models.judge.cost import Cost, Tally
from hitl.models.judge.prompt import Form, message
from hitl.models.judge.question import Answered, Question
from hitl.models.neural.batching import Tokens, by_length
from hitl.models.neural.devices import choose, precision
from hitl.models.neural.loading import load_model, load_tokenizer, quiet, resolve
from hitl.types import Floats, Ints

AT_ONCE = 32
"""Questions that are judged, and kept, together."""

WHY = "Name in one sentence the words and the definition that decide it."
"""What a rationale is asked for by."""


@dataclass(frozen=True)
class LocalModel:
    """A causal language model by Hub name (at `revision`) or folder, where it runs, and how much at once.

    `tokens` bounds the tokens of a batch, the policy's counted once a row. `why` has it write a rationale of at most
    `why` tokens, 0 for none.
    """

    name: str
    revision: str | None = None
    device: str = "auto"
    tokens: int = 16_384
    why: int = 0


class LocalJudge:
    """Judges by log-likelihood: single-label, a softmax over labels of log P(label's name | policy, content).

    Multi-label, P("yes") against P("no") for each label. Names are scored as JSON strings, so that none is the
    beginning of another. What all prompts of a batch begin with, the policy, is computed once for it. Time is that of
    n k passes over content and name, memory that of one batch. Raises `ModelError` for a model that cannot be loaded.

    Source: likelihood scoring of answers as in Brown et al. (NeurIPS 2020), section 2.4.
    """

    form: Form = "name"

    def __init__(self, model: LocalModel, labels: tuple[str, ...], *, multi_label: bool, longest: int) -> None:
        self._labels, self._multi_label, self._longest, self._options = labels, multi_label, longest, model
        folder, device = resolve(model.name, model.revision), choose(model.device)
        self._tokenizer = load_tokenizer(folder)
        self._model = load_model(folder, auto="AutoModelForCausalLM", dtype=precision(device)).module.to(device)
        self._takes = inspect.signature(self._model.forward).parameters
        # transformers 5 calls it cache, and warns of the name that 4 has for it.
        self._past_name = "cache" if "cache" in self._takes else "past_key_values"
        self._tally = Tally()
        limit = getattr(self._model.config, "max_position_embeddings", None)
        self._room = limit if isinstance(limit, int) and limit > 0 else 1 << 31
        self._special = [str(token) for token in self._tokenizer.added_tokens_decoder.values() if token.special]
        begin = self._tokenizer.bos_token_id
        self._begin = self._tokenizer.bos_token if begin in self._tokenizer("")["input_ids"] else ""
        answers = ("yes", "no") if multi_label else labels
        self._answers = [self._tokenized(f'"{answer}"') for answer in answers]

    @property
    def cost(self) -> Cost:
        """What it cost so far: tokens, and no money."""
        return self._tally.cost

    def price(self, question: Question) -> float:
        """Nothing."""
        return 0.0

    def ask(self, questions: Sequence[Question], answered: Answered) -> None:
        """Judge all, those of one region together, `AT_ONCE` at a time."""
        order = sorted(range(len(questions)), key=lambda number: questions[number].system)
        for start in range(0, len(order), AT_ONCE):
            some = order[start : start + AT_ONCE]
            for number, judgement in zip(some, self._judge([questions[number] for number in some]), strict=True):
                answered(number, judgement)

    def _judge(self, questions: list[Question]) -> list[Judgement]:
        asked = self._labels if self._multi_label else (None,)
        prompts = [[self._tokenized(self._prompt(question, label)) for label in asked] for question in questions]
        longest = max(map(len, self._answers))
        fits = [max(map(len, some)) + longest <= self._room for some in prompts]
        rows = [some for some, fit in zip(prompts, fits, strict=True) if fit]
        self._tally.add(Cost(requests=len(questions), prompt_tokens=sum(len(row) for some in rows for row in some)))
        proba = iter(self._proba(rows))
        too_long = Judgement(problem=f"it is too long for the model, which takes {self._room:,} tokens")
        found = [Judgement(tuple(next(proba).tolist())) if fit else too_long for fit in fits]
        if not self._options.why:
            return found
        return [
            one if one.problem else Judgement(one.proba, self._why(question, one.proba))
            for question, one in zip(questions, found, strict=True)
        ]

    def _proba(self, prompts: list[list[list[int]]]) -> Floats:
        """Probabilities (n, k) of n items, each with the prompts it is asked by."""
        if not prompts:
            return np.zeros((0, len(self._labels)))
        flat = [prompt for some in prompts for prompt in some]
        likely = self._likelihoods(flat).reshape(len(prompts), -1, len(self._answers))
        likely -= likely.max(axis=2, keepdims=True)
        proba = np.exp(likely) / np.exp(likely).sum(axis=2, keepdims=True)
        applies: Floats = proba[:, :, 0] if self._multi_label else proba[:, 0, :]
        return applies

    def _likelihoods(self, prompts: list[list[int]]) -> Floats:
        """Log-likelihoods (p, a) of each answer after each prompt."""
        past, shared = self._past(prompts[0][: common(prompts)])
        rest = Tokens.of([prompt[shared:] + answer for prompt in prompts for answer in self._answers])
        answers = np.tile([len(answer) for answer in self._answers], len(prompts))
        found = np.empty(len(rest))
        # Each row of a batch holds a copy of the memory of the prefix.
        for rows in by_length(rest.lengths + shared, self._options.tokens, overhead=64):
            found[rows] = self._batch(rest.take(rows), answers[rows], past, shared)
        return found.reshape(len(prompts), len(self._answers))

    def _past(self, prefix: list[int]) -> tuple[Any, int]:
        """The model's memory of a prefix and its length; none where it has no memory that can be copied to rows."""
        import torch

        if not prefix:
            return None, 0
        with torch.inference_mode():
            ids = torch.tensor([prefix], device=self._model.device)
            past = getattr(self._model(input_ids=ids, use_cache=True, **self._keep(1)), self._past_name, None)
        return (past, len(prefix)) if hasattr(past, "batch_repeat_interleave") else (None, 0)

    def _keep(self, positions: int) -> dict[str, int]:
        return {"logits_to_keep": positions} if "logits_to_keep" in self._takes else {}

    def _batch(self, rest: Tokens, answers: Ints, past: Any, shared: int) -> Floats:
        """Log-likelihoods (b,) of the last `answers` (b,) tokens of each row, after the shared prefix.

        Rows are padded on the right, where a causal model does not look.
        """
        import torch

        ids, mask = rest.padded(0)
        width, first = ids.shape[1], int((rest.lengths - answers).min()) - 1
        real = np.ones((len(ids), shared + width), dtype=np.int64)
        if mask is not None:
            real[:, shared:] = mask
        device = self._model.device
        told = {"use_cache": False}
        if past is not None:
            past = copy.deepcopy(past)
            past.batch_repeat_interleave(len(ids))
            told = {"use_cache": True, self._past_name: past}
        with torch.inference_mode():
            logits = self._model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=torch.from_numpy(real).to(device),
                **told,
                **self._keep(width - first),
            ).logits[:, first - width :]
            after = torch.from_numpy(ids[:, first + 1 :]).to(device)
            logs = torch.log_softmax(logits[:, :-1].float(), dim=-1).gather(2, after[:, :, None])[:, :, 0]
        at = np.arange(first + 1, width)
        counted = (at >= (rest.lengths - answers)[:, None]) & (at < rest.lengths[:, None])
        found: Floats = np.where(counted, logs.cpu().numpy().astype(np.float64), 0.0).sum(axis=1)
        return found

    def _why(self, question: Question, proba: tuple[float, ...]) -> str:
        """A rationale by greedy decoding."""
        import torch

        applies = [name for name, value in zip(self._labels, proba, strict=True) if value >= 0.5]
        named = applies if self._multi_label else [self._labels[int(np.argmax(proba))]]
        said = f'"{", ".join(named) or "none"}"'
        ids = self._tokenized(self._prompt(question, None, (("assistant", said), ("user", WHY))))
        room = min(self._options.why, self._room - len(ids))
        if room < 1:
            return ""
        with torch.inference_mode(), quiet():
            asked = torch.tensor([ids], device=self._model.device)
            end = self._tokenizer.eos_token_id
            written = self._model.generate(
                asked, attention_mask=torch.ones_like(asked), max_new_tokens=room, do_sample=False, pad_token_id=end
            )[0, len(ids) :]
        self._tally.add(Cost(prompt_tokens=len(ids), completion_tokens=len(written)))
        return shown(self._tokenizer.decode(written, skip_special_tokens=True))

    def _prompt(self, question: Question, label: str | None, more: tuple[tuple[str, str], ...] = ()) -> str:
        """The conversation as the model's template writes it, or as paragraphs where it has none."""
        data = disarmed(message(question.content, self._longest, label), self._special)
        turns = [("system", question.system), ("user", data), *more]
        if not self._tokenizer.chat_template:
            return self._begin + "\n\n".join([content for _, content in turns] + ["Answer: "])
        try:
            return self._written(turns)
        except Exception as refused:  # what a template raises is its own, mostly over the system message
            if type(refused).__module__.split(".")[0] != "jinja2":
                raise
        try:
            return self._written([("user", f"{question.system}\n\n{data}"), *more])
        except Exception as error:
            raise ModelError(
                f"the chat template of {self._options.name} cannot write a system and a user message "
                f"({type(error).__name__}); take an instruction-tuned model"
            ) from error

    def _written(self, turns: Sequence[tuple[str, str]]) -> str:
        written: str = self._tokenizer.apply_chat_template(
            [{"role": role, "content": content} for role, content in turns],
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=False,
        )
        return written

    def _tokenized(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids


def common(prompts: list[list[int]]) -> int:
    """How many tokens all prompts begin with; at least one of each is left.

    >>> common([[5, 6, 7], [5, 6, 8, 9]]), common([[5, 6], [5, 6]])
    (2, 1)
    """
    first, last = min(prompts), max(prompts)
    most = min(map(len, prompts)) - 1
    return next((at for at in range(most) if first[at] != last[at]), most)


def disarmed(data: str, special: Sequence[str]) -> str:
    """JSON in which no string holds one of the tokens that are `special` to a model.

    >>> print(disarmed('{"content": "[INST] zonk"}', ["[INST]"]))
    {"content": "\\u005bINST] zonk"}
    """
    for token in special:
        if len(token) > 2 and ord(token[0]) < 1 << 16:
            data = data.replace(token, f"\\u{ord(token[0]):04x}{token[1:]}")
    return data
