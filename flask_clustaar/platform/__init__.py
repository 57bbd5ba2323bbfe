"""A simulation of the platform.

The test client, the commands of ``flask clustaar`` and the inspector use these modules:

- ``signer`` signs requests as the platform does;
- ``bot`` reads bot files: the steps and stories of a bot;
- ``conversation`` runs a user's conversation with the bot;
- ``conditions`` evaluates the conditions of jumps;
- ``story`` reads, runs and writes conversations as text files.
"""
