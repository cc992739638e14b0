"""The procedural animator: sampled scripts, dynamics, speech, transitions. Imports face."""
