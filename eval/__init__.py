"""Evaluation: the two directions, reconstruction, transitions. May import all but agent and cli."""
