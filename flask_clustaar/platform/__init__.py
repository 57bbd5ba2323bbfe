"""The platform, simulated: what it does around a bot's webhook, written once.

Tests, the commands of ``flask clustaar`` and the inspector are built on these modules:

- ``signer`` signs requests as the platform does;
- ``bot`` reads bot files: the steps and stories of a bot;
- ``conversation`` plays a user's conversation with the bot to its end;
- ``conditions`` decides which connection of a jump is taken;
- ``story`` reads, runs and writes conversations that are kept as text files.
"""
