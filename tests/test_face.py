"""The public face: a short list of names that exist, and an import that is light."""

import subprocess
import sys

import hitl


def test_every_name_is_there():
    for name in hitl.__all__:
        assert getattr(hitl, name) is not None
    assert set(hitl.__all__) <= set(dir(hitl))


def test_the_face_is_short():
    assert len(hitl.__all__) <= 20


def test_importing_is_light():
    heavy = ("numpy", "pyarrow", "sklearn", "torch", "datasets", "matplotlib")
    code = f"import sys, hitl; print([m for m in {heavy} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_command_line_does_not_import_what_it_does_not_need():
    heavy = ("sklearn", "torch", "datasets", "matplotlib", "scipy")
    code = f"import sys, hitl.cli; print([m for m in {heavy} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
