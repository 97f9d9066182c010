"""Known vulnerabilities among the releases of an environment, by pip-audit from the OSV database; `make audit` runs it.

Ends with 0 when none is known, or when the database cannot be asked from here, which is said; with 1 when one is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 240
OUT_OF_REACH = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ServiceError", "Max retries exceeded", "resolve")


def judge(report: str, complaint: str) -> tuple[int, str]:
    """The exit code and what to say of pip-audit's report (JSON; "" when there is none) and its complaint."""
    try:
        told: dict[str, Any] = json.loads(report)
        dependencies = told["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (complaint.strip().splitlines() or ["pip-audit gave no report"])[-1].split(":")[0][:200]
        if any(sign in complaint for sign in OUT_OF_REACH):
            return 0, f"skipped: the database of vulnerabilities cannot be reached from here ({last})"
        return 1, f"pip-audit failed: {last}"
    known = [
        f"{one['name']} {one['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no release'}"
        for one in dependencies
        for found in one.get("vulns", ())
    ]
    unknown = [one["name"] for one in dependencies if "skip_reason" in one]
    if known:
        return 1, "\n".join([f"{len(known)} known vulnerabilities; take the releases that mend them:", *known])
    if dependencies and len(unknown) == len(dependencies):
        return 0, f"skipped: the database knows none of the {len(unknown)} packages, as if it were not there"
    asked = f"no vulnerability is known of {len(dependencies) - len(unknown)} packages"
    return 0, f"{asked}; not asked: {', '.join(unknown)}" if unknown else asked


def audit(auditor: Path, releases: Path, more: list[str]) -> tuple[int, str]:
    """Ask pip-audit about a file of releases (`name==version` lines)."""
    command = [
        str(auditor),
        "--vulnerability-service",
        "osv",
        "--no-deps",
        "--disable-pip",
        "--progress-spinner",
        "off",
    ]
    try:
        done = subprocess.run(
            [*command, "--format", "json", "--requirement", str(releases), *more],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except OSError:
        return 0, "skipped: pip-audit could not be installed here"
    except subprocess.TimeoutExpired:
        return 0, f"skipped: the database of vulnerabilities did not answer within {SECONDS} s"
    return judge(done.stdout, done.stderr)


if __name__ == "__main__":
    code, words = audit(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    print(f"audit: {words}")  # noqa: T201
    sys.exit(code)
