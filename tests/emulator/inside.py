"""AWS calls that the emulator makes to itself: past the log, the faults and the credentials."""

import io

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from moto.core.request import Request

from . import accounts, calls

_session = boto3.Session(aws_access_key_id="unused", aws_secret_access_key="unused")


class Client:
    """boto3 clients of one account whose requests never leave the process."""

    def __init__(self, emulator, account: str, region: str):
        self._emulator = emulator
        self.account = account
        self.region = region
        self._clients = {}

    def __getattr__(self, service: str):
        if service not in self._clients:
            self._clients[service] = self._new(service)
        return self._clients[service]

    def _new(self, service: str):
        client = _session.client(
            service,
            region_name=self.region,
            endpoint_url="http://127.0.0.1",
            aws_access_key_id=accounts.access_key_of(self.account),
            aws_secret_access_key="unused",
            config=Config(retries={"max_attempts": 0}),
        )
        client.meta.events.register("before-send.*", self._answer)
        return client

    def _answer(self, request, **kwargs) -> AWSResponse:
        body = request.body or b""
        if isinstance(body, str):
            body = body.encode()
        elif hasattr(body, "read"):
            body = body.read()
        environ = Request.from_primitives(request.method, request.url, request.headers, body).environ
        answer = self._emulator.perform(calls.identify(environ, body))
        return AWSResponse(request.url, answer.status, dict(answer.headers), _Raw(answer.body))


class _Raw(io.BytesIO):
    """What botocore reads an answer's body from."""

    def stream(self, **kwargs):
        yield self.read()
