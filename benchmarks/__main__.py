"""``python -m facelm.benchmarks NAME [options]``: one benchmark; its tables as Markdown, or JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ..common.files import write_json
from .report import Tables, markdown, plain

COMMANDS: dict[str, tuple[str, str]] = {
    "animator-speed": ("speed:animator_speed", "The procedural animator and spontaneous motion, frames a second."),
    "batching": ("batching:batching", "Requests side by side: tokens a second, first frame and memory at 1, 8 and 32."),
    "build-kill": ("corpus:build_kill", "Does a killed build end with the same bytes?"),
    "build-throughput": ("corpus:build_throughput", "What each stage of a corpus build costs."),
    "exchange-speed": ("speed:exchange_speed", "Time of the commands between tools: head import, retarget, export, convert."),
    "export-speed": ("speed:export_speed", "Time of writing a clip in every format."),
    "fit": ("fits.animated:fit", "Fits of filmed performances against the truth."),
    "fit-noise": ("fits.noise:fit_noise", "What the fit's noise does to facts and to a language model."),
    "fit-real": ("fits.real:fit_real", "Fits of real clips against their landmarks."),
    "fit-speed": ("fits.real:fit_speed", "Speed and memory of the fit."),
    "generate-speed": ("speed:generate_speed", "Time of a generated clip."),
    "kinematics": ("kinematics:kinematics", "Blinks, smiles, nods and noise against recorded figures."),
    "lm-speed": ("lm:lm_speed", "Training and generation of the language model, tokens a second."),
    "measure-speed": ("speed:measure_speed", "Processor time of measuring a clip."),
    "ablations": ("compared.ablations:ablations", "Our model without one of its parts at a time, trained alike and scored."),
    "peers": ("compared.peers:peers", "Peers and our model, trained on the same texts and motions for the same time or size."),
    "prompts": ("prompts:prompts", "Simple prompts at many lengths, the demo's nods, speed, constant memory, a fuzz."),
    "render-speed": ("speed:render_speed", "Time of drawing a frame and a clip."),
    "retrieval": ("lm:retrieval", "Train the retrieval model of learned scores, and measure it."),
    "retarget": ("retarget:retarget", "Clips to another head and back."),
    "tokenizers": ("lm:tokenizers", "Motion tokenizers compared."),
    "seeing": ("seeing:seeing", "What is measured on real footage against what was seen in it by eye."),
    "server-load": ("server:server_load", "Many clients, kills in mid-answer and hostile uploads against the server."),
    "server-speed": ("server:server_speed", "First frame, edit, question, page and live driving of the server."),
    "transition-dynamics": ("transitions:transition_dynamics", "Curves against the dynamics of performed transitions."),
    "transition-speed": ("speed:transition_speed", "Time of one transition."),
}
"""Name on the command line -> module and function, imported when it is called; what it measures."""

app = App(name="python -m facelm.benchmarks", help=__doc__, version_flags=[],
          default_parameter=Parameter(consume_multiple=True, negative=""))
for _name, (_where, _what) in COMMANDS.items():
    app.command(f"facelm.benchmarks.{_where}", name=_name, help=_what)


@app.meta.default
def run(*tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        json_output: Annotated[bool, Parameter("--json", negative="")] = False, out: Path | None = None) -> int:
    """Run one benchmark and print what it found.

    Parameters
    ----------
    json_output
        Print JSON, not tables.
    out
        Write the JSON to this file as well.
    """
    command, bound, _ = app.parse_args(tokens)
    tables: Tables = plain(command(*bound.args, **bound.kwargs))
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_json(out, tables, 1)
    print(json.dumps(tables) if json_output else markdown(tables))
    return 0


if __name__ == "__main__":
    sys.exit(app.meta())
