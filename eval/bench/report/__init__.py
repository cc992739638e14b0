"""Tables with intervals, as JSON, Markdown and one self-contained page. Imports common and face."""
