"""A language model as pre-labeler: it judges by the policy's own words, and is audited like any other model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hitl.errors import ConfigError, ModelError
from hitl.models.calibration import HeldOut, check_method
from hitl.models.fitted import Core, Learned, Learner, texts_column
from hitl.models.judge.answers import Judgements
from hitl.models.judge.asking import Allowed, Asked, Asking
from hitl.models.judge.cache import AnswerCache
from hitl.models.judge.endpoint import Endpoint
from hitl.models.judge.features import JudgeCore, JudgeFeatures, JudgeReader
from hitl.models.judge.prompt import PROMPT_VERSION, Form, Prompt, render_prompt
from hitl.models.judge.question import Judge
from hitl.models.saving import Saved
from hitl.policy import Policy
from hitl.pool import Pool
from hitl.types import Progress, Targets, silent

_ENDPOINT = tuple(part.name for part in fields(Endpoint))


@dataclass(frozen=True)
class PolicyJudge(Learner):
    """Asks a language model for the probability of each label of `policy`, with a reason, item by item.

    `policy` is a `Policy`, YAML text or the path of a file; it is kept as text. `model` is the pinned name at the
    OpenAI-compatible endpoint `url`; without `url`, the Hub name (at `revision`) or folder of a causal language model
    for transformers, which writes reasons of up to `why` tokens if asked to. Content is judged by the policy of its
    region, and read up to `longest` characters. A run asks about `most_items` items and spends `most_cost` at most,
    in the currency of the prices, in each process; what has an answer in the cache counts for nothing. The rest is as
    in `Endpoint`.

    What it says is a prediction, to be calibrated on answers of people and audited; it is never a label. Raises
    `ConfigError` for options that cannot be.

    >>> policy = "{name: abuse, version: 1, labels: [{name: ok, violating: false}, {name: rude}]}"
    >>> PolicyJudge(policy, "zonk-1b").rules
    Policy('abuse' v1: ok, rude)
    """

    policy: str
    model: str
    url: str | None = None
    key_env: str | None = "OPENAI_API_KEY"
    served_as: tuple[str, ...] = ()
    timeout: float = 60.0
    retries: int = 5
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0
    concurrency: int = 4
    seed: int = 0
    completion: int = 1_000
    revision: str | None = None
    why: int = 0
    longest: int = 20_000
    most_items: int = 2_000
    most_cost: float | None = None
    calibrate: bool | str = True
    device: str = field(default="auto", compare=False)

    kind: ClassVar[str] = "policy_judge"
    reads: ClassVar[tuple[str, ...]] = ("text",)
    needs: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[tuple[str, ...]] = (
        "What a language model says is a prediction to be audited like any model's; it is never a label.",
        "It may be biased against groups, dialects and languages that its training slighted; check each slice.",
        "Content can mislead it: it is fenced off as data, and may still talk the judge into another judgement.",
        "It reads text alone, up to `longest` characters of it, and knows nothing of who posted it and to whom.",
        "Its answers may change with the provider's version of the model; the cached ones stay as they were.",
    )

    def __post_init__(self) -> None:
        check_method(self.kind, self.calibrate)
        object.__setattr__(self, "policy", _as_text(self.policy))
        object.__setattr__(self, "served_as", tuple(self.served_as))
        if not isinstance(self.model, str) or not self.model:
            raise ConfigError("policy_judge: model must name the language model, e.g. the one that the endpoint serves")
        for name, least in (("longest", 1), ("most_items", 0), ("why", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise ConfigError(f"policy_judge: {name}={getattr(self, name)!r} must be a whole number from {least}")
        if self.url is not None:
            self.endpoint  # noqa: B018 - raises what is wrong with it
        if self.most_cost is not None and not (self.most_cost >= 0 and self.price_in + self.price_out > 0):
            raise ConfigError("policy_judge: most_cost is money, 0 or more, and needs price_in and price_out")

    @cached_property
    def rules(self) -> Policy:
        """The policy."""
        return Policy.parse(self.policy)

    @property
    def endpoint(self) -> Endpoint:
        """Where it asks; raises `ConfigError` when it has no url."""
        if self.url is None:
            raise ConfigError(f"policy_judge: {self.model!r} runs on this machine; give url for an endpoint")
        return Endpoint(**{name: getattr(self, name) for name in _ENDPOINT})

    @property
    def form(self) -> Form:
        """Which form of the prompt it asks with."""
        return "name" if self.url is None else "json"

    def prompt(self, region: str = "") -> Prompt:
        """What it is told before an item of this region."""
        return render_prompt(self.rules, region, self.form)

    @cached_property
    def prompts(self) -> str:
        """A hash (24 hex digits) of the prompts of all regions: of all that the policy has to do with its answers."""
        told = {region: self.prompt(region).fingerprint for region in ("", *sorted(self.rules.regions))}
        return blake2b(json.dumps(told).encode(), digest_size=12).hexdigest()

    def pinned(self) -> str:
        """What the answers come from: the endpoint's model by name, a local one by the hash of its files."""
        if self.url is not None:
            return self.model
        from hitl.models.neural.loading import fingerprint, resolve

        return fingerprint(resolve(self.model, self.revision))

    def judge(
        self, texts: Sequence[str], region: str = "", cache: Path | None = None, progress: Progress = silent
    ) -> Judgements:
        """Judgements (n, k) of texts of one region, with rationales, problems and what it cost.

        Raises `ModelError` for more than is allowed, or where the model cannot be asked.
        """
        contents = texts_column(texts).to_pylist()
        return self.asking(self.pinned(), cache, progress)(contents, [region] * len(contents))

    def asking(self, pinned: str, cache: Path | None, progress: Progress = silent) -> Asking:
        """A run of questions to the model that is `pinned`; opens it when the first has to be asked."""
        settings = (self.form, pinned, self.seed, self.longest, self.why)
        asked = Asked(self.rules.names, self.rules.multi_label, _once_a_region(self.prompt), settings)
        allowed = Allowed(self.most_items, self.most_cost)
        return Asking(asked, partial(self._open, pinned), AnswerCache(cache), allowed, progress)

    def _open(self, pinned: str) -> Judge:
        about: Any = {"multi_label": self.rules.multi_label, "longest": self.longest}
        if self.url is not None:
            from hitl.models.judge.chat import Chat
            from hitl.models.judge.remote import RemoteJudge

            return RemoteJudge(Chat(self.endpoint), self.rules.names, **about)
        from hitl.models.judge.local import LocalJudge, LocalModel

        if self.pinned() != pinned:
            raise ModelError(f"policy_judge: the files of {self.model!r} are not those it was made with; restore them")
        local = LocalModel(self.model, self.revision, self.device, why=self.why)
        return LocalJudge(local, self.rules.names, **about)

    def features(self, pool: Pool, cache: Path | None, progress: Progress = silent) -> JudgeFeatures:
        """What the judge says of the pool's items, asked for when it is taken, and kept in the folder `cache`.

        Raises `ModelError` without a text column. O(1); a local model's files are read once, for their hash.
        """
        if pool.columns.text is None:
            raise ModelError(f"pool {pool.name!r} has no text for policy_judge; name one with Pool.open(..., text=...)")
        return JudgeFeatures(pool, JudgeReader(self, self.pinned(), cache, progress))

    def learn(
        self, features: JudgeFeatures, targets: Targets, rng: np.random.Generator, *, multi_label: bool
    ) -> Learned:
        """Nothing but how it is calibrated: no item is learned from, so that all are held out."""
        if not isinstance(features, JudgeFeatures) or features.reader.judge != self:
            raise ModelError("these features are not of this policy_judge; compute them with its features(pool, cache)")
        if tuple(targets.labels) != self.rules.names or multi_label != self.rules.multi_label:
            raise ModelError(
                f"the answers are of the labels {', '.join(targets.labels)}, and the judge's policy has "
                f"{', '.join(self.rules.names)}, {'any number' if self.rules.multi_label else 'one'} an item; give it "
                "the policy that the answers are of"
            )
        judged = features.take(targets.positions)
        told = {
            "items": len(targets),
            "without_an_answer": sum(map(bool, judged.problems)),
            "prompt_version": PROMPT_VERSION,
            "policy": f"{self.rules.name} v{self.rules.version}",
            "model": self.model,
            "cost_so_far": features.reader.cost.told(),
        }
        core = JudgeCore(self, features.reader.pinned, features.reader.cache)
        return Learned(core, told, HeldOut(np.arange(len(targets)), judged.logits))

    def restore(self, saved: Saved) -> Core:
        """The core of a saved judge, which asks nobody before it reads."""
        return JudgeCore(self, str(saved.card["depends"]["pinned"]), None)


def _as_text(policy: Any) -> str:
    """A policy in any form as YAML text, always the same text of the same policy."""
    if isinstance(policy, str) and ("\n" in policy or policy.lstrip().startswith("{")):
        policy = Policy.parse(policy)
    elif isinstance(policy, str | Path):
        policy = Policy.load(policy)
    if not isinstance(policy, Policy):
        raise ConfigError("policy_judge: policy must be a Policy, YAML text or the path of a policy file")
    return policy.to_yaml()


def _once_a_region(prompt: Callable[[str], Prompt]) -> Callable[[str], Prompt]:
    known: dict[str, Prompt] = {}

    def kept(region: str) -> Prompt:
        if region not in known:
            known[region] = prompt(region)
        return known[region]

    return kept
