"""An HTTPS server of the tests' own, that answers as it is told: whole bytes, no framework."""
import re
import socket
import ssl
import threading
import time


def answer(body=b"", status=b"200 OK", kind=b"text/plain", fields=b""):
    kind = b"Content-Type: " + kind + b"\r\n" if kind is not None else b""
    return (b"HTTP/1.1 " + status + b"\r\n" + kind + fields
            + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)


class PolicyHost:
    """`reply` is what is sent to each request: bytes, or a function that is given the
    connection. `requests` are the request headers. `pair` None: in clear."""

    def __init__(self, pair, reply, host="127.0.0.1", port=0):
        self.context = None
        if pair is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*pair)
        self.reply = reply
        self.requests = []
        self.listener = socket.create_server((host, port), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        try:
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    part = connection.recv(65536)
                    if not part:
                        return
                    head += part
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                missing = int(length[1]) if length else 0
                while len(head) < head.index(b"\r\n\r\n") + 4 + missing:
                    part = connection.recv(65536)
                    if not part:
                        return
                    head += part
                self.requests.append(head)
                if callable(self.reply):
                    self.reply(connection)
                else:
                    connection.sendall(self.reply)
        except OSError:
            pass


def drip(connection):
    """A byte now and then, without end: until the other side goes."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.01)


def flood(connection):
    """A body without end and without a length."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        connection.sendall(b"mx: a.test\n" * 1000)
