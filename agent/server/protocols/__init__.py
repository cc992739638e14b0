"""Ways in for other programs: Model Context Protocol, OpenAI's chat, live driving. Imports agent/server and agent/talk."""
