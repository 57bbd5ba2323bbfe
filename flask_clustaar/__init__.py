"""Flask-Clustaar connects bots of the Clustaar platform to a Flask application.

Names are imported when they are first used, because the pytest plugin and the help of
the command line need this package, but not Flask and marshmallow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from . import events as events
    from ._version import __version__ as __version__
    from .answers import Answer as Answer
    from .errors import ClustaarError as ClustaarError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import InsecureWebhookWarning as InsecureWebhookWarning
    from .errors import InvalidReply as InvalidReply
    from .extension import ClustaarWebhook as ClustaarWebhook
    from .models import Notification as Notification
    from .models import StepReachedResponse as StepReachedResponse
    from .routing import HandlerGroup as HandlerGroup
    from .schemas import schema_for as schema_for
    from .truncation import truncate as truncate
else:

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            message = f"module '{__name__}' has no attribute '{name}'"
            raise AttributeError(message, name=name)
        home = import_module(f".{_HOMES[name]}", __name__)
        value = home if name == _HOMES[name] else getattr(home, name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})


__all__ = [
    "Answer",
    "ClustaarError",
    "ClustaarWebhook",
    "ConfigurationError",
    "HandlerGroup",
    "InsecureWebhookWarning",
    "InvalidReply",
    "Notification",
    "StepReachedResponse",
    "__version__",
    "events",
    "schema_for",
    "truncate",
]

#: The module of each name.
_HOMES: Final = {
    "__version__": "_version",
    "Answer": "answers",
    "ClustaarError": "errors",
    "ClustaarWebhook": "extension",
    "ConfigurationError": "errors",
    "HandlerGroup": "routing",
    "InsecureWebhookWarning": "errors",
    "InvalidReply": "errors",
    "Notification": "models",
    "StepReachedResponse": "models",
    "events": "events",
    "schema_for": "schemas",
    "truncate": "truncation",
}
