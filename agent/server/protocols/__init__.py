"""Ways in for other programs: the Model Context Protocol, OpenAI's chat protocol and live driving."""
