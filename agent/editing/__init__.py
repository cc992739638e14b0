"""Changing what was performed or filmed: wishes in words, typed edits, and the motion that comes out; may import agent.motion."""
