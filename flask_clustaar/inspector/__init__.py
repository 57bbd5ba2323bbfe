"""The page of ``flask clustaar inspect``: talk to the bot, and see why it answers so.

Nothing in an application imports it, and it is never part of one: the command serves it
on a port of its own.
"""
