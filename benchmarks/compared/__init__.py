"""Models that are trained alike to be compared: peers beside ours, and ours without its parts. May import anything of facelm."""
