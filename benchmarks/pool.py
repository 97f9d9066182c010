"""Opening a large pool: checked and ready, beside `datasets` reading the same file."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from common import Goal, finish

GROUP = 500_000


def write(path: Path, rows: int) -> None:
    """Posts with a unique id, a short text and heavy-tailed views, in row groups."""
    rng = np.random.default_rng(0)
    schema = pa.schema([("id", pa.string()), ("text", pa.string()), ("views", pa.float64())])
    words = pa.array([f"w{n}" for n in range(5000)])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, GROUP):
            n = min(GROUP, rows - start)
            ids = pc.binary_join_element_wise("post-", pa.array(np.arange(start, start + n)).cast(pa.string()), "")
            parts = [words.take(pa.array(rng.integers(0, 5000, n))) for _ in range(4)]
            text = pc.binary_join_element_wise(*parts, " ")
            writer.write_table(pa.table([ids, text, pa.array(rng.pareto(1.2, n) * 100)], schema=schema))


OPENED = "hitl.Pool.open({path!r}, id='id', text='text', reach='views')"
OURS = f"import hitl; hitl.Pool.open; import pyarrow.parquet; pool = {OPENED}"
PEER = "import datasets; pool = datasets.Dataset.from_parquet({path!r}, cache_dir={cache!r})"
MEASURE = """
import re, time
{imports}
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
before, begun = peak(), time.perf_counter()
{work}
spent = time.perf_counter() - begun
print(len(pool), spent, peak() - before)
"""


def run(code: str) -> tuple[int, float, float]:
    """Items, seconds and MiB added to the peak, in a process of its own."""
    imports, _, work = code.rpartition("; ")
    source = MEASURE.format(imports=imports, work=work)
    told = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout.split()
    return int(told[-3]), float(told[-2]), float(told[-1])


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "items.parquet"
        write(path, rows)
        ours = [run(OURS.format(path=str(path))) for _ in range(5)]
        peer = run(PEER.format(path=str(path), cache=str(Path(folder) / "cache")))
        again = run(PEER.format(path=str(path), cache=str(Path(folder) / "cache")))
        size = path.stat().st_size / 2**20
    seconds, added = float(np.median([spent for _, spent, _ in ours])), max(mib for _, _, mib in ours)
    measured = {
        "hitl.Pool.open, ids, texts and views checked": (seconds, added),
        "datasets, first time (copies into its cache, no checks)": peer[1:],
        "datasets, from its cache (no checks)": again[1:],
    }
    table = [[what, f"{s:.2f}", f"{mib:.0f}", f"{s / seconds:.1f}"] for what, (s, mib) in measured.items()]
    goals = [
        Goal(f"open {rows:,} rows ({size:.0f} MiB), median of 5", "< 2 s", f"{seconds:.2f} s", seconds < 2),
        Goal("memory added", "< 512 MiB", f"{added:.0f} MiB", added < 512),
    ]
    finish("pool", goals, table, ["what", "seconds", "MiB added", "ratio to ours"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 million rows instead of 10")
    main(2_000_000 if parser.parse_args().quick else 10_000_000)
