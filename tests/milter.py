"""A milter that speaks the raw protocol and does as it is told.

`Milter(script)` serves on a port of its own (or a path). For each command the script is
called as script(session, command, data) and returns the packets to answer with: a list of
bytes objects (reply octet and data), or None for the usual "continue"; "close" closes the
connection, "hang" answers nothing, bytes go out raw.
"""
import os
import socket
import struct
import threading

VERSION, ACTIONS, PROTOCOL = 6, 0x1ff, 0x1fffff
NO = {"C": 0x1, "H": 0x2, "M": 0x4, "R": 0x8, "B": 0x10, "L": 0x20, "N": 0x40, "T": 0x200}
MUTE = {"L": 0x80, "C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000,
        "N": 0x40000, "B": 0x80000}
SKIP, EXACT = 0x400, 0x100000


def packet(data):
    return struct.pack(">I", len(data)) + data


def header(kind, name, value, index=None):
    number = b"" if index is None else struct.pack(">I", index)
    return kind.encode() + number + name.encode() + b"\0" + value.encode() + b"\0"


class Session:
    """One connection: what was said on it."""

    def __init__(self):
        self.options = None
        self.commands = []          # (command, data), macros left out
        self.macros = {}            # command -> {name: value}, the last of each

    def said(self, command):
        return [data for c, data in self.commands if c == command]

    def headers(self):
        return [tuple(data.decode().split("\0")[:2]) for data in self.said("L")]

    def body(self):
        return b"".join(self.said("B"))


class Milter:
    def __init__(self, script=None, actions=ACTIONS, protocol=0, version=VERSION, names=(),
                 path=None):
        self.script = script or (lambda session, command, data: None)
        self.actions, self.protocol, self.version = actions, protocol, version
        self.names = names          # (stage, "macro names")
        self.sessions = []
        self.lock = threading.Lock()
        self.connections = set()
        self.closing = False
        if path is None:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.socket = "127.0.0.1:%d" % self.listener.getsockname()[1]
        else:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(128)
            self.socket = path
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closing = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            for c in self.connections:
                try:
                    c.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        self.thread.join(10)

    def _serve(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            session = Session()
            with self.lock:
                self.connections.add(connection)
                self.sessions.append(session)
            threading.Thread(target=self._talk, args=(connection, session),
                             daemon=True).start()

    def _talk(self, connection, session):
        try:
            with connection, connection.makefile("rb") as stream:
                while self._step(connection, stream, session):
                    pass
        except OSError:
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)

    def _step(self, connection, stream, session):
        head = stream.read(4)
        if len(head) < 4:
            return False
        data = stream.read(struct.unpack(">I", head)[0])
        command, data = chr(data[0]), data[1:]
        if command == "D":
            parts = data[1:].decode("utf-8", "replace").split("\0")[:-1]
            session.macros[chr(data[0])] = dict(zip(parts[::2], parts[1::2]))
            return True
        session.commands.append((command, data))
        if command == "O":
            session.options = struct.unpack(">III", data)
        answer = self.script(session, command, data)
        if answer is None:
            answer = self._usual(command)
        if answer == "close":
            return False
        if answer == "hang":
            return stream.read(1) != b"" and False
        if isinstance(answer, bytes):
            connection.sendall(answer)
        else:
            connection.sendall(b"".join(packet(one) for one in answer))
        return command not in "Q"

    def _usual(self, command):
        if command == "O":
            names = b"".join(struct.pack(">I", stage) + text.encode() + b"\0"
                             for stage, text in self.names)
            return [b"O" + struct.pack(">III", self.version, self.actions, self.protocol)
                    + names]
        if command in "AQK" or self.protocol & MUTE.get(command, 0):
            return []
        return [b"c"]


def at_end(*edits, answer=b"c"):
    """A script that edits at the end of the message."""
    return lambda session, command, data: [*edits, answer] if command == "E" else None


def at(command, *answers):
    return lambda session, c, data: list(answers) if c == command else None


def remove(path):
    if os.path.exists(path):
        os.unlink(path)
