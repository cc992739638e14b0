"""What strangers send: requests of every shape, files that are none."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time

import pytest

pytest.importorskip("fastapi")
import requests
from browser import serving_app
from facelm.benchmarks.server import hostile
from scripted_agent import needs_tokenizer, rule_agent

pytestmark = [pytest.mark.slow, needs_tokenizer]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving_app(tmp_path_factory.mktemp("talks"), rule_agent) as found:
        requests.post(f"http://{found}/api/sessions", json={"name": "a"}, timeout=60)
        yield found


def test_requests_of_every_shape_are_answered(address) -> None:
    pytest.importorskip("schemathesis")
    done = subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", f"http://{address}/openapi.json", "--checks", "not_a_server_error",
         "--max-examples", "15", "--seed", "1", "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all"],
        capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]
    assert requests.get(f"http://{address}/health", timeout=10).json()["ok"]


def test_files_that_are_none_are_refused_and_leave_nothing(address) -> None:
    rng, before = random.Random(3), set(os.listdir(tempfile.gettempdir()))
    for _ in range(25):
        name, body = hostile(rng)
        answer = requests.post(f"http://{address}/api/sessions/a/upload", params={"name": name}, data=body, timeout=120)
        said = answer.json()
        while "job" in said and said.get("state") not in ("failed", "done", "cancelled"):
            time.sleep(0.05)
            said = {"job": said["job"], **requests.get(f"http://{address}/api/jobs/{said['job']}", timeout=10).json()}
        line = said.get("error", "")
        assert answer.status_code < 500 and line and "\n" not in line and "Traceback" not in line, name
    assert requests.get(f"http://{address}/api/sessions/a", timeout=10).json()["clips"] == []
    assert [n for n in set(os.listdir(tempfile.gettempdir())) - before if n.startswith(f"facelm-upload-{os.getpid()}-")] == []
