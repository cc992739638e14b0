"""Every question about every number of things has an answer, also one that names too little or what is not there."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
from facelm.data_gen.performer.animator import perform
from facelm.data_gen.performer.layout import lay_out
from facelm.data_gen.reading.questions import thing_of
from facelm.face.facs.evidence.answers import ask
from facelm.face.facs.evidence.query import Asked, Query
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.script_text import read_script

MORE = ({}, {"between": (1.0, 1.2)}, {"part": "end"}, {"negated": True}, {"limit": ("more", 2.0)}, {"degree": "strong"},
        {"region": "head"}, {"claim": True}, {"by": "side"})


@pytest.fixture(scope="module", params=["smile; nod x2; wink left", "still; 2 s"])
def measured(request: pytest.FixtureRequest) -> Measurement:
    return measure(perform(lay_out(read_script(request.param))))


@pytest.mark.parametrize("asked", get_args(Asked))
def test_every_question_is_answered(measured: Measurement, asked: Asked) -> None:
    for names, more in product(((), ("nod",), ("yawn",), ("smile", "nod"), ("yawn", "nod")), MORE):
        things = tuple(t for n in names if (t := thing_of(n)))
        answer = ask(measured, Query(asked, things, **more))
        assert answer.text.endswith(".") and len(answer.text) > 2, (names, more)
