"""A round's models on the campaign's challenge suites: what they pass, what was lost, how groups are treated."""

from __future__ import annotations

import math

import numpy as np

from hitl.challenges import ChallengeRun, ChallengeSuite
from hitl.history import ChallengeRow, ChangeRow, EqualityRow, FunctionRow, GroupRow, estimate_row
from hitl.history.figures import finite
from hitl.metrics.challenge import Change, changes, pass_rates
from hitl.metrics.identity import Equality, bias_aucs, equality
from hitl.models import Fitted, load_model
from hitl.rounds.judged import Measured
from hitl.rounds.walk import Walk
from hitl.types import Bools, Estimate, Ints


def challenge(at: Measured) -> list[ChallengeRow] | None:
    """The new model on every suite, case by case against the one of the round before; None without suites.

    Every case is read by both models in every round.
    """
    told = [_suite(at, suite) for suite in at.walk.challenges]
    return told or None


def _suite(at: Measured, suite: ChallengeSuite) -> ChallengeRow:
    run = suite.run(challenge_model(at.walk, at.number, at.new, suite), at.walk.policy)
    comparable = at.old is not None and at.old.labels == at.new.labels
    old = challenge_model(at.walk, at.number - 1, at.old, suite) if at.old is not None and comparable else None
    return challenge_row(run, suite.run(old, at.walk.policy) if old else None, at.rng(f"challenge {suite.name}"))


def challenge_model(walk: Walk, number: int, fitted: Fitted, suite: ChallengeSuite) -> Fitted:
    """The model of a round as it reads the suite: media are looked for in the suite's own folder."""
    row = walk.ledger.model(number) if suite.pool.columns.media is not None else None
    if row is None or suite.pool.folder is None:
        return fitted
    device = getattr(walk.model, "device", "auto")
    return load_model(walk.folder / row["folder"], device=device, root=str(suite.pool.folder))


def challenge_row(run: ChallengeRun, before: ChallengeRun | None, rng: np.random.Generator) -> ChallengeRow:
    """A model on a suite, against an earlier one where there is one, as JSON; what regressed stands first."""
    everything = np.zeros(len(run.passed), dtype=np.int64)
    changed = {one.name: one for one in run.against(before)} if before else {}
    whole = changes(run.passed, before.passed, everything, (run.overall.label,)) if before else []
    codes, _ = run.functionality
    catch = np.bincount(codes, run.must_catch)
    functions = [
        FunctionRow(
            name=rate.label,
            catch=int(catch[at]),
            passed=estimate_row(rate),
            change=_change(changed[rate.label]) if rate.label in changed else None,
        )
        for at, rate in enumerate(run.by_functionality())
    ]
    return ChallengeRow(
        suite=run.suite.name,
        model_id=run.model_id,
        before=before.model_id if before else "",
        cases=len(run.passed),
        passed=estimate_row(run.overall),
        change=_change(whole[0]) if whole else None,
        functions=sorted(functions, key=_gravest),
        groups=[row for column in run.suite.groups for row in _groups(run, column)],
        equality=[_equality(column, one) for column in run.suite.groups for one in equalities(run, column, rng)],
    )


def equalities(run: ChallengeRun, column: str, rng: np.random.Generator) -> tuple[Equality, Equality]:
    """How far the groups of a column are apart in false alarms and in misses; cases of no group do not count."""
    codes, names = run.suite.pool.codes(column)
    group = _without_blank(codes, names)
    of, _ = run.functionality
    fine, bad = (
        equality(name, ~run.passed[rows], group[rows], of[rows], rng)
        for name, rows in (("false_positive_rate", ~run.must_catch), ("false_negative_rate", run.must_catch))
    )
    return fine, bad


def _groups(run: ChallengeRun, column: str) -> list[GroupRow]:
    codes, names = run.suite.pool.codes(column)
    told: list[GroupRow] = []
    for at, (name, passed) in enumerate(zip(names, run.by_group(column), strict=True)):
        member = codes == at
        if name:
            alarms = _failed("false_positive_rate", run, member & ~run.must_catch)
            misses = _failed("false_negative_rate", run, member & run.must_catch)
            aucs = bias_aucs(run.score, run.must_catch, member)
            told.append(
                GroupRow(
                    facet=column,
                    group=name,
                    passed=estimate_row(passed),
                    false_positive_rate=estimate_row(alarms),
                    false_negative_rate=estimate_row(misses),
                    aucs=[estimate_row(one) for one in aucs],
                )
            )
    return told


def _failed(name: str, run: ChallengeRun, rows: Bools) -> Estimate:
    """The share of some cases that are not passed."""
    (rate,) = pass_rates(~run.passed[rows], np.zeros(int(rows.sum()), dtype=np.int64), ("",))
    return Estimate(name, rate.value, rate.low, rate.high, rate.n, method=rate.method)


def _without_blank(codes: Ints, names: tuple[str, ...]) -> Ints:
    """Codes in which no group is below 0."""
    return codes - 1 if names[0] == "" else codes


def _gravest(row: FunctionRow) -> tuple[bool, float, float]:
    """What regressed, then by pass rate, the lowest first; unknown ones last."""
    change, rate = row["change"], row["passed"]["value"]
    regressed = change is not None and change["regressed"]
    lost = (change["difference"]["value"] or 0.0) if change is not None and regressed else 0.0
    return not regressed, lost, math.inf if rate is None else rate


def _change(one: Change) -> ChangeRow:
    return ChangeRow(
        won=one.test.wins,
        lost=one.test.losses,
        difference=estimate_row(one.difference),
        p=one.test.p,
        adjusted=one.adjusted,
        regressed=one.regressed,
    )


def _equality(facet: str, one: Equality) -> EqualityRow:
    value, by_chance, p = (finite(each) for each in (one.value, one.by_chance, one.p))
    return EqualityRow(facet=facet, name=one.name, value=value, by_chance=by_chance, p=p, groups=one.groups)
