"""A DNS server that says what it was told, over UDP and TCP on loopback.

`zone` maps (name, type) to a list of record texts, or to a word: "NXDOMAIN", "SERVFAIL",
"REFUSED", or "silence". A name that has other types is NODATA, an unknown one NXDOMAIN.
"""
import socket
import struct
import threading

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset


UDP_MAX = 1232


def truncated(wire):
    """Come again by TCP."""
    response = dns.message.make_response(dns.message.from_wire(wire), recursion_available=True)
    response.flags |= dns.flags.TC
    return response.to_wire(max_size=65535)


def sockets():
    """UDP and TCP on one port: one that is free for the first may be taken for the other."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()


class NameServer:
    def __init__(self, zone):
        self.zone = zone
        self.asked = []
        self.udp, self.tcp = sockets()
        self.port = self.udp.getsockname()[1]
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self._serve_udp, self._serve_tcp)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for s in (self.udp, self.tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    @property
    def config(self):
        return f"127.0.0.1:{self.port}"

    def _serve_udp(self):
        while True:
            try:
                wire, client = self.udp.recvfrom(4096)
            except OSError:
                return
            answer = self.answer(wire) if wire else None
            if answer is not None:
                self.udp.sendto(answer if len(answer) <= UDP_MAX else truncated(wire), client)

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as f:
                head = f.read(2)
                if len(head) == 2:
                    answer = self.answer(f.read(struct.unpack("!H", head)[0]))
                    if answer is not None:
                        connection.sendall(struct.pack("!H", len(answer)) + answer)

    def answer(self, wire):
        query = dns.message.from_wire(wire)
        response = dns.message.make_response(query, recursion_available=True)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        for _ in range(30):
            found = self.zone.get((name, kind), self.zone.get((name, "*")))
            alias = self.zone.get((name, "CNAME"))
            if found is None and alias is not None:
                response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "CNAME", *alias))
                name = alias[0].rstrip(".")
                continue
            break
        if found == "silence":
            return None
        if isinstance(found, str):
            response.set_rcode(dns.rcode.from_text(found))
        elif found:
            response.answer.append(dns.rrset.from_text(name + ".", 60, "IN", kind, *found))
        elif found is None and not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire(max_size=65535)
