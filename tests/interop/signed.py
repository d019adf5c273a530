"""A signed zone, signed.test, for the tests' DNS server (RFC 4034 3 and 4, RFC 4035 3.1).

Every name of it is signed by one key; the whole chain of NSEC records proves what is not
there. Some of its names are spoilt on purpose: see SPOILT.
"""
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives.asymmetric import ec

from nameserver import NameServer

APEX = dns.name.from_text("signed.test")
TTL, DAY = 60, 86400
# What is wrong with the signature of a name's records.
SPOILT = {"broken", "expired", "future", "stripped"}


class SignedServer(NameServer):
    """`zone` as for NameServer; what lies in signed.test is signed. `delegated` are names
    in it where a zone begins that is not."""

    def __init__(self, zone, delegated=()):
        base = {("signed.test", "SOA"): ["ns.signed.test. h.signed.test. 1 60 60 60 60"],
                ("signed.test", "NS"): ["ns.signed.test."], ("ns.signed.test", "A"): ["192.0.2.1"]}
        super().__init__({**base, **zone})
        self.delegated = {dns.name.from_text(name) for name in delegated}
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.dnskey = dns.dnssec.make_dnskey(self.key.public_key(), "ECDSAP256SHA256",
                                             dns.dnssec.Flag.ZONE | dns.dnssec.Flag.SEP)
        self.zone["signed.test", "DNSKEY"] = [self.dnskey.to_text()]

    def anchor(self):
        ds = dns.dnssec.make_ds(APEX, self.dnskey, "SHA256")
        return f"signed.test. IN DS {ds.to_text()}\n"

    def in_child(self, name):
        return any(name.is_subdomain(cut) for cut in self.delegated)

    def sign(self, section, rrset):
        spoil = SPOILT & {label.decode() for label in rrset.name.labels}
        if rrset.rdtype == dns.rdatatype.NSEC:
            spoil = set()               # it stands in proofs about other names too
        if "stripped" in spoil:
            return
        now = time.time()
        begin, end = now - DAY, now + DAY
        if "expired" in spoil:
            begin, end = now - 9 * DAY, now - 2 * DAY
        if "future" in spoil:
            begin, end = now + 2 * DAY, now + 9 * DAY
        rrsig = dns.dnssec.sign(rrset, self.key, APEX, self.dnskey, inception=begin,
                                expiration=end)
        if "broken" in spoil:
            rrsig = rrsig.replace(signature=rrsig.signature[:-1]
                                  + bytes([rrsig.signature[-1] ^ 1]))
        section.append(dns.rrset.from_rdata(rrset.name, TTL, rrsig))

    def chain(self):
        """Every NSEC record of the zone: who reads them knows all that is in it."""
        kinds = {}
        for name, kind in self.zone:
            owner = dns.name.from_text(name)
            if owner.is_subdomain(APEX) and not (self.in_child(owner)
                                                 and owner not in self.delegated):
                kinds.setdefault(owner, set()).add(kind)
        for cut in self.delegated:
            kinds[cut] = {"NS"}
        names = sorted(kinds)
        for i, owner in enumerate(names):
            types = " ".join(sorted((kinds[owner] - {"*"}) | {"RRSIG", "NSEC"}))
            yield dns.rrset.from_text(owner, TTL, "IN", "NSEC",
                                      f"{names[(i + 1) % len(names)]} {types}")

    def answer(self, wire):
        query = dns.message.from_wire(wire)
        plain = super().answer(wire)
        question = query.question[0]
        if plain is None or not query.ednsflags & dns.flags.DO:
            return plain
        response = dns.message.from_wire(plain)
        response.use_edns(0, dns.flags.DO, 4096)
        name = question.name
        is_ds_of_cut = name in self.delegated and question.rdtype == dns.rdatatype.DS
        if not name.is_subdomain(APEX) or (self.in_child(name) and not is_ds_of_cut):
            return response.to_wire()
        for rrset in list(response.answer):
            if rrset.name.is_subdomain(APEX):
                self.sign(response.answer, rrset)
        if not response.answer and response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            if is_ds_of_cut:
                response.set_rcode(dns.rcode.NOERROR)
            soa = dns.rrset.from_text(APEX, TTL, "IN", "SOA", *self.zone["signed.test", "SOA"])
            for rrset in (soa, *self.chain()):
                response.authority.append(rrset)
                self.sign(response.authority, rrset)
        return response.to_wire()
