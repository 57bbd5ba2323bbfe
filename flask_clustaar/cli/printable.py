"""Where the tools find :func:`printable`."""

from ..printable import printable as printable
