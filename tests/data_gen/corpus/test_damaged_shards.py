"""Random damage to a corpus file: read as it is, or one line that names the corpus; never another kind of error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from facelm.data_gen.corpus.synth import iter_corpus, load_clip, synth


def test_damage_of_any_kind_is_a_value_error_that_names_the_corpus(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    synth(12, folder, seed=1, workers=1)
    shard = next((folder / "data").glob("train*.parquet"))
    whole = shard.read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for k in range(1500):
        data = bytearray(whole)
        if k % 3 == 0:
            at = int(rng.integers(len(data)))
            del data[at:at + int(rng.integers(1, 64))]
        else:  # anywhere, or in the footer, where types and sizes stand
            first = 0 if k % 3 == 1 else len(data) - 20_000
            for at in rng.integers(first, len(data), int(rng.integers(1, 6))):
                data[at] = int(rng.integers(256))
        shard.write_bytes(data)
        try:
            for row in iter_corpus(folder, "train"):
                load_clip(row, folder)
        except (ValueError, OSError) as err:
            refused += 1
            assert str(folder) in str(err), (k, err)
    assert refused > 500
