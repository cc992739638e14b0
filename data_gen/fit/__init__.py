"""Per-frame fitting of the head model to video: detection, optimisation, quality. Imports face and common."""
