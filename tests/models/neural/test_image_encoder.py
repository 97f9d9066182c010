import numpy as np
import pytest
import tiny
import torch
import transformers
from PIL import Image

from hitl.errors import ConfigError, DataError, ModelError
from hitl.models.neural.image_encoder import ImageEncoder, ImageEncoding

KINDS = ("tiny_image_encoder", "tiny_resnet", "tiny_clip", "dinov2")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def dinov2(folder):
    config = transformers.Dinov2WithRegistersConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8, num_register_tokens=3
    )
    size, crop = {"shortest_edge": 32}, {"height": 32, "width": 32}
    processor = transformers.BitImageProcessorPil(size=size, crop_size=crop)
    return tiny.save(folder, transformers.Dinov2WithRegistersModel, config, processor, seed=0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    makers = {kind: getattr(tiny, kind, dinov2) for kind in KINDS}
    return {kind: make(root / kind) for kind, make in makers.items()}


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def square(seed):
    return Image.fromarray(noise(40, 40, seed))


SOME = [square(1), noise(3, 3), noise(1, 1), Image.new("L", (7, 9), 99), Image.new("RGBA", (60, 30), "red"), square(2)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["auto", "mean"])
def test_a_row_depends_on_its_image_alone(folders, kind, pooling):
    encoder = ImageEncoder.open(folders[kind], ImageEncoding(pooling=pooling, batch=4), "cpu")
    together = encoder.embed(SOME)
    assert together.dtype == np.float32
    assert together.shape == (6, encoder.width) == (6, 32)
    assert np.isfinite(together).all()
    assert np.abs(together[0] - together[5]).max() > 1e-3
    np.testing.assert_allclose(together, np.vstack([encoder.embed([image]) for image in SOME]), atol=1e-5)


def states_of(folder, image):
    model = transformers.AutoModel.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    with torch.no_grad():
        return getattr(model, "vision_model", model)(**processor(image, return_tensors="pt"))


@pytest.mark.parametrize(
    ("kind", "pooling", "expected"),
    [
        ("tiny_image_encoder", "auto", lambda told: told.pooler_output[0]),
        ("tiny_image_encoder", "cls", lambda told: told.last_hidden_state[0, 0]),
        ("tiny_image_encoder", "mean", lambda told: told.last_hidden_state[0, 1:].mean(0)),
        ("tiny_resnet", "auto", lambda told: told.pooler_output[0, :, 0, 0]),
        ("tiny_resnet", "mean", lambda told: told.last_hidden_state[0].mean((1, 2))),
        ("tiny_clip", "auto", lambda told: told.pooler_output[0]),
        ("dinov2", "cls", lambda told: told.last_hidden_state[0, 0]),
        ("dinov2", "mean", lambda told: told.last_hidden_state[0, 4:].mean(0)),
    ],
)
def test_rows_are_those_of_the_model_itself(folders, kind, pooling, expected):
    row = ImageEncoder.open(folders[kind], ImageEncoding(pooling=pooling), "cpu").embed([square(3)])[0]
    np.testing.assert_allclose(row, expected(states_of(folders[kind], square(3))).numpy(), atol=1e-5)


def test_a_pooler_that_was_never_trained_is_not_used(folders, tmp_path):
    config = transformers.ViTConfig.from_pretrained(folders["tiny_image_encoder"])
    processor = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})
    tiny.save(tmp_path, transformers.ViTForImageClassification, config, processor, seed=0)
    auto, cls = (ImageEncoder.open(tmp_path, ImageEncoding(pooling=p), "cpu").embed(SOME) for p in ("auto", "cls"))
    np.testing.assert_array_equal(auto, cls)


def test_arrays_are_read_as_pillow_images(folders):
    encoder = ImageEncoder.open(folders["tiny_image_encoder"], device="cpu")
    array = noise(20, 50)
    np.testing.assert_array_equal(encoder.embed([array]), encoder.embed([Image.fromarray(array)]))
    assert encoder.embed([]).shape == (0, 32)


@pytest.mark.parametrize("kind", ["tiny_resnet", "tiny_clip", "dinov2"])
@pytest.mark.parametrize("shape", [(1, 20_000), (20_000, 1)])
def test_an_oblong_image_is_not_blown_up(folders, kind, shape, monkeypatch):
    encoder = ImageEncoder.open(folders[kind], device="cpu")
    seen = []
    resize = type(encoder.processor).resize
    monkeypatch.setattr(
        type(encoder.processor), "resize", lambda *a, **k: seen.append(resize(*a, **k).shape) or resize(*a, **k)
    )
    assert np.isfinite(encoder.embed([noise(*shape)])).all()
    assert seen
    assert max(max(shape) for shape in seen) <= 4 * 32


@pytest.mark.parametrize(
    "wrong", [noise(4, 4)[:, :, 0], noise(4, 4).astype(np.float32), noise(0, 4), noise(4, 4)[..., :1]]
)
def test_what_is_no_image_is_told_with_its_position(folders, wrong):
    encoder = ImageEncoder.open(folders["tiny_image_encoder"], ImageEncoding(batch=2), "cpu")
    with pytest.raises(DataError, match="image 3: "):
        encoder.embed([noise(4, 4)] * 3 + [wrong])


def test_a_convolutional_net_has_no_class_token(folders):
    with pytest.raises(ModelError, match="mean"):
        ImageEncoder.open(folders["tiny_resnet"], ImageEncoding(pooling="cls"), "cpu").embed([noise(4, 4)])


def test_the_fingerprint_changes_with_what_the_rows_depend_on(folders, tmp_path):
    def told(folder, **options):
        return ImageEncoder.open(folder, ImageEncoding(**options), "cpu").fingerprint

    vit = folders["tiny_image_encoder"]
    other = tiny.tiny_image_encoder(tmp_path, seed=1)
    distinct = [told(vit), told(vit, pooling="cls"), told(vit, precision="bfloat16"), told(other)]
    assert len(set(distinct)) == 4
    assert told(vit, batch=2) == told(vit)


@pytest.mark.parametrize("wrong", [{"pooling": "last"}, {"batch": 0}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError):
        ImageEncoding(**wrong)


def test_a_text_encoder_is_no_image_encoder(tmp_path):
    with pytest.raises(ModelError, match="image processor"):
        ImageEncoder.open(tiny.tiny_text_encoder(tmp_path), device="cpu")
