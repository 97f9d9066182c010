"""PDQ: the same bits as the reference gives, near for copies and far for other pictures."""

import io
import os
from pathlib import Path

import numpy as np
import pytest

from hitl.errors import DataError
from hitl.hashes import distances, from_hex, pdq_hashes

Image = pytest.importorskip("PIL.Image")

SHARED = Path(os.environ.get("HITL_SHARED", "../shared")) / "data" / "images"


def apart_from_the_reference(images) -> np.ndarray:
    pdqhash = pytest.importorskip("pdqhash", reason="the reference implementation is not installed")
    hashes, quality = pdq_hashes(images)
    theirs = [pdqhash.compute(np.ascontiguousarray(image)) for image in images]
    assert quality.tolist() == [each[1] for each in theirs]
    return distances(hashes, np.packbits(np.stack([each[0] for each in theirs]).astype(np.uint8), axis=1))


def test_made_pictures_hash_as_the_reference_does(picture):
    rng = np.random.default_rng(0)
    sizes = [
        (64, 64),
        (127, 129),
        (128, 128),
        (65, 400),
        (333, 222),
        (512, 513),
        *rng.integers(64, 500, (20, 2)).tolist(),
    ]
    images = [picture(seed, *size) for seed, size in enumerate(sizes)]
    assert apart_from_the_reference(images).max() <= 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the pictures in HITL_SHARED")
def test_photographs_hash_as_the_reference_does():
    files = sorted(SHARED.glob("*/*/*.[jJ][pP][gG]"))[::10]
    images = [np.asarray(Image.open(file).convert("RGB")) for file in files]
    assert apart_from_the_reference(images).max() <= 2


def test_known_bits():
    """A picture hashed with the reference implementation (pdqhash 0.2.8) once and for all."""
    rows, columns = np.mgrid[0:160, 0:200]
    image = np.stack([(rows * columns) % 251, (rows**2 + 3 * columns) % 239, (7 * rows + columns**2) % 241], axis=2)
    hashes, quality = pdq_hashes([image.astype(np.uint8)])
    assert distances(
        hashes, from_hex(["3de4bcb0bee1dfe57cb0ddcfb4e4b630abeb94b089e1d1407cb0d64a8420b4a0"])
    ).tolist() <= [2]
    assert quality.tolist() == [100]


def as_jpeg(image, quality: int):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def trimmed(image, share: float):
    width, height = image.size
    return image.crop((int(width * share), int(height * share), int(width * (1 - share)), int(height * (1 - share))))


CHANGES = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "twice the size": lambda image: image.resize((image.width * 2, image.height * 2)),
    "another shape": lambda image: image.resize((200, 200)),
    "compressed": lambda image: as_jpeg(image, 30),
    "brighter": lambda image: image.point(lambda value: min(255, int(1.2 * value))),
    "darker": lambda image: image.point(lambda value: int(0.7 * value)),
    "trimmed by a hundredth": lambda image: trimmed(image, 0.01),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_near(picture, change):
    images = [Image.fromarray(picture(seed, 360, 480)) for seed in range(5)]
    before, after = pdq_hashes(images)[0], pdq_hashes([CHANGES[change](image) for image in images])[0]
    assert distances(before, after).max() <= 31


def test_other_pictures_are_far_and_half_of_the_bits_are_set(picture):
    hashes, quality = pdq_hashes([picture(seed) for seed in range(24)])
    one, other = np.triu_indices(24, k=1)
    assert distances(hashes[one], hashes[other]).min() > 90
    assert (np.unpackbits(hashes, axis=1).sum(axis=1) == 128).all()
    assert (quality == 100).all()


def test_a_picture_with_nothing_in_it_has_no_quality():
    assert pdq_hashes([np.full((90, 90, 3), 128, dtype=np.uint8)])[1].tolist() == [0]


def test_a_hash_does_not_depend_on_what_is_hashed_beside_it(picture):
    images = [picture(seed) for seed in range(4)]
    alone = [pdq_hashes([image])[0][0] for image in images]
    assert (pdq_hashes(images)[0] == alone).all()
    assert pdq_hashes([])[0].shape == (0, 32)
    assert (pdq_hashes([Image.fromarray(images[0])])[0] == alone[:1]).all()


@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 4), (0, 9, 3)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(DataError, match="no RGB picture"):
        pdq_hashes([np.zeros(shape, dtype=np.uint8)])
