"""The checks of ``flask clustaar check``: one module per subject."""
