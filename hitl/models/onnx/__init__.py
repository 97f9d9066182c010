"""Fitted models as ONNX, to be deployed where there is no torch.

An exported folder holds `model.onnx`, what prepares its input, and `export.json`, which says how to use them. Texts
need `onnxruntime` and `tokenizers` alone:

    import json
    from pathlib import Path

    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    folder = Path("exported")
    told = json.loads((folder / "export.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))  # cuts and pads as it must
    session = onnxruntime.InferenceSession(folder / "model.onnx")

    batch = tokenizer.encode_batch(["how bad is this?", "and this"])
    ids = np.array([one.ids for one in batch], dtype=np.int64)
    mask = np.array([one.attention_mask for one in batch], dtype=np.int64)
    (proba,) = session.run(["proba"], {"input_ids": ids, "attention_mask": mask})

    thresholds = np.array(told["decision"]["thresholds"])
    decided = proba >= thresholds if told["multi_label"] else (proba / thresholds).argmax(axis=1)

`run_exported` does the same for any number of texts, empty and endless ones among them.
"""

from hitl.models.onnx.exporting import Exported, export
from hitl.models.onnx.running import run_exported

__all__ = ["Exported", "export", "run_exported"]
