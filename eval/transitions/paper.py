"""The figures of Vo et al., arXiv 2601.08179, that tables show beside ours; never computed with.

Keys: data set, then the row. Values are as printed: (mean, deviation), or (mean, None) where no deviation is printed. The means
are percent, the deviations seem to be of shares: 0.0024 beside 91.44 % would be 0.24 points.
"""

from __future__ import annotations

URL = "https://arxiv.org/abs/2601.08179"
Value = tuple[float, float | None]
Three = tuple[Value, Value, Value]
"""Acc1, Acc2, G-mean."""

ACCURACY: dict[str, dict[str, Three]] = {
    # Tables II and III
    "ckplus": {
        "ground truth": ((99.69, 0.0001), (99.39, 0.0002), (99.69, 9.3e-5)),
        "MotionCLIP": ((52.00, 0.0058), (20.00, 0.0082), (40.48, 0.0060)),
        "I2FET": ((91.44, 0.0024), (84.03, 0.0034), (80.30, 0.0064)),
    },
    "celebvhq": {
        "ground truth": ((93.67, 0.0000), (87.89, 0.0000), (95.04, 1.1e-16)),
        "MotionCLIP": ((40.00, 0.0039), (13.73, 0.0056), (34.42, 0.0069)),
        "I2FET": ((58.24, 0.0028), (33.45, 0.0052), (46.47, 0.0065)),
    },
}

COMPONENTS: dict[str, dict[str, Three]] = {
    # Table V
    "ckplus": {
        "no_ifed": ((76.89, 0.0029), (63.23, 0.0047), (63.59, 0.0059)),
        "e_p": ((91.30, 0.0017), (84.06, 0.0026), (79.41, 0.0061)),
        "full": ((91.44, 0.0024), (84.03, 0.0034), (80.30, 0.0064)),
    },
    "celebvhq": {
        "no_ifed": ((48.35, 0.0037), (22.1, 0.0040), (32.88, 0.0058)),
        "e_p": ((57.80, 0.0020), (32.60, 0.0037), (46.04, 0.0062)),
        "full": ((58.24, 0.0028), (33.45, 0.0052), (46.47, 0.0065)),
    },
}

LOSSES: dict[str, dict[str, Three]] = {
    # Table VI
    "ckplus": {
        "e": ((66.80, 0.0056), (45.96, 0.0112), (52.42, 0.0730)),
        "e_p": COMPONENTS["ckplus"]["e_p"],
        "full": COMPONENTS["ckplus"]["full"],
    },
    "celebvhq": {
        "e": ((37.57, 0.0052), (11.99, 0.0326), (25.82, 0.0114)),
        "e_p": COMPONENTS["celebvhq"]["e_p"],
        "full": COMPONENTS["celebvhq"]["full"],
    },
}

LAYERS: dict[str, dict[str, Three]] = {
    # Table VII
    "ckplus": {
        "n1m1": ((91.36, 0.0023), (84.13, 0.0046), (79.65, 0.0080)),
        "n1m1_caft2": ((88.95, 0.0019), (80.95, 0.0038), (78.72, 0.0071)),
    },
    "celebvhq": {
        "n1m1": ((58.25, 0.0034), (33.03, 0.0056), (46.46, 0.0066)),
        "n1m1_caft2": ((55.68, 0.0034), (29.82, 0.0066), (42.59, 0.0085)),
    },
}

ENCODERS: dict[str, Three] = {
    # Table VIII, CK+ only
    "n1m1": ((91.36, 0.0023), (84.13, 0.0046), (79.67, 0.008)),
    "full": ((91.44, 0.0024), (84.03, 0.0034), (80.30, 0.0064)),
    "n1m2": ((91.27, 0.0019), (83.84, 0.0037), (79.69, 0.0052)),
    "n2m2": ((89.07, 0.0021), (81.13, 0.0034), (78.71, 0.0070)),
}

Four = tuple[float, float, float, float]
"""L1, PSNR (dB), LPIPS, MS-SSIM."""

RENDERED: dict[str, dict[str, Four]] = {
    # Table IV
    "ckplus": {"Ours+ROME": (0.199, 9.939, 0.490, 0.347), "Ours+CVTHead": (0.005, 33.74, 0.021, 0.978)},
    "celebvhq": {"Ours+ROME": (0.168, 11.316, 0.505, 0.418), "Ours+CVTHead": (0.003, 37.08, 0.010, 0.990)},
}

NEUTRAL: dict[str, dict[str, Four]] = {
    # Table IX
    "ckplus": {"NED+ROME": (0.193, 10.207, 0.516, 0.348), "NED+CVTHead": (0.004, 35.158, 0.014, 0.987)},
    "celebvhq": {"NED+ROME": (0.183, 10.818, 0.498, 0.407), "NED+CVTHead": (0.004, 36.347, 0.0117, 0.989)},
}

ANGLES: tuple[float, ...] = (0.0, 10.0, 15.0, 30.0)
ROTATION: dict[str, dict[str, tuple[tuple[float, float], ...]]] = {
    # Table X: (Acc1, G-mean) at 0, +-10, +-15, +-30 degrees
    "ckplus": {
        "MEK": ((100, 100), (86.41, 76.20), (76.01, 52.16), (32.56, 0.0)),
        "ce": ((99.56, 99.4), (84.40, 73.28), (79.50, 67.6), (75.29, 33.39)),
        "rfl": ((99.69, 99.69), (87.18, 75.85), (83.66, 66.13), (77.48, 31.5)),
    },
    "celebvhq": {
        "MEK": ((99.75, 99.83), (60.49, 55.07), (49.08, 33.84), (32.05, 9.64)),
        "ce": ((37, 12.77), (35.77, 13.39), (34.97, 0.0), (28.92, 0.0)),
        "rfl": ((93.67, 95.04), (58.54, 49.92), (51.53, 41.22), (40.71, 26.80)),
    },
}
