"""A campaign whose files are damaged says what is wrong, changes nothing, and goes on once they are mended."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bad import contents
from campaigns import place
from harms import HARMS, LEDGER, Harm

from hitl.config import CampaignConfig
from hitl.ledger import Ledger


def state(home: Path) -> tuple[object, ...]:
    """What the record holds."""
    ledger = Ledger(home / LEDGER, "trial")
    try:
        return ledger.tasks(), ledger.annotations(), ledger.resolutions(0), ledger.picks(0), ledger.project
    finally:
        ledger.close()


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign after its seed round."""
    home = tmp_path_factory.mktemp("walked")
    campaign = CampaignConfig.load(place(home, {})).open()
    assert campaign.run().state == "done"
    campaign.ledger.close()
    return home


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.kind)
def test_it_is_told_and_goes_on_when_it_is_mended(harm: Harm, walked: Path, tmp_path: Path, command) -> None:
    home = tmp_path / "home"
    shutil.copytree(walked, home)
    harm.do(home)
    before = contents(home)
    called = command(harm.command, home / "hitl.yaml")
    last = called.err.strip().splitlines()[-1]
    assert called.code == harm.code, called.err
    assert last.startswith("hitl: "), called.err
    assert "Traceback" not in called.err
    assert all(word in last for word in harm.words), last
    kept = {name for name in before if "/cache/" not in name and not name.startswith(f"{Path(LEDGER).parent}/report")}
    after = contents(home)
    assert not [name for name in kept if name not in after]
    changed = [name for name in kept if after[name] != before[name] and name != LEDGER]
    assert not changed
    mend(home, walked, before)
    assert command("status", home / "hitl.yaml").code == 0
    assert state(home) == state(walked)


def mend(home: Path, walked: Path, harmed: dict[str, bytes]) -> None:
    """Put back what the damage changed, from a backup, and nothing else: the rest is as the command left it."""
    whole = contents(walked)
    for name in sorted({name for name in (*harmed, *whole) if harmed.get(name) != whole.get(name)}):
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        for beside in path.parent.glob(f"{path.name}*"):
            beside.unlink()
        if name in whole:
            if path.parent.is_file():
                path.parent.unlink()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(whole[name])
