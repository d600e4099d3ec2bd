"""What an HTTP request asks for: service, action, account, region; and that service's own way to say no."""

import json
import re
import uuid
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from moto.core.request import Request
from moto.core.routing import NotFound, get_service_router

from . import accounts

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]*)/([^/]+)/aws4_request")
_ELB_CLASSIC_VERSION = "2012-06-01"
_REST_SERVICES = ("s3", "route53")
_TOKEN_OF_FORM = re.compile(rb"(?:^|&)ClientToken=[^&]*")
_TOKEN_OF_XML = re.compile(rb"<CallerReference>[^<]*</CallerReference>")
_READ = re.compile(r"Assume|Decode|Describe|Get|GET |Head|HEAD |List|Lookup|Search|Simulate|Test")


@dataclass
class Answer:
    """A whole HTTP response."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    # The connection ends in the middle of the body.
    breaks_off: bool = False

    def without_header(self, *names: str) -> list[tuple[str, str]]:
        return [(key, value) for key, value in self.headers if key.lower() not in names]


@dataclass
class Call:
    """One AWS API call as its client meant it. `service` is the client's name for it: ec2, elbv2, autoscaling, ..."""

    service: str
    action: str
    account: str
    region: str
    access_key: str
    environ: dict
    body: bytes
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def changes(self) -> bool:
        """Whether the call changes anything, going by its action's name."""
        return not _READ.match(self.action)

    def request(self) -> tuple:
        """What makes a request distinct. A repeated one may have another token; a written object, other content."""
        body = b"" if self.service == "s3" else _TOKEN_OF_XML.sub(b"", _TOKEN_OF_FORM.sub(b"", self.body))
        path, query = self.environ["PATH_INFO"], self.environ.get("QUERY_STRING", "")
        return self.service, self.action, self.region, path, query, body

    def error(self, code: str, message: str, status: int = 400) -> Answer:
        """The error as this call's service and protocol would write it."""
        return _error_answer(self, code, message, status)


def identify(environ: dict, body: bytes) -> Call | None:
    """The call behind an HTTP request; None when nothing says which account signed it for which service."""
    scope = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", "")) or _CREDENTIAL.search(
        "Credential=" + parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    )
    if scope is None:
        return None
    access_key, region, signing_name = scope.groups()
    service, action = _service_and_action(signing_name.lower(), environ, body)
    return Call(
        service=service,
        action=action,
        account=accounts.account_of(access_key),
        region=region,
        access_key=access_key,
        environ=environ,
        body=body,
    )


def _service_and_action(signing_name: str, environ: dict, body: bytes) -> tuple[str, str]:
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return signing_name, target.rsplit(".", 1)[-1]
    if signing_name in _REST_SERVICES:
        return signing_name, _rest_action(signing_name, environ)
    form = body.decode("utf-8", "replace") if body else environ.get("QUERY_STRING", "")
    action = re.search(r"(?:^|&)Action=([^&]*)", form)
    if signing_name == "elasticloadbalancing":
        signing_name = "elb" if f"Version={_ELB_CLASSIC_VERSION}" in form else "elbv2"
    return signing_name, unquote(action.group(1)) if action else _path_action(environ)


def _rest_action(service: str, environ: dict) -> str:
    try:
        operation, _ = get_service_router(service).match(Request(environ, populate_request=False))
    except NotFound:
        return _path_action(environ)
    return operation.name


def _path_action(environ: dict) -> str:
    return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def _error_answer(call: Call, code: str, message: str, status: int) -> Answer:
    request_id = call.request_id
    if call.environ.get("HTTP_X_AMZ_TARGET"):
        body = json.dumps({"__type": code, "message": message})
        headers = [
            ("Content-Type", "application/x-amz-json-1.1"),
            ("x-amzn-ErrorType", code),
            ("x-amzn-RequestId", request_id),
        ]
        return Answer(status, headers, body.encode())
    detail = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    request_id_header = "x-amzn-RequestId"
    if call.service == "ec2":
        xml = f"<Response><Errors><Error>{detail}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    elif call.service == "s3":
        request_id_header = "x-amz-request-id"
        xml = f"<Error>{detail}<RequestId>{request_id}</RequestId><HostId>emulator</HostId></Error>"
    else:
        fault = "Receiver" if status >= 500 else "Sender"
        xml = (
            f"<ErrorResponse><Error><Type>{fault}</Type>{detail}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n' + xml.encode()
    return Answer(status, [("Content-Type", "text/xml"), (request_id_header, request_id)], body)


_ERROR_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_ERROR_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")


def error_in(answer: Answer) -> tuple[str | None, str | None]:
    """The error code and message that an answer carries, in whatever protocol."""
    if answer.status < 300:
        return None, None
    if answer.body[:1] == b"{":
        try:
            document = json.loads(answer.body)
        except ValueError:
            return None, None
        code = str(document.get("__type", "")).rsplit("#", 1)[-1]
        return code or None, document.get("message") or document.get("Message")
    code = _ERROR_CODE.search(answer.body)
    message = _ERROR_MESSAGE.search(answer.body)
    return (
        code.group(1).decode() if code else None,
        message.group(1).decode("utf-8", "replace") if message else None,
    )
