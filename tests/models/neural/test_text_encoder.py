import numpy as np
import pyarrow as pa
import pytest
import tiny
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from hitl.errors import ConfigError, ModelError
from hitl.models.neural.text_encoder import TextEncoder, TextEncoding

KINDS = ("tiny_text_encoder", "tiny_bert", "tiny_roberta", "tiny_causal_lm")
HARD = [
    "",
    " ",
    "\ud800 zonk \udfff",
    "a\0b",
    "zonk " * 3000,
    "\n" * 50_000 + "grue",
    "é漢字🙂\u202e",
    "[SEP] <pad>",
    ".",
]
WORDS = st.lists(st.sampled_from(tiny.WORDS.split()), max_size=40).map(" ".join)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    return {kind: getattr(tiny, kind)(root / kind) for kind in KINDS}


@pytest.fixture(scope="module")
def encoder(folders):
    return TextEncoder.open(folders["tiny_text_encoder"], device="cpu")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_rows_are_those_of_the_model_itself(folders, kind, pooling):
    encoder = TextEncoder.open(folders[kind], TextEncoding(pooling=pooling), "cpu")
    texts = ["zonk blip", "grue is not very good, plugh !", "a", "mumble mumble"]
    model = transformers.AutoModel.from_pretrained(folders[kind]).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folders[kind])
    for text, row in zip(texts, encoder.embed(texts), strict=True):
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        expected = {"mean": states.mean(0), "cls": states[0], "last": states[-1]}[pooling]
        np.testing.assert_allclose(row, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_depends_on_its_text_alone(folders, kind):
    encoder = TextEncoder.open(folders[kind], TextEncoding(batch_tokens=100), "cpu")
    texts = [*HARD, *tiny.TEXTS[:40], *HARD]
    together = encoder.embed(texts)
    assert together.dtype == np.float32
    assert together.shape == (len(texts), encoder.width) == (len(texts), 32)
    assert np.isfinite(together).all()
    alone = np.vstack([encoder.embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@settings(max_examples=25)
@given(st.lists(WORDS, max_size=12), st.randoms())
def test_rows_come_in_the_order_given(encoder, texts, random):
    order = random.sample(range(len(texts)), len(texts))
    straight, mixed = encoder.embed(texts), encoder.embed([texts[at] for at in order])
    np.testing.assert_allclose(mixed, straight[order], atol=1e-5)


@given(st.text(max_size=30) | st.text(st.characters(categories=["Cs", "Cc", "Zs"]), max_size=9))
def test_any_string_has_a_finite_row(encoder, text):
    assert np.isfinite(encoder.embed([text])).all()


def test_arrow_columns_and_nulls_are_read_as_lists_are(encoder):
    texts = ["zonk", None, "blip grue"]
    expected = encoder.embed(["zonk", "", "blip grue"])
    for column in (pa.array(texts), pa.chunked_array([texts[:1], texts[1:]]), texts):
        np.testing.assert_array_equal(encoder.embed(column), expected)
    assert encoder.embed([]).shape == encoder.embed(pa.array([], pa.string())).shape == (0, 32)


def test_a_text_without_tokens_is_zero(folders):
    encoder = TextEncoder.open(folders["tiny_causal_lm"], TextEncoding(pooling="last"), "cpu")
    rows = encoder.embed(["", "zonk"])
    assert not rows[0].any()
    assert rows[1].any()


def test_tokens_are_cut_at_the_least_of_all_limits(folders):
    long = ["zonk blip " * 500]
    for kind, limit in (("tiny_text_encoder", 64), ("tiny_roberta", 64), ("tiny_causal_lm", 256)):
        encoder = TextEncoder.open(folders[kind], device="cpu")
        assert encoder.longest == limit
        assert encoder.tokens(long).lengths.tolist() == [limit]
    short = TextEncoder.open(folders["tiny_bert"], TextEncoding(max_length=5), "cpu")
    tokens = short.tokens(long)
    named = short.tokenizer.convert_ids_to_tokens(tokens.ids.tolist())
    assert len(named) == 5
    assert (named[0], named[-1]) == ("[CLS]", "[SEP]")


def test_blanks_do_not_hide_a_text(encoder):
    hidden, plain = encoder.embed([" \n" * 100_000 + "grue zonk", "grue zonk"])
    np.testing.assert_allclose(hidden, plain, atol=1e-5)


def test_batches_without_padding_carry_no_mask(encoder):
    ids, mask = encoder.batch(encoder.tokens(["zonk", "grue"]))
    assert mask is None
    assert ids.shape == (2, 3)
    ids, mask = encoder.batch(encoder.tokens(["zonk", "grue blip"]))
    assert mask.tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert ids[0, 3] == encoder.pad


def test_gradients_flow_through_pooled_where_they_are_wanted(folders):
    encoder = TextEncoder.open(folders["tiny_text_encoder"], device="cpu")
    assert not any(p.requires_grad for p in encoder.module.parameters())
    encoder.module.requires_grad_(True)
    encoder.pooled(*encoder.batch(encoder.tokens(["zonk", "grue blip"]))).sum().backward()
    assert any(p.grad is not None and p.grad.any() for p in encoder.module.parameters())


def test_bfloat16_is_near_float32(folders):
    texts = list(tiny.TEXTS[:20])
    exact = TextEncoder.open(folders["tiny_bert"], device="cpu").embed(texts)
    rough = TextEncoder.open(folders["tiny_bert"], TextEncoding(precision="bfloat16"), "cpu").embed(texts)
    assert rough.dtype == np.float32
    assert 0 < np.abs(rough - exact).max() < 0.1


def test_an_encoder_decoder_gives_its_encoder(tmp_path):
    tokenizer = tiny.wordpiece()
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    tiny.save(tmp_path, transformers.T5Model, config, tokenizer, seed=0)
    texts = ["zonk", "grue blip is not"]
    encoder = TextEncoder.open(tmp_path, device="cpu")
    rows = encoder.embed(texts)
    assert rows.shape == (2, 16)
    assert rows.any(axis=1).all()
    np.testing.assert_allclose(rows, np.vstack([encoder.embed([text]) for text in texts]), atol=1e-5)


def test_deberta_runs_with_and_without_padding(tmp_path):
    tokenizer = tiny.wordpiece()
    config = transformers.DebertaV2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        relative_attention=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
    )
    tiny.save(tmp_path, transformers.DebertaV2Model, config, tokenizer, seed=0)
    encoder = TextEncoder.open(tmp_path, device="cpu")
    texts = ["zonk", "grue blip is not", ""]
    np.testing.assert_allclose(encoder.embed(texts), np.vstack([encoder.embed([t]) for t in texts]), atol=1e-5)


def test_mpnet_counts_positions_behind_its_pad(tmp_path):
    tokenizer = tiny.byte_pairs(specials=("<s>", "<pad>", "</s>", "<unk>", "<mask>"))
    config = transformers.MPNetConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=34,
    )
    tiny.save(tmp_path, transformers.MPNetModel, config, tokenizer, seed=0)
    encoder = TextEncoder.open(tmp_path, device="cpu")
    texts = ["zonk", "grue " * 99]
    assert encoder.longest == 32
    np.testing.assert_allclose(encoder.embed(texts), np.vstack([encoder.embed([t]) for t in texts]), atol=1e-5)


def test_the_fingerprint_changes_with_what_the_rows_depend_on(folders, tmp_path):
    def told(kind="tiny_text_encoder", **options):
        return TextEncoder.open(folders[kind], TextEncoding(**options), "cpu").fingerprint

    other = tiny.tiny_text_encoder(tmp_path / "other", seed=1)
    distinct = [
        told(),
        told(pooling="cls"),
        told(max_length=9),
        told(precision="bfloat16"),
        told("tiny_bert"),
        TextEncoder.open(other, device="cpu").fingerprint,
    ]
    assert len(set(distinct)) == len(distinct)
    assert told(batch_tokens=7) == told()


def test_opening_leaves_the_random_state_alone(folders):
    before = torch.get_rng_state()
    TextEncoder.open(folders["tiny_bert"], device="cpu").embed(["zonk"])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("wrong", [{"pooling": "max"}, {"max_length": 2}, {"batch_tokens": 0}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError):
        TextEncoding(**wrong)


def test_an_image_encoder_is_no_text_encoder(tmp_path):
    with pytest.raises(ModelError, match="no tokenizer"):
        TextEncoder.open(tiny.tiny_image_encoder(tmp_path), device="cpu")
