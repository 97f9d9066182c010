"""Each kind of bad input gets a clear error with place and remedy, and nothing that was there is lost."""

from __future__ import annotations

from pathlib import Path

import campaigns
import challenge_suites
import hash_lists
import media_files
import model_folders
import policies
import pools
import pytest
import yaml_files
from bad import Bad, refuse

CASES: list[Bad] = [
    *yaml_files.CASES,
    *policies.CASES,
    *campaigns.CASES,
    *challenge_suites.CASES,
    *pools.CASES,
    *hash_lists.CASES,
    *media_files.CASES,
    *model_folders.CASES,
]


def test_there_are_two_hundred_kinds() -> None:
    assert len({case.kind for case in CASES}) == len(CASES) >= 200


@pytest.mark.parametrize("bad", CASES, ids=lambda case: case.kind)
def test_it_is_refused_with_place_and_remedy(bad: Bad, tmp_path: Path) -> None:
    refuse(bad, tmp_path)
