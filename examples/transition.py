"""Turn a face from one expression to another, starting where a clip ends.

Usage: python examples/transition.py
"""

from __future__ import annotations

from facelm import FaceLM

lm = FaceLM.from_pretrained()
first = lm.generate("She looks angry.", seconds=2.0, seed=3, idle=False)
turn = lm.transition("Turn this face from anger to happiness", source=first, seconds=3.0)
whole = first.concat(turn.clip)
print(f"{whole.seconds:.2f} s; key frames of the transition: {list(turn.keys)}")
for action in lm.measure(whole).actions:
    print(f"{action.onset:5.2f} - {action.offset:5.2f} s  {action.name}")
