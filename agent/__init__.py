"""The agent: requests checked once, the tools, FaceLM, chat, training. May import all but eval and cli."""
