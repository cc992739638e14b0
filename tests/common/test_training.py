"""The training loop on a task of three weights."""

from __future__ import annotations

import json
from itertools import count
from types import SimpleNamespace

import pytest
import torch
from facelm.common import training
from facelm.common.training import CHECKPOINT, Every, Losses, Plan, Reached, Run, Task, by_epoch, cosine, fit
from torch import nn

EPOCH = 4


class Line(Task):
    """Finds a line through points; every epoch draws its batches from a generator of its own."""

    key = {"task": {"points": 16}}

    def __init__(self, worse_after: int = 10**9) -> None:
        torch.manual_seed(0)
        self.model = nn.Linear(2, 1)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.1)
        self.worse_after, self.validated = worse_after, 0
        self.x = torch.randn(16, 2, generator=torch.Generator().manual_seed(1))
        self.y = self.x @ torch.tensor([[2.0], [-1.0]]) + 0.5

    def batches(self, reached: Reached):
        for epoch in range(reached.step // EPOCH, 10**9):
            order = torch.randperm(16, generator=torch.Generator().manual_seed(epoch))
            yield from ((index, {"epoch": epoch}) for index in order.split(16 // EPOCH))

    def losses(self, batch):
        loss = (self.model(self.x[batch]) - self.y[batch]).square().mean()
        return Losses(loss, len(batch), {"error": loss.detach()}, {"points": len(batch)})

    def rate(self, share, step):
        return cosine(share)

    def validate(self):
        self.model.eval()
        self.validated += 1
        with torch.no_grad():
            error = float((self.model(self.x) - self.y).square().mean())
        return {"error": error + (100 if self.validated > self.worse_after else 0)}

    def score(self, entry):
        return entry["error"]

    def line(self, sums, seconds):
        return {"error": sums["error"], "points": sums["points"]}


PLAN = Plan(steps=24, validate=Every(steps=EPOCH), save=Every(steps=EPOCH), log=Every(steps=6), clip=10.0)


def weights(task: Task) -> list[torch.Tensor]:
    return [p.detach().clone() for p in task.model.parameters()]


def stop_after(steps: int):
    def progress(done: int, of: int, stage: str = "", /) -> None:
        if done == steps:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("stop", [4, 11, 23])
def test_resuming_equals_not_having_stopped(tmp_path, stop):
    whole = Run(Line(), PLAN)
    fit(whole, lambda done, of, stage="": None)
    with pytest.raises(KeyboardInterrupt):
        fit(Run(Line(), PLAN, tmp_path), stop_after(stop))
    resumed = Run(Line(), PLAN, tmp_path).resume()
    assert resumed.reached.step == stop // EPOCH * EPOCH
    fit(resumed, lambda done, of, stage="": None)
    assert all(map(torch.equal, weights(whole.task), weights(resumed.task)))
    assert resumed.reached.history == whole.reached.history and resumed.reached.best == whole.reached.best
    assert resumed.reached.counts == whole.reached.counts == {"points": 96}
    for run in (whole, resumed):
        run.finish()
        assert not run.task.model.training
    assert all(map(torch.equal, weights(whole.task), weights(resumed.task)))
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


def test_it_learns_reports_and_logs(tmp_path):
    told, run = [], Run(Line(), PLAN, tmp_path)
    reached = fit(run, lambda done, of, stage="": told.append((done, of)))
    assert told == [(i, 24) for i in range(1, 25)]
    assert len(reached.history) == 6 and reached.history[-1]["error"] < 0.5 * reached.history[0]["error"]
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [x["step"] for x in lines if "points" in x] == [6, 12, 18, 24]
    assert all(x["points"] == 24 and x["grad_norm"] > 0 for x in lines if "points" in x)
    assert [x["validation"]["error"] for x in lines if "validation" in x] == [h["error"] for h in reached.history]
    group, = run.task.optimizer.param_groups
    assert group["peak"] == 0.1 and group["lr"] < 0.05 * 0.1
    epochs = []
    fit(Run(Line(), PLAN), by_epoch(lambda done, of, stage="": epochs.append((done, of)), EPOCH))
    assert epochs == [(i, 6) for i in range(1, 7)]


def test_the_best_weights_are_kept():
    run = Run(Line(worse_after=2), PLAN)
    seen = []
    fit(run, lambda done, of, stage="": seen.append(weights(run.task)) if done % EPOCH == 0 else None)
    assert run.finish().best == 1
    assert all(map(torch.equal, weights(run.task), seen[1]))


def test_time_bounds_a_run(monkeypatch):
    ticks = count()
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: 0.01 * next(ticks)))  # a clock that no load slows
    run = Run(Line(), Plan(minutes=0.005))
    fit(run, lambda done, of, stage="": None)
    assert 0.3 <= run.reached.seconds < 0.35 and run.reached.step > 10
    assert Plan(steps=10, minutes=1).share(Reached(step=5, seconds=45)) == 0.75
    assert Every(minutes=1).due(Reached(seconds=100), 40) and not Every(minutes=1).due(Reached(seconds=99), 40)
    assert not Every().due(Reached(), 0)


def test_bad_checkpoints_are_refused_in_one_line(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(Run(Line(), PLAN, tmp_path), stop_after(5))
    other = Line()
    other.key = {"task": {"points": 17}}
    with pytest.raises(ValueError, match="another configuration.*task was {'points': 16} and is {'points': 17}"):
        Run(other, PLAN, tmp_path).resume()
    wide = Line()
    wide.model = nn.Linear(3, 1)
    with pytest.raises(ValueError, match="does not fit") as caught:
        Run(wide, PLAN, tmp_path).resume()
    assert "\n" not in str(caught.value)
    (tmp_path / CHECKPOINT).write_bytes(b"junk")
    with pytest.raises(ValueError, match="damaged.*delete it"):
        Run(Line(), PLAN, tmp_path).resume()


def test_a_loss_that_is_not_finite_ends_the_run():
    task = Line()
    task.y = task.y * float("nan")
    with pytest.raises(ValueError, match="not finite after step 4"):
        fit(Run(task, PLAN), lambda done, of, stage="": None)
