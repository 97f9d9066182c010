"""What the audit of dependencies makes of pip-audit's report."""

import json
import runpy
from pathlib import Path

import pytest

AUDIT = runpy.run_path(str(Path(__file__).parents[1] / ".ci/audit.py"))


@pytest.mark.parametrize(
    ("report", "complaint", "code", "words"),
    [
        (
            {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]},
            "",
            1,
            "a 1: X-1, mended in 2",
        ),
        ({"name": "a", "version": "1", "vulns": []}, "", 0, "no vulnerability is known of 1 packages"),
        ({"name": "a", "skip_reason": "not found"}, "", 0, "skipped: "),
        (None, "requests.exceptions.ConnectionError: Max retries exceeded", 0, "skipped: "),
        (None, "TypeError: no", 1, "pip-audit failed: TypeError"),
        (None, "", 1, "gave no report"),
    ],
)
def test_the_audit_fails_on_what_is_known_and_passes_where_nobody_can_be_asked(report, complaint, code, words) -> None:
    told = json.dumps({"dependencies": [report]}) if report else ""
    ended, said = AUDIT["judge"](told, complaint)
    assert (ended, words in said) == (code, True)
