"""What a request means: which method answers it, and what becomes of its body.

The second step of a transaction begins here. A body is taken in by whoever answers the method; one
that nobody wants, or that is refused while it arrives, is not read to its end.
"""

from __future__ import annotations

from http import HTTPStatus

from servers.answers import Answer, refusal, text
from servers.connection import Connection
from servers.http1 import BadRequest, Body, Request, ResponseHead, find
from servers.methods import Intake, Later, Methods
from servers.transaction import Transaction
from testbed.node import Effect, LinkId, Send

#: An interim answer that the language's table of statuses does not have yet.
UPLOAD_RESUMPTION_SUPPORTED = 104


class Interpreter:
    """Dispatches by method.

    Args:
      methods: Who answers GET, PUT and so on; OPTIONS is answered here.
    """

    def __init__(self, methods: Methods) -> None:
        self._methods = methods
        self._allow = (("Allow", ", ".join(dict.fromkeys([*methods, "OPTIONS"]))),)

    def outcome(self, transaction: Transaction, now: float) -> Answer | Later:
        """Have a whole request answered, or one whose body is refused."""
        request = transaction.request
        if transaction.answer is not None:
            return transaction.answer
        if isinstance(request, BadRequest):
            return refusal(request)
        outcome = transaction.intake or self._begin(request, now)
        return outcome.end(now) if isinstance(outcome, Intake) else outcome

    def _begin(self, request: Request, now: float) -> Answer | Later | Intake:
        method = self._methods.get(request.method)
        if method is not None:
            return method.begin(request, now)
        if request.method == "OPTIONS":
            return Answer(HTTPStatus.NO_CONTENT, self._allow)
        return text(HTTPStatus.METHOD_NOT_ALLOWED, f"only {self._allow[0][1]}", self._allow)

    # --- Bodies -----------------------------------------------------------------------------

    def begin_body(
        self, connection: Connection, transaction: Transaction, request: Request, now: float
    ) -> None:
        """Look at a request whose body is on its way."""
        outcome = self._begin(request, now)
        transaction.is_whole = False
        if isinstance(outcome, Intake):
            transaction.intake = outcome
            connection.taking = transaction
        else:
            # Not read: where the next request begins is not worth all that comes before it.
            transaction.answer = outcome
            connection.refusing = True

    def take_body(self, connection: Connection, body: Body, now: float) -> bool:
        """Take a part of a body in; gives whether the rest is refused, and an answer due."""
        transaction = connection.taking
        if transaction is None or transaction.intake is None:
            return False
        transaction.body_bytes += body.payload_bytes
        connection.active_at = now
        transaction.answer = transaction.intake.take(body.payload, now)
        if transaction.answer is None:
            return False
        connection.taking = None
        connection.refusing = True
        return True

    def abandon_body(self, connection: Connection) -> None:
        """Give up a body that will never be whole, and the request with it."""
        transaction, connection.taking = connection.taking, None
        if transaction is not None and transaction.intake is not None:
            transaction.intake.abandon()
            connection.queue.remove(transaction)


def tell_to_continue(link: LinkId, transaction: Transaction, out: list[Effect]) -> None:
    """Tell a client that waits for it, once: now its turn has come, and nothing else is being sent."""
    request = transaction.request
    if transaction.status or not isinstance(request, Request):
        return
    interim = getattr(transaction.intake, "interim", ())
    if interim:  # Where an upload can be resumed (draft-ietf-httpbis-resumable-upload, section 4.2.2).
        transaction.status = UPLOAD_RESUMPTION_SUPPORTED
        out.append(Send(link, ResponseHead(UPLOAD_RESUMPTION_SUPPORTED, interim)))
    if find(request.headers, "expect") is not None:
        transaction.status = HTTPStatus.CONTINUE
        out.append(Send(link, ResponseHead(HTTPStatus.CONTINUE)))
