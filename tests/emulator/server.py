"""How one HTTP request is answered: control API, or credentials, faults, moto, and the call log.

HTTP/1.1 with keep-alive, a thread per connection. werkzeug's handler, which moto's server uses, closes each connection
after one answer because it may leave part of a request unread; here every request body is read to its end first.
"""

import io
import socketserver
import sys
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import ThreadingHTTPServer

from botocore.model import OperationNotFoundError
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import DechunkedInput

from . import accounts, calls, corrections, identity, later
from .calllog import CallLog
from .calls import Answer, Call
from .connection import Connection
from .control import CONTROL_PREFIX, Control
from .corrections import capacity, listings
from .faults import Disturbance, Faults, Refused, Unanswered


class Emulator:
    """The whole of AWS behind one loopback port."""

    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.log = CallLog()
        self.faults = Faults()
        self.locks = accounts.AccountLocks()
        self.control = Control(self)
        capacity.launch_fault = self.faults.of_launch
        listings.hidden = self.faults.hidden

    def serve(self, environ: dict, body: bytes, connection: Connection, write: Callable[[Answer], None]) -> None:
        """Answers a request through `write`; raises Unanswered when a fault takes the answer away."""
        if environ["PATH_INFO"].startswith(CONTROL_PREFIX):
            return write(self.control.answer(environ, body))
        call = calls.identify(environ, body)
        if call is None:
            return write(_unsigned(environ))
        entry = self.log.begin(call)
        refusal = identity.refusal(call)
        disturbance = Refused(refusal, None) if refusal else self.faults.disturbance(call, connection)
        entry["fault"] = disturbance.name
        try:
            answer = self._answer(call, disturbance)
        except Unanswered:
            self.log.end(entry, None, None, None)
            raise
        self.log.end(entry, answer.status, *calls.error_in(answer))
        write(answer)
        disturbance.at("answered", call)

    def _answer(self, call: Call, disturbance: Disturbance) -> Answer:
        disturbance.wait()
        answer = disturbance.at("before", call)
        if answer is None:
            with self.locks.lock(call.account, call.service):
                if call.service != "s3":  # which is locked by itself, and where nothing takes time
                    later.settle(call.account)
                answer = self.perform(call)
            self.faults.learn(call, answer)
            answer = disturbance.at("after", call, answer) or answer
        return answer

    def perform(self, call: Call) -> Answer:
        """The call's effect and answer, without log, faults and credentials."""
        environ = dict(call.environ)
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.account
        environ["CONTENT_LENGTH"] = str(len(call.body))
        environ["wsgi.input"] = io.BytesIO(call.body)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        try:
            refusal = corrections.refusal(call)
            if refusal:
                return refusal
            answer = _wsgi_answer(self.moto, environ)
        except (NotImplementedError, OperationNotFoundError) as error:
            return call.error("NotImplemented", f"{call.service}:{call.action}: {error}", 501)
        except Exception as error:
            # 501, not 500: clients retry a 500, and would hide the defect behind their own patience.
            traceback.print_exc(file=sys.stderr)
            return call.error("EmulatorDefect", f"{call.service}:{call.action}: {error!r}", 501)
        return _with_request_id(call, answer)


def _wsgi_answer(application, environ: dict) -> Answer:
    started = []

    def start_response(status, headers, exc_info=None):
        started[:] = [int(status.split(" ", 1)[0]), headers]

    chunks = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return Answer(started[0], list(started[1]), body)


# What moto adds for browsers and for its own use; and a checksum of the body before its request id was set.
_HEADERS_OF_MOTO = ("access-control-allow-origin", "server", "status", "x-amz-crc32")


def _with_request_id(call: Call, answer: Answer) -> Answer:
    """AWS names every request in a header; moto does so in some services and in others writes a constant."""
    name = "x-amz-request-id" if call.service == "s3" else "x-amzn-RequestId"
    answer.headers = answer.without_header("x-amz-request-id", "x-amzn-requestid", *_HEADERS_OF_MOTO)
    answer.headers.append((name, call.request_id))
    if answer.body[:1] == b"<":
        answer.body = corrections.REQUEST_ID_ELEMENT.sub(
            lambda match: match.group(1) + call.request_id.encode() + match.group(2), answer.body
        )
    return answer


def _unsigned(environ: dict) -> Answer:
    call = Call("sts", "", "", "", "", environ, b"")
    return call.error(
        "MissingAuthenticationToken", "Request is missing Authentication Token: sign it, with any secret.", 403
    )


class RequestHandler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head and the body of an answer leave in one write; without this the kernel may still hold it back.
    disable_nagle_algorithm = True

    def run_wsgi(self):
        environ = self.make_environ()
        if environ.get("HTTP_EXPECT", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._read_body(environ)
        try:
            self.server.emulator.serve(
                environ, body, Connection(self.connection), lambda answer: self._write(environ, answer)
            )
        except Unanswered:
            self.close_connection = True

    def handle_expect_100(self):
        # run_wsgi answers the expectation, once the request is known to have a body.
        return True

    def _read_body(self, environ: dict) -> bytes:
        if isinstance(environ["wsgi.input"], DechunkedInput):
            return io.BufferedReader(environ["wsgi.input"]).read()
        length = int(environ.get("CONTENT_LENGTH") or 0)
        return self.rfile.read(length) if length else b""

    def _write(self, environ: dict, answer: Answer) -> None:
        has_body = environ["REQUEST_METHOD"] != "HEAD" and answer.status not in (204, 304)
        headers = answer.without_header("connection", "transfer-encoding", "date")
        if has_body or answer.status in (204, 304):
            headers = [header for header in headers if header[0].lower() != "content-length"]
        if has_body:
            headers.append(("Content-Length", str(len(answer.body))))
        elif not any(key.lower() == "content-length" for key, _ in headers) and answer.status != 204:
            headers.append(("Content-Length", "0"))
        headers.append(("Date", self.date_time_string()))
        if self.close_connection:
            headers.append(("Connection", "close"))
        reason = HTTPStatus(answer.status).phrase
        head = f"HTTP/1.1 {answer.status} {reason}\r\n"
        head += "".join(f"{key}: {value}\r\n" for key, value in headers)
        body = answer.body if has_body else b""
        if answer.breaks_off:
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(head.encode("latin-1", "replace") + b"\r\n" + body)


class HTTPServer(ThreadingHTTPServer):
    """On 127.0.0.1 only: whoever can reach the port can do anything to every emulated account."""

    daemon_threads = True
    request_queue_size = 512
    # What werkzeug's request handler asks of its server.
    ssl_context = None
    multithread = True
    multiprocess = False
    _server_version = "emulator"

    def __init__(self, port: int, emulator: Emulator):
        self.emulator = emulator
        super().__init__(("127.0.0.1", port), RequestHandler)

    def server_bind(self):
        # http.server looks up the host's full name here, which may ask a name server.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address

    def handle_error(self, request, client_address):
        # A client that goes away in the middle (a test kills kclust) is no fault of the emulator.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)
