"""Text features that are kept in a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch

from ....common.store import Store
from .loop import fingerprint
from .text import TextEncoder


class KeptText:
    """A text encoder whose features are kept on disk; the encoder itself is loaded when a new sentence comes.

    Args:
        make: loads the encoder.
        store: of the features.
        key: what the features depend on.
    """

    _STAGE, _FILE = "text", "features.npz"

    def __init__(self, make: Callable[[], TextEncoder], store: Store, key: object) -> None:
        self._make, self._store, self._key = make, store, fingerprint(key)
        record = store.read(self._STAGE, self._key)
        if record is not None and store.has_files(record):
            about = record.data
            with np.load(store.place(self._STAGE, self._key) / self._FILE, allow_pickle=False) as npz:
                self._features, self._mask = torch.from_numpy(npz["features"]), torch.from_numpy(npz["mask"])
        else:
            encoder = self._encoder
            about = {"name": encoder.name, "dim": encoder.dim, "tokens": encoder.tokens, "sentences": []}
            self._features = torch.zeros(0, encoder.tokens, encoder.dim)
            self._mask = torch.zeros(0, encoder.tokens, dtype=torch.bool)
        self.name, self.dim, self.tokens = str(about["name"]), int(about["dim"]), int(about["tokens"])
        self._known = {s: i for i, s in enumerate(about["sentences"])}

    @cached_property
    def _encoder(self) -> TextEncoder:
        return self._make()

    def encode(self, sentences: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """See ``TextEncoder.encode``; new sentences are encoded and kept."""
        new = [s for s in dict.fromkeys(sentences) if s not in self._known]
        if new:
            features, mask = self._encoder.encode(new)
            self._known |= {s: len(self._known) + i for i, s in enumerate(new)}
            self._features, self._mask = torch.cat([self._features, features]), torch.cat([self._mask, mask])
            about = {"name": self.name, "dim": self.dim, "tokens": self.tokens, "sentences": list(self._known)}
            with self._store.scratch(self._STAGE, self._key) as folder:
                np.savez_compressed(folder / self._FILE, features=self._features.numpy(), mask=self._mask.numpy())
                self._store.commit(self._STAGE, self._key, self._key, about, folder)
        at = torch.tensor([self._known[s] for s in sentences])
        return self._features[at], self._mask[at]
