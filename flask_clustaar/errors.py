"""All exceptions and warnings of this package.

:class:`ClustaarError` is the base class of the exceptions. Exceptions that become HTTP
responses derive from :class:`ProblemError`, which is also a Werkzeug exception. So
``@app.errorhandler(SignatureInvalid)`` works.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response


class ClustaarError(Exception):
    """Base class of all exceptions of this package."""


class ConfigurationError(ClustaarError, RuntimeError):
    """A setting, a handler or a filter is invalid. Raised when the program starts."""


class InsecureWebhookWarning(UserWarning):
    """A webhook is configured with neither a private key nor credentials."""


class ConfigurationWarning(UserWarning):
    """A setting is probably wrong, for example misspelt."""


class AsyncHandlerWarning(UserWarning):
    """A handler is ``async def``, and the server cannot run it."""


class ReplayStoreError(ClustaarError):
    """A replay store is full or cannot be reached."""


class InvalidJob(ClustaarError, ValueError):
    """A worker got an invalid job, or a job of an unknown task."""


class Violation(NamedTuple):
    """One mistake in a document, and its place."""

    #: Dotted path into the document, such as ``actions.0.buttons.1.title``; empty for
    #: the document itself.
    path: str
    #: A sentence that says what is wrong.
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


#: The page of the documentation that has a section for each problem.
PROBLEM_PAGE: Final = (
    "https://flask-clustaar.readthedocs.io/en/stable/reference/errors.html"
)

#: A word in the name of a class: ``JSON`` and ``Invalid`` in ``InvalidJSON``.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+")


class ProblemError(ClustaarError, HTTPException):
    """An error that becomes the response, as ``application/problem+json`` (RFC 9457).

    :param detail: a sentence that explains the problem to the developer. It must not
        contain secrets, expected values, or parts of the request's body.
    :param violations: the mistakes in the document, with their paths.
    :param headers: HTTP headers to add to the response.
    """

    #: The HTTP status of the response.
    code: int | None = 500
    #: The stable name of the problem: the name of the class in snake case. It is
    #: ``code`` in the response body.
    error_code: ClassVar[str] = "error"
    #: A short, stable description. Default: the name of the class as words.
    title: ClassVar[str] = "Error"
    #: The default of *detail*.
    description: str | None = None
    #: Added to the detail in the response, but not in the log.
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
        #: More members of the problem body, for development.
        self.extra: dict[str, Any] = {}
        #: The handler that caused the error, if one did.
        self.handler: Any = None

    @property
    def status(self) -> int:
        """The HTTP status of the response."""
        return self.code or 500

    @property
    def cause(self) -> BaseException:
        """The exception that caused the problem; without one, the problem itself."""
        return self.__cause__ or self

    def __str__(self) -> str:
        return "\n".join([f"{self.description}", *map(str, self.shown_violations)])

    @property
    def shown_violations(self) -> list[Violation]:
        """The first hundred violations, and a note of how many more there are."""
        more = len(self.violations) - 100
        shown = list(self.violations[:100])
        return [*shown, Violation("", f"And {more} more.")] if more > 0 else shown

    def problem(self) -> dict[str, Any]:
        """Return the body of the response, as a dict."""
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
    """The body is larger than ``CLUSTAAR_MAX_CONTENT_LENGTH`` bytes."""

    code: int | None = 413
    description: str | None = "The body is larger than this webhook accepts."


class LengthRequired(RequestRejected):
    """The request has no ``Content-Length``, and the server does not decode chunks."""

    code: int | None = 411
    description: str | None = (
        "The request has no 'Content-Length', and the WSGI server does not say where a "
        "chunked body ends ('wsgi.input_terminated'). Send 'Content-Length', or put a "
        "reverse proxy that buffers requests in front of the server."
    )


class BodyIncomplete(RequestRejected):
    """The connection ended before the whole body arrived."""

    description: str | None = "The body is shorter than its 'Content-Length'."


class UnsupportedContent(RequestRejected):
    """The ``Content-Type`` is not JSON, or the body is compressed."""

    code: int | None = 415
    description: str | None = (
        "Send the notification as 'application/json', without compression."
    )


class CredentialsMissing(RequestRejected):
    """A user name and a password are required, but ``Authorization`` is missing."""

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
    """A signature is required, but the header ``X-Hub-Signature`` is missing."""

    description: str | None = (
        "Sign the request with the bot's private key: "
        "the header 'X-Hub-Signature' is missing."
    )


class SignatureMalformed(RequestRejected):
    """The header ``X-Hub-Signature`` is malformed, or occurs more than once."""

    description: str | None = (
        "The request must have exactly one header 'X-Hub-Signature': 'sha1=' and 40 "
        "hexadecimal digits."
    )


class SignatureAlgorithmRefused(RequestRejected):
    """The algorithm of the signature is not in ``CLUSTAAR_SIGNATURE_ALGORITHMS``."""

    description: str | None = "The algorithm of 'X-Hub-Signature' is not accepted here."


class SignatureInvalid(RequestRejected):
    """The signature does not match the date, the body and any private key."""

    code: int | None = 403
    description: str | None = (
        "The signature does not match. Check that the bot and the webhook have the "
        "same private key, and that no proxy rewrites the body or the Date header."
    )


class DateMissing(RequestRejected):
    """A signature is required, but the header ``Date`` is missing."""

    description: str | None = "The signed header 'Date' is missing."


class DateMalformed(RequestRejected):
    """The header ``Date`` is not a date of HTTP, or occurs more than once."""

    description: str | None = (
        "The request must have exactly one header 'Date', such as "
        "'Thu, 13 Sep 2018 11:48:23 GMT'."
    )


class RequestTooOld(RequestRejected):
    """The request was signed more than ``CLUSTAAR_REQUEST_MAX_AGE`` seconds ago."""

    #: The sender's clock minus this server's clock, in seconds; negative.
    skew: float | None = None

    description: str | None = "The request was signed too long ago. Check the clocks."


class RequestFromFuture(RequestRejected):
    """The request is dated more than ``CLUSTAAR_CLOCK_SKEW`` seconds in the future."""

    #: The sender's clock minus this server's clock, in seconds.
    skew: float | None = None

    title: ClassVar[str] = "Request from the future"
    description: str | None = (
        "The date of the request is in the future. Check the clocks."
    )


class DeliveryInProgress(RequestRejected):
    """The same delivery is being handled right now."""

    code: int | None = 409
    description: str | None = (
        "The same delivery is being handled. Try again in a moment."
    )

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class ReplayStoreUnavailable(RequestRejected):
    """The replay store is full or fails, so the delivery cannot be recorded."""

    code: int | None = 503
    description: str | None = (
        "The delivery cannot be recorded right now. Try again in a moment."
    )

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class InvalidJSON(RequestRejected):
    """The body is not JSON in UTF-8, is nested too deeply, or has an invalid number.

    Invalid numbers are infinite, NaN or thousands of digits long.
    """

    description: str | None = "The body is not valid JSON."


class InvalidNotification(RequestRejected):
    """The body is JSON, but not an object with a topic (PROTOCOL 3)."""

    description: str | None = "The body is not a notification of the platform."


class NoHandler(ProblemError):
    """No handler matched the notification, and there is no fallback."""

    code: int | None = 404
    description: str | None = "No handler matches this notification."
    #: Why each handler did not match, as lines for the log.
    explanation: Sequence[str] = ()


class HandlerFailed(ProblemError):
    """A handler or a filter raised an exception."""

    description: str | None = "A handler of the webhook raised an exception."
    _hint: ClassVar[str] = " The webhook's log has the traceback."

    @classmethod
    def by(cls, handler: Any, exception: BaseException) -> HandlerFailed:
        """Return the problem for an exception that a handler raised.

        If it is an HTTP exception, as after ``abort(503)``, its status is used.
        """
        name = type(exception).__name__
        error = cls(f"The handler '{handler.name}' raised {name}.")
        error.handler = handler
        if isinstance(exception, HTTPException) and exception.code:
            error.code = exception.code
        return error


class HandlerLate(ProblemError):
    """A handler did not answer within its deadline, and no late handler answered."""

    code: int | None = 503
    description: str | None = "A handler of the webhook did not answer in time."
    #: ``"timeout"``, or ``"busy"`` if the handler did not run because no thread was
    #: free for it.
    reason: str = "timeout"

    @classmethod
    def of(cls, handler: Any, seconds: float, reason: str) -> HandlerLate:
        """Return the problem that *handler* is late with a deadline of *seconds*."""
        if reason == "busy":
            detail = (
                f"The handler '{handler.name}' did not run: no thread was free for it."
            )
        else:
            detail = (
                f"The handler '{handler.name}' did not answer within {seconds:g} s."
            )
        error = cls(detail)
        error.handler, error.reason = handler, reason
        return error


class BackgroundUnavailable(ProblemError):
    """The engine for background work did not accept a job."""

    code: int | None = 503
    description: str | None = "The background work cannot be submitted right now."
    _hint: ClassVar[str] = " The webhook's log has the traceback."

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class InternalError(ProblemError):
    """Something failed after authentication, outside of handlers and filters."""

    description: str | None = "The webhook raised an exception outside of handlers."
    _hint: ClassVar[str] = " The webhook's log has the traceback."


class InvalidReply(ProblemError):
    """The reply breaks the platform's rules (PROTOCOL 4), so it was not sent."""

    description: str | None = "The reply of the webhook is invalid, and was not sent."
    #: The exception that an error handler answered with the reply, if one did.
    answered: BaseException | None = None

    @property
    def cause(self) -> BaseException:
        """The problem itself, which says more than what it was raised from."""
        return self

    @property
    def tree(self) -> dict[str, Any]:
        """The violations in the structure of the reply, as marshmallow reports them."""
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


#: All problems, by ``code``.
PROBLEMS: dict[str, type[ProblemError]] = {
    problem.error_code: problem for problem in _leaves(ProblemError)[1:]
}
