"""Records by a seeded generator, each with the zone that it is looked up in."""
import random

CLIENTS = ["192.0.2.1", "192.0.2.77", "198.51.100.9", "203.0.113.5", "2001:db8::1",
           "2001:db8:5::77", "::ffff:192.0.2.1"]
HOSTS = [f"h{n}.hosts.test" for n in range(8)]
SENDERS = ["user", "strong-bad", "a.b.c", "x+y=z", "o'neil", "UPPER"]
ADDRESSES = ["192.0.2.1", "192.0.2.70", "198.51.100.9", "203.0.113.5", "10.9.8.7"]
ADDRESSES6 = ["2001:db8::1", "2001:db8:5::70", "2001:db8:ffff::1"]


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def pick(self, *choices):
        return self.random.choice(choices)

    # ---- what is the same for all: hosts, and names of clients

    def hosts(self):
        zone = {}
        for n, host in enumerate(HOSTS):
            found = zone[host] = {}
            if n != 6:
                found["A"] = self.random.sample(ADDRESSES, 2)
            if n % 2 == 0:
                found["AAAA"] = self.random.sample(ADDRESSES6, 2)
            if n < 4:
                found["MX"] = [[p * 10, self.pick(*HOSTS[:6])] for p in range(self.pick(1, 2, 3))]
        zone["failing.test"] = "TIMEOUT"
        zone["1.2.0.192.in-addr.arpa"] = {"PTR": ["h0.hosts.test", "c1.clients.test"]}
        zone["9.100.51.198.in-addr.arpa"] = {"PTR": ["h1.hosts.test"]}
        zone["c1.clients.test"] = {"A": ["192.0.2.1"]}
        return zone

    # ---- terms

    def macro(self):
        letter = self.pick(*"slodivh" + "SLODH")
        return "%{" + letter + self.pick("", "", "1", "2", "3") + self.pick("", "", "r") + \
            self.pick("", "", "-", "+-", ".") + "}"

    def domain(self):
        return self.pick(*HOSTS, *HOSTS, "absent.test", "%{d}", "%{d2}", "%{o}",
                         self.macro() + ".macros.test", "x." + self.macro() + ".macros.test",
                         "%{ir}.%{v}.macros.test", "h0.hosts.test.")

    def cidr(self, v4=True, v6=True):
        text = ""
        if v4 and self.chance(40):
            text += "/" + str(self.pick(0, 8, 16, 23, 24, 25, 31, 32))
        if v6 and self.chance(30):
            text += ("/" if v4 else "") + "/" + str(self.pick(0, 32, 48, 64, 127, 128))
        return text

    def mechanism(self, included):
        kind = self.random.choices(
            ["ip4", "ip6", "a", "mx", "ptr", "exists", "include", "all"],
            [24, 14, 20, 12, 4, 12, 10, 4])[0]
        if kind == "ip4":
            return "ip4:" + self.pick(*ADDRESSES) + self.cidr(v6=False)
        if kind == "ip6":
            return "ip6:" + self.pick(*ADDRESSES6) + self.cidr(v4=False)
        if kind in ("a", "mx"):
            return kind + (":" + self.domain() if self.chance(75) else "") + self.cidr()
        if kind == "ptr":
            return kind + (":" + self.pick("hosts.test", "clients.test", "%{d}")
                           if self.chance(70) else "")
        if kind == "exists":
            return "exists:" + self.domain()
        if kind == "include":
            return "include:" + (self.pick(*included, *included, "failing.test", "absent.test")
                                 if included else "h7.hosts.test")
        return kind

    def term(self, included):
        if self.chance(3):
            return self.pick("moo", "a:", "ip4:1.2.3", "ip4:192.0.2.1/33", "a:1.2.3.4", "all:x",
                             "include", "mx:%{x}.test", "a:%(d)", "ptr/8", "exists", "a/99",
                             "ip6:::1/129", "a:top", "=x", "-", "exp=", "redirect=%{d", "ip6:x")
        if self.chance(3):
            return self.pick("x=y", "unknown=%{d}", "moo.cow=1", "a=b")
        case = str.upper if self.chance(4) else str
        return self.pick("", "", "+", "-", "~", "?") + case(self.mechanism(included))

    def record(self, included):
        terms = [self.term(included) for _ in range(self.random.randint(0, 6))]
        if self.chance(2):
            terms += ["a:h0.hosts.test/32"] * self.pick(4, 9, 11)
        if self.chance(12) and included:
            terms.insert(self.random.randint(0, len(terms)), "redirect=" + self.pick(*included))
        elif self.chance(75):
            terms.append(self.pick("-all", "~all", "?all", "all"))
        if self.chance(10):
            terms.append("exp=says.test")
        version = "V=SPF1" if self.chance(1) else "v=spf1"
        return version + "".join(self.pick(" ", " ", "  ") + term for term in terms) + \
            (" " if self.chance(5) else "")

    def entry(self, number, zone):
        """One record at d<number>.test, above a few that it may include."""
        zone = dict(zone)
        names = []
        for name in (f"i{number}.test", f"j{number}.test"):
            zone[name] = {"TXT": [self.record(names)], "A": [self.pick(*ADDRESSES)]}
            names.append(name)
        own = f"d{number}.test"
        zone[own] = {"TXT": [self.record(names + ([own] if self.chance(10) else []))],
                     "A": [self.pick(*ADDRESSES)], "MX": [[10, self.pick(*HOSTS[:6])]]}
        if self.chance(3):
            zone[own]["TXT"].append(self.pick("v=spf1 -all", "v=spf10 x", "something else"))
        zone["says.test"] = {"TXT": [self.pick("go away", "%{c} is not of %{d}", "%{L}@%{o}")]}
        sender = self.pick(*SENDERS) + "@" + own
        return {"id": number, "ip": self.pick(*CLIENTS), "helo": "mail.clients.test",
                "mail_from": "" if self.chance(2) else sender, "zone": zone}


def entries(count, seed):
    generator = Generator(seed)
    zone = generator.hosts()
    return [generator.entry(number, zone) for number in range(count)]
