"""The languages that the model reads and writes in rows of its own: scripts, schedule windows and plans. May import face."""
