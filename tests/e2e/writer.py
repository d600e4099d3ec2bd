"""Writes to the cluster through its load balancer, all the time, and remembers every write that was acknowledged."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time

from .waiting import check

NAMESPACE = "writes"


class Writer:
    """Makes ConfigMaps with ever new names. A name whose answer was lost is not used again, and not counted."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.acknowledged = []
        self.gaps = []
        self.failures = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.write_until_stopped, daemon=True)

    def __enter__(self):
        with contextlib.suppress(Exception):
            self.cluster.kubectl("create", "namespace", NAMESPACE)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(30)

    def write_until_stopped(self):
        connection, number, last = None, 0, time.monotonic()
        while not self.stopped.is_set():
            number += 1
            name = f"w{id(self) % 10000}-{number}"
            try:
                connection = connection or self.connect()
                if self.write(connection, name):
                    self.acknowledged.append(name)
                    now = time.monotonic()
                    self.gaps.append((now - last, now))
                    last = now
                else:
                    self.failures += 1
                    self.stopped.wait(0.1)
            except (OSError, http.client.HTTPException):
                self.failures += 1
                if connection:
                    connection.close()
                connection = None
                self.stopped.wait(0.1)
            self.stopped.wait(0.02)
        if connection:
            connection.close()

    def connect(self):
        name, address = self.cluster.balancer()
        context = ssl.create_default_context(cafile=str(self.cluster.directory / "ca.crt"))
        context.load_cert_chain(*self.cluster.certificate)
        connection = http.client.HTTPSConnection(name, 6443, timeout=5, context=context)
        # The name is one of the lab's: it is for the certificate, the address for the way.
        connection.sock = context.wrap_socket(socket.create_connection((address, 6443), timeout=5), server_hostname=name)
        return connection

    def write(self, connection, name):
        body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"time": str(time.time())}})
        connection.request("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status == 201

    def count(self):
        return len(self.acknowledged)

    def longest_gap(self, since=0.0):
        """The longest time without an acknowledged write that ended after the given moment."""
        return max((gap for gap, end in self.gaps if end >= since), default=0.0)

    def present(self):
        """Names that the cluster has."""
        names = self.cluster.kubectl("--namespace", NAMESPACE, "get", "configmaps", "--output", "name").split()
        return {name.removeprefix("configmap/") for name in names}

    def check_nothing_lost(self):
        present = self.present()
        lost = [name for name in self.acknowledged if name not in present]
        check(self.acknowledged, "the writer wrote nothing")
        check(not lost, f"{len(lost)} of {self.count()} acknowledged writes are lost, the first: {lost[:3]}")
        return f"{self.count()} of {self.count()} acknowledged writes present"
