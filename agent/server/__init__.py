"""The app: the conversation over HTTP and sockets, with its page, for browsers and programs. May import all of agent."""
