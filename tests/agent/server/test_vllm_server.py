"""The app with vLLM as what decodes; skipped where it is not installed."""

from __future__ import annotations

import pytest

pytest.importorskip("vllm")
pytest.importorskip("fastapi")
pytest.importorskip("websockets")
from facelm.agent.pipeline import weights_dir
from facelm.benchmarks.server import Client, served

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not (weights_dir() / "llm").is_dir(), reason="needs the released weights")]


def test_the_app_answers_with_vllm() -> None:
    with served(options=("--backend", "vllm")) as server:
        client = Client(server, "talk")
        said, shown, _ = client.ask("She smiles, then nods twice.")
        assert said.startswith("Smiles, then nods twice.") and shown is not None
        assert client.ask("how often does she nod?")[0] == "Twice."
        written = next(x for x in server.get("/metrics").decode().splitlines() if x.startswith("facelm_tokens_total"))
        assert float(written.split()[1]) > 10, "the decoder that counts is vLLM's"
