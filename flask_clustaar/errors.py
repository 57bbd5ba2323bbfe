"""Everything that can go wrong, as exceptions.

:class:`ClustaarError` is the base. What becomes an HTTP answer is a
:class:`ProblemError`: a Werkzeug exception too, so that
``@app.errorhandler(SignatureInvalid)`` works as for any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response


class ClustaarError(Exception):
    """The base of all errors of this package."""


class ConfigurationError(ClustaarError, RuntimeError):
    """A setting, a handler or a filter is wrong; raised when the program starts."""


class InsecureWebhookWarning(UserWarning):
    """A webhook is configured with neither a private key nor credentials."""


class ConfigurationWarning(UserWarning):
    """A setting is probably wrong, such as a misspelt one."""


class AsyncHandlerWarning(UserWarning):
    """A handler is ``async def`` where the server cannot run it."""


class ReplayStoreError(ClustaarError):
    """A replay store is full, or cannot be reached."""


class Violation(NamedTuple):
    """One thing that is wrong with a document, and where."""

    #: Dotted path into the document, such as ``actions.0.buttons.1.title``; empty for
    #: the document itself.
    path: str
    #: A sentence.
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


#: The page that explains each problem, in a section of its own.
PROBLEM_PAGE: Final = (
    "https://flask-clustaar.readthedocs.io/en/stable/reference/errors.html"
)

#: A word in the name of a class: ``JSON`` and ``Invalid`` in ``InvalidJSON``.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+")


class ProblemError(ClustaarError, HTTPException):
    """An error that answers the request, as ``application/problem+json`` (RFC 9457).

    :param detail: a sentence for the person who reads the answer. Never what would
        have been right, a secret, or a part of the request's body.
    :param violations: what is wrong with the document at which path.
    :param headers: HTTP headers to send along.
    """

    #: The HTTP status.
    code: int | None = 500
    #: The stable name of the problem, ``code`` in the body of the answer: the name of
    #: the class in snake case.
    error_code: ClassVar[str] = "error"
    #: What happened, in a few words that never change. Default: the name of the class.
    title: ClassVar[str] = "Error"
    #: The default of *detail*.
    description: str | None = None
    #: What follows the detail in the answer, but not in the log.
    _hint: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        words = _WORD.findall(cls.__name__)
        rest = [word if word.isupper() else word.lower() for word in words[1:]]
        cls.error_code = "_".join(words).lower()
        cls.title = vars(cls).get("title", " ".join([*words[:1], *rest]))

    def __init__(
        self,
        detail: str | None = None,
        *,
        violations: Sequence[Violation] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.violations: tuple[Violation, ...] = tuple(violations)
        self.headers: dict[str, str] = headers or {}
        #: More members of the problem's body, for people who develop.
        self.extra: dict[str, Any] = {}
        #: The handler at fault, if it is one.
        self.handler: Any = None

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.code or 500

    def __str__(self) -> str:
        return "\n".join([f"{self.description}", *map(str, self.shown_violations)])

    @property
    def shown_violations(self) -> list[Violation]:
        """The first hundred of the violations, and how many more there are."""
        more = len(self.violations) - 100
        shown = list(self.violations[:100])
        return [*shown, Violation("", f"And {more} more.")] if more > 0 else shown

    def problem(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {
            "type": f"{PROBLEM_PAGE}#problem-{self.error_code.replace('_', '-')}",
            "title": self.title,
            "status": self.status,
            "detail": f"{self.description}{self._hint}",
            "code": self.error_code,
        }
        if self.violations:
            body["errors"] = [each._asdict() for each in self.shown_violations]
        return body | self.extra

    def get_response(self, *_: Any, **__: Any) -> Response:
        return Response(
            json.dumps(self.problem()),
            status=self.status,
            headers=self.headers,
            content_type="application/problem+json",
        )


class RequestRejected(ProblemError):
    """Base class of errors that reject a request before a handler runs (PROTOCOL 2)."""

    code: int | None = 400


class BodyTooLarge(RequestRejected):
    """The body is longer than ``CLUSTAAR_MAX_CONTENT_LENGTH`` bytes."""

    code: int | None = 413
    description: str | None = "The body is longer than this endpoint reads."


class LengthRequired(RequestRejected):
    """Neither the request nor the server says where the body ends."""

    code: int | None = 411
    description: str | None = (
        "The request has no 'Content-Length', and the WSGI server does not say where a "
        "chunked body ends ('wsgi.input_terminated'). Send 'Content-Length', or put a "
        "reverse proxy that buffers requests in front of the server."
    )


class BodyIncomplete(RequestRejected):
    """The connection ended before the announced body had arrived."""

    description: str | None = "The body ended before its announced length."


class UnsupportedContent(RequestRejected):
    """The body is not JSON by its ``Content-Type``, or it is compressed."""

    code: int | None = 415
    description: str | None = (
        "Send the notification as 'application/json', not compressed."
    )


class CredentialsMissing(RequestRejected):
    """The webhook has a user name and a password, and the request has none."""

    code: int | None = 401
    description: str | None = (
        "Send the user name and the password of the bot's webhook settings "
        "as HTTP Basic authentication."
    )

    def __init__(self, detail: str | None = None) -> None:
        challenge = 'Basic realm="Clustaar webhook", charset="UTF-8"'
        super().__init__(detail, headers={"WWW-Authenticate": challenge})


class CredentialsInvalid(CredentialsMissing):
    """The user name or the password is wrong."""

    description: str | None = "The user name or the password is wrong."


class SignatureMissing(RequestRejected):
    """The webhook has a private key, and the request has no ``X-Hub-Signature``."""

    description: str | None = (
        "Sign the request with the bot's private key: "
        "the header 'X-Hub-Signature' is missing."
    )


class SignatureMalformed(RequestRejected):
    """``X-Hub-Signature`` is not one ``ALGORITHM=HEX`` of the right length."""

    description: str | None = (
        "The header 'X-Hub-Signature' must be there once, in the form "
        "'sha1=' and 40 hexadecimal digits."
    )


class SignatureAlgorithmRefused(RequestRejected):
    """The algorithm of the signature is not in ``CLUSTAAR_SIGNATURE_ALGORITHMS``."""

    description: str | None = "The algorithm of 'X-Hub-Signature' is not accepted here."


class SignatureInvalid(RequestRejected):
    """The signature was not made of this Date and this body with the private key."""

    code: int | None = 403
    description: str | None = (
        "The signature does not match. Check that the bot and the webhook have the "
        "same private key, and that no proxy rewrites the body or the Date header."
    )


class DateMissing(RequestRejected):
    """The webhook has a private key, and the request has no ``Date``."""

    description: str | None = "The signed header 'Date' is missing."


class DateMalformed(RequestRejected):
    """``Date`` is not one HTTP date."""

    description: str | None = (
        "The header 'Date' must be there once, in the form "
        "'Thu, 13 Sep 2018 11:48:23 GMT'."
    )


class RequestTooOld(RequestRejected):
    """``Date`` is more than ``CLUSTAAR_REQUEST_MAX_AGE`` seconds ago."""

    #: By how many seconds the sender's clock is ahead; negative, as it is behind.
    skew: float | None = None

    description: str | None = "The request was signed too long ago. Check the clocks."


class RequestFromFuture(RequestRejected):
    """``Date`` is more than ``CLUSTAAR_CLOCK_SKEW`` seconds ahead."""

    #: By how many seconds the sender's clock is ahead.
    skew: float | None = None

    title: ClassVar[str] = "Request from the future"
    description: str | None = (
        "The request is dated ahead of this server's clock. Check the clocks."
    )


class DeliveryInProgress(RequestRejected):
    """The same delivery is being handled at this moment."""

    code: int | None = 409
    description: str | None = (
        "The same delivery is being handled. Try again in a moment."
    )

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class ReplayStoreUnavailable(RequestRejected):
    """The replay store cannot be reached or is full, so running once is not certain."""

    code: int | None = 503
    description: str | None = (
        "The delivery cannot be recorded right now. Try again in a moment."
    )

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class InvalidJSON(RequestRejected):
    """The body is not JSON in UTF-8, or has numbers or a depth beyond reason."""

    description: str | None = "The body is not valid JSON."


class InvalidNotification(RequestRejected):
    """The body is JSON, but not an object with a topic (PROTOCOL 3)."""

    description: str | None = "The body is not a notification of the platform."


class NoHandler(ProblemError):
    """No handler matched the notification, and there is no fallback."""

    code: int | None = 404
    description: str | None = "No handler matches this notification."
    #: Why each handler did not match, for the log.
    explanation: Sequence[str] = ()


class HandlerFailed(ProblemError):
    """A handler raised an exception."""

    description: str | None = "A handler of the webhook failed."
    _hint: ClassVar[str] = " The webhook's log has the traceback."

    @classmethod
    def by(cls, handler: Any, exception: BaseException) -> HandlerFailed:
        """Return the problem that *exception* in *handler* is.

        What a handler aborts with, ``abort(503)``, is the status of the answer.
        """
        name = type(exception).__name__
        error = cls(f"The handler '{handler.name}' raised {name}.")
        error.handler = handler
        if isinstance(exception, HTTPException) and exception.code:
            error.code = exception.code
        return error


class InternalError(ProblemError):
    """Something failed between authentication and the reply, outside of a handler."""

    description: str | None = "The webhook failed, outside of a handler."
    _hint: ClassVar[str] = " The webhook's log has the traceback."


class InvalidReply(ProblemError):
    """The reply of the handlers breaks the platform's rules (PROTOCOL 4 and 5)."""

    description: str | None = "The reply of the webhook is invalid, and was not sent."

    @property
    def tree(self) -> dict[str, Any]:
        """The violations as a mirror of the reply, as marshmallow gives them."""
        root: dict[str, Any] = {}
        for path, message in self.violations:
            node = root
            for key in path.split(".") if path else ["_schema"]:
                node = node.setdefault(key, {})
            node.setdefault("", []).append(message)
        tree: dict[str, Any] = _without_wrapping(root)
        return tree


def _without_wrapping(node: dict[str, Any]) -> Any:
    """Turn ``{"title": {"": [sentence]}}`` into ``{"title": [sentence]}``."""
    messages = node.pop("", None)
    children = {key: _without_wrapping(child) for key, child in node.items()}
    if messages and children:
        return children | {"_schema": messages}
    return messages or children


def _leaves(base: type[ProblemError]) -> list[type[ProblemError]]:
    children = [] if base is RequestRejected else [base]
    return children + [leaf for kind in base.__subclasses__() for leaf in _leaves(kind)]


#: Each problem there is, by its ``code``.
PROBLEMS: dict[str, type[ProblemError]] = {
    problem.error_code: problem for problem in _leaves(ProblemError)[1:]
}
