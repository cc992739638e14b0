"""Edits of photos judged: actions, likeness, identity, cost. Imports data_gen.photo, data_gen.fit, face and common."""
