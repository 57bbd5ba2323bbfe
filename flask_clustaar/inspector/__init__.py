"""The page of ``flask clustaar inspect``: talk to the bot, and inspect its requests.

Applications never import this package. The command serves the page on its own port.
"""
