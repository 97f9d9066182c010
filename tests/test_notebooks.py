"""Notebooks run from top to bottom in an empty folder, and are kept without what running them leaves."""

import base64
import shutil
import tempfile
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def executed(path, tmp_path_factory):
    """The notebook after a run in a folder of its own, by this Python; a cell that fails fails here, with its words."""
    home = tmp_path_factory.mktemp(path.stem)
    notebook = nbformat.read(path, as_version=4)
    sockets = tempfile.mkdtemp(prefix="nb")  # short: the path of a Unix socket holds about a hundred characters
    # without kernel folders the one spec left is this environment's own, whatever is installed beside it
    kernel = AsyncKernelManager(
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
        transport="ipc",
        ip=f"{sockets}/k",
        connection_file=f"{sockets}/kernel.json",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("MPLCONFIGDIR", str(home / "matplotlib"))
        patch.delenv("MPLBACKEND", raising=False)
        try:
            NotebookClient(notebook, km=kernel, timeout=300, resources={"metadata": {"path": str(home)}}).execute()
        finally:
            shutil.rmtree(sockets, ignore_errors=True)
    return notebook, home


def outputs(notebook, cell=None):
    return [one for part in notebook.cells if cell in (None, part.id) for one in part.get("outputs", [])]


def words(notebook, cell=None):
    """All that a run said, as plain text."""
    said = outputs(notebook, cell)
    return "\n".join(one.get("text") or one.get("data", {}).get("text/plain", "") for one in said)


def html(notebook, cell):
    return "".join(one.get("data", {}).get("text/html", "") for one in outputs(notebook, cell))


def test_there_is_a_notebook():
    assert "quickstart" in {path.stem for path in NOTEBOOKS}


def test_it_is_kept_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.outputs == [] and cell.execution_count is None), cell.id


@pytest.mark.slow
def test_it_runs_without_a_complaint(executed):
    notebook, _ = executed
    complaints = [one for one in outputs(notebook) if one.output_type == "error" or one.get("name") == "stderr"]
    assert complaints == []


@pytest.mark.slow
def test_its_plots_are_images_and_no_objects_are_left_lying_about(executed):
    notebook, _ = executed
    pictures = [data["image/png"] for one in outputs(notebook) if "image/png" in (data := one.get("data", {}))]
    plotted = [cell.id for cell in notebook.cells if cell.cell_type == "code" and "plt.subplots" in cell.source]
    assert len(pictures) >= len(plotted) >= 1
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert "matplotlib.legend" not in words(notebook)
    assert "<Axes" not in words(notebook)


@pytest.fixture(scope="module")
def quickstart(executed, path):
    if path.stem != "quickstart":
        pytest.skip("another notebook")
    return executed


@pytest.mark.slow
def test_quickstart_tells_its_figures_with_intervals(quickstart):
    notebook, _ = quickstart
    interval = r"\d\.\d{3} \[-?\d\.\d{3}, \d\.\d{3}\]"
    assert_matches(rf"krippendorff_alpha {interval} \(n=\d+\)", words(notebook, "agreement"))
    assert_matches(rf"macro_f1 +{interval}", words(notebook, "fit"))
    assert_matches(rf"prevalence_by_views +{interval}", words(notebook, "audit"))
    assert_matches(r"^(helped|no evidence|hurt): macro_f1 [+-]\d\.\d{3} \[", words(notebook, "second"))
    assert_matches(r"Drawn for the audit with probability 0\.\d+", html(notebook, "picks"))


@pytest.mark.slow
def test_quickstart_weighs_its_audit_right(quickstart):
    notebook, _ = quickstart
    found = assert_matches(r"hold the planted share: (\d+)% of the draws", words(notebook, "audit-plot"))
    assert int(found[1]) >= 90


@pytest.mark.slow
def test_quickstart_walks_a_campaign_and_leaves_its_report(quickstart):
    notebook, home = quickstart
    assert [line[:7] for line in words(notebook, "campaign").split("\n") if line] == [f"Round {n}" for n in range(5)]
    assert "<table>" in html(notebook, "campaign-html")
    report = home / "runs" / "quickstart" / "report.html"
    assert str(report) in words(notebook, "report")
    assert report.stat().st_size > 10_000


def assert_matches(pattern, text):
    import re

    found = re.search(pattern, text, re.MULTILINE)
    assert found, f"{pattern!r} is not in:\n{text}"
    return found
