"""Change a clip's parameters by hand and see what the measurement says.

Usage: python examples/edit_parameters.py
"""

from __future__ import annotations

import numpy as np
from facelm import FaceSequence, HeadModel, measure

head = HeadModel.default()
clip = FaceSequence.rest(50, head.ref, n_expr=head.n_expr, n_shape=head.n_shape)

expr = clip.expr.copy()
rise = np.clip(np.linspace(0.0, 2.0, 50), 0.0, 1.0)
for name in ("mouthSmileLeft", "mouthSmileRight"):
    expr[:, head.expr_names.index(name)] = rise
clip = clip.replace(expr=expr.astype(np.float32))

for action in measure(clip, head).actions:
    print(f"{action.onset:.2f} - {action.offset:.2f} s  {action.name}: {action.value:.1f} {action.unit}")
