"""Who may see what and work where: by table, and what no table may ever say."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.types import Worker
from hitl.workforce.lifecycle import STATUSES, STOPPED
from hitl.workforce.visibility import ROLES, SEES, Viewer, may_see, may_work

ORDER = ["none", "own", "team", "all"]
LEA, MATE = Worker("w-0", team="night", vendor="Acme"), Worker("w-1", team="night", vendor="Acme")
OTHERS = [Worker("w-2", team="night", vendor="Other"), Worker("w-3"), Worker("w-4", team="day", vendor="Acme")]


def test_a_higher_role_sees_no_less():
    for scopes in SEES.values():
        ranks = [ORDER.index(scopes[role]) for role in ROLES]
        assert ranks == sorted(ranks)


@pytest.mark.parametrize(("thing", "role"), list(product(("gold_key", "identity"), ROLES)))
def test_gold_keys_and_identities_are_for_those_who_rule(thing, role):
    for whose in (LEA, MATE, *OTHERS):
        assert may_see(Viewer(LEA, role), thing, whose) == (role == "ruling")


@pytest.mark.parametrize("role", ROLES)
def test_records_are_ones_own_then_the_teams_then_all(role):
    seen = [may_see(Viewer(LEA, role), "record", whose) for whose in (LEA, MATE, *OTHERS)]
    assert seen == [True, role in ("lead", "ruling"), *[role == "ruling"] * 3]
    assert may_see(Viewer(LEA, role), "signals", LEA) == (role in ("lead", "ruling"))


def test_two_without_a_team_are_no_team():
    assert not may_see(Viewer(Worker("w-5"), "lead"), "record", Worker("w-6"))


@given(st.sampled_from(["", *STATUSES]), st.sampled_from(["", "exam", "review", "legal"]), st.booleans(), st.booleans())
def test_queues_open_by_status_skill_and_language(status, queue, skilled, reads):
    worker = Worker("w-1", status, languages=("id",), skills=("review", "legal") if skilled else ())
    may = may_work(worker, queue, "id" if reads else "de")
    expected = {"": ("", "active", "watch"), "exam": ("onboarding",)}.get(queue, ("active",) if skilled else ())
    assert may == (status in expected and reads)
    assert not (may and status in STOPPED)
    assert may_work(worker, queue) == (status in expected)
