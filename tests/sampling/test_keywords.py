"""Keywords: in any case, as whole words where a script has words, over Arrow arrays."""

import pyarrow as pa
import pytest

from hitl.policy import Policy
from hitl.sampling.keywords import matches, policy_keywords


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("TAKO!", ["tako"], True),
        ("takoma", ["tako"], False),
        ("natako", ["tako"], False),
        ("(tako)", ["tako"], True),
        ("tako_bali", ["tako"], False),
        ("über-gluba", ["ÜBER"], True),
        ("hauglubä", ["glub"], False),
        ("ГЛУБА тут", ["глуба"], True),
        ("неглуба", ["глуба"], False),
        ("buy \n gold", ["buy gold"], True),
        ("buygold", ["buy gold"], False),
        ("a.b", ["a.b"], True),
        ("axb", ["a.b"], False),
        ("c++ (x)", ["c++"], True),
        ("我们打塔可了", ["塔可"], True),
        ("first\nline tako", ["tako"], True),
        ("a tako", ["bali", "tako"], True),
        ("", ["tako"], False),
        ("#tako-#", ["#tako"], True),
    ],
)
def test_what_matches(text, words, found):
    assert matches(pa.array([text]), words).tolist() == [found]


def test_missing_texts_chunks_and_large_strings():
    chunked = pa.chunked_array([["tako", None], [], ["bali"]], type=pa.large_string())
    assert matches(chunked, ["tako"]).tolist() == [True, False, False]
    assert matches(pa.array([], type=pa.string()), ["tako"]).tolist() == []


def test_keywords_of_all_regions_of_violating_labels():
    policy = Policy.parse("""
        name: p
        version: 1
        labels:
          - {name: ok, violating: false, keywords: [fine]}
          - {name: spam, keywords: [gold]}
          - {name: rude}
        regions: {XA: {labels: {spam: {keywords: [gold, emas]}, rude: {keywords: [tako]}}}}
    """)
    assert policy_keywords(policy) == {"spam": ("gold", "emas"), "rude": ("tako",)}
