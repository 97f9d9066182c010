"""References: what they mean, and that none of them leads out of the folder."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigError, MediaError
from hitl.media import FrameSampling, Limits, MediaFolder


@pytest.fixture
def folder(tmp_path: Path) -> MediaFolder:
    root = tmp_path / "root"
    (root / "sub dir").mkdir(parents=True)
    (root / "sub dir" / "zonk.png").write_bytes(b"zonk")
    (root / "100%25.png").write_bytes(b"wub")
    (tmp_path / "outside.png").write_bytes(b"plim")
    return MediaFolder(root)


@pytest.mark.parametrize(
    "reference",
    [
        "sub dir/zonk.png",
        "./sub dir/../sub dir/zonk.png",
        "{root}/sub dir/zonk.png",
        "file://{root}/sub%20dir/zonk.png",
        "file://localhost{root}/sub%20dir/zonk.png",
        "/data/local-files/?d=sub%20dir/zonk.png",
        "/data/local-files/?d=sub+dir/zonk.png",
        "/data/local-files?d=/sub%20dir/zonk.png",
        "http://studio.example:8080/data/local-files/?d=sub%20dir%2Fzonk.png",
    ],
)
def test_one_file_by_many_names(folder, reference):
    assert folder.path(reference.format(root=folder.root)).read_bytes() == b"zonk"


def test_a_plain_path_is_not_unquoted(folder):
    assert folder.path("100%25.png").read_bytes() == b"wub"


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("../outside.png", "leads out"),
        ("{root}/../outside.png", "leads out"),
        ("/etc/hostname", "leads out"),
        ("file:///etc/hostname", "leads out"),
        ("/data/local-files/?d=../outside.png", "leads out"),
        ("/data/local-files/?d=%2e%2e/outside.png", "leads out"),
        ("link.png", "leads out"),
        ("/data/local-files/", "ends? in .d=PATH"),
        ("https://host.example/a.png?signature=hush", "download the files first and set root"),
        ("https://someone:hush@host.example/a.png", "download"),
        ("s3://bucket/a.png", "download"),
        ("gs://bucket/a.png", "download"),
        ("file://elsewhere/a.png", "download"),
        ("data:image/png;base64,hush", "download"),
        ("sub dir", "no such file"),
        ("none.png", "no such file"),
        ("  ", "empty"),
        ("zonk\0.png", "no path"),
        ("z" * 5000, "no path"),
        ("circle", "no path|no such file"),
    ],
)
def test_what_is_not_there_or_outside_is_refused(folder, reference, told):
    (folder.root / "link.png").symlink_to(folder.root.parent / "outside.png")
    (folder.root / "circle").symlink_to(folder.root / "circle")
    with pytest.raises(MediaError, match=told) as refused:
        folder.path(reference.format(root=folder.root))
    assert "hush" not in str(refused.value)
    assert len(str(refused.value)) < 400
    assert str(refused.value).isprintable()


@given(
    reference=st.text(max_size=40) | st.lists(st.sampled_from(["..", "/", "a", "%2e", "file://", "?d="])).map("".join)
)
def test_any_text_gives_a_file_within_or_a_media_error(tmp_path_factory, reference):
    folder = MediaFolder(tmp_path_factory.getbasetemp())
    try:
        found = folder.path(reference)
    except MediaError:
        return
    assert found.is_relative_to(folder.root.resolve())


def test_a_root_that_is_not_there_is_a_mistake_of_the_setting(tmp_path):
    with pytest.raises(ConfigError, match="media folder"):
        MediaFolder(tmp_path / "nowhere").path("zonk.png")


def test_it_travels_and_holds_its_limits(folder):
    folder = MediaFolder(folder.root, most_bytes=2)
    assert pickle.loads(pickle.dumps(folder)) == folder
    with pytest.raises(MediaError, match=r"sub dir/zonk\.png'"):
        folder.image("sub dir/zonk.png")
    with pytest.raises(MediaError, match=r"sub dir/zonk\.png'"):
        folder.frames("sub dir/zonk.png", FrameSampling())


@pytest.mark.parametrize("options", [{"most_bytes": 0}, {"most_seconds": float("nan")}, {"most_pixels": 10**9}])
def test_impossible_limits_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Limits(**options)
