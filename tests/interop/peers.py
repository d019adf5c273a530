"""Other mail servers, each taken apart from its Debian package and run from there.

tools/peers unpacks them under build/peers; nothing is installed. They run with a
configuration of their own on loopback, in a mount namespace where /usr holds their files
and /etc/passwd names the users that they insist on. Without root, or without the packages, tests skip and say so.
"""
import functools
import os
import shutil
import signal
import socket
import subprocess

import pytest

import godwit

FOLDER = os.path.join(godwit.TOP, "build", "peers")
ROOT = os.path.join(FOLDER, "root")
LIBRARIES = ":".join(os.path.join(ROOT, folder) for folder in (
    "usr/lib/postfix", "usr/lib/dovecot", "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu"))

USERS = ("postfix", "Debian-exim", "dovecot", "dovenull", "receiver", "opensmtpd", "opensmtpq")
FIRST_ID = 64100


@functools.lru_cache(maxsize=None)
def take(*packages):
    done = subprocess.run([os.path.join(godwit.TOP, "tools", "peers"), FOLDER, *packages],
                          capture_output=True, text=True, timeout=300)
    return None if done.returncode == 0 else done.stderr.strip()[-300:]


def need(*packages):
    if os.geteuid() != 0:
        pytest.skip("only root may give a peer the users that it insists on")
    trouble = take(*packages)
    if trouble is not None:
        pytest.skip(f"cannot take {' '.join(packages)}: {trouble}")


@functools.lru_cache(maxsize=None)
def node_modules():
    """The folder of the clients written for Node.js, as their lock file says."""
    folder = os.path.join(FOLDER, "node")
    os.makedirs(folder, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(godwit.TOP, "tests", "clients", name), folder)
    done = subprocess.run([available("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                          cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        pytest.skip(f"npm cannot take the clients: {done.stderr.strip()[-300:]}")
    return os.path.join(folder, "node_modules")


def program(path):
    return os.path.join(ROOT, path)


def free_port():
    """A port that the kernel says is free; these peers cannot be given a socket."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Peer:
    """A server in the foreground, in a process group and mount namespace of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.process = None
        os.makedirs(folder, exist_ok=True)
        # pytest's folders are for root alone; these servers become somebody else.
        while folder not in ("/", "/tmp"):
            os.chmod(folder, os.stat(folder).st_mode | 0o055)
            folder = os.path.dirname(folder)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as f:
            f.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def make(self, name, owner="root", mode=0o755):
        os.makedirs(self.path(name), exist_ok=True)
        os.chown(self.path(name), self.id(owner), self.id(owner))
        os.chmod(self.path(name), mode)
        return self.path(name)

    @staticmethod
    def id(user):
        return 0 if user == "root" else FIRST_ID + USERS.index(user)

    def start(self, *command, environment=None, var=None):
        """`var`: a folder that stands in for /var, for who has paths in it built in."""
        with open("/etc/passwd") as f:
            passwd = f.read()
        with open("/etc/group") as f:
            group = f.read()
        for number, user in enumerate(USERS, FIRST_ID):
            passwd += f"{user}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
            group += f"{user}:x:{number}:\n"
        group += f"postdrop:x:{FIRST_ID + 50}:\n"
        self.write("passwd", passwd)
        self.write("group", group)
        # Some have paths built in: they see their own files below /usr.
        inside = ('mount -t overlay overlay -o "lowerdir=$1:/usr" /usr && '
                  'mount --bind "$0/passwd" /etc/passwd && '
                  + (f'mount --bind "$0/{var}" /var && ' if var else '') +
                  'mount --bind "$0/group" /etc/group && shift && exec "$@"')
        self.log = open(self.path("output"), "ab")
        self.process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", inside, self.folder, ROOT + "/usr",
             *command],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True,
            env={**os.environ, "LD_LIBRARY_PATH": LIBRARIES, **(environment or {})})
        godwit.wait_for(self._answers, f"{command[0]} to listen")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            with open(self.path("output"), errors="replace") as f:
                text = f.read()
            if text.startswith(("unshare:", "mount:")):
                pytest.skip(f"may not make a mount namespace: {text[:200]}")
            raise AssertionError(f"the peer ended: {text[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, how)
            except ProcessLookupError:
                break
            try:
                self.process.wait(5)
                if how == signal.SIGTERM:
                    continue
                break
            except subprocess.TimeoutExpired:
                continue
        self.log.close()

    def mails(self, *folder):
        """The contents of the files in a Maildir's new/."""
        new = self.path(*folder, "new")
        if not os.path.isdir(new):
            return []
        found = []
        for name in sorted(os.listdir(new)):
            with open(os.path.join(new, name), "rb") as f:
                found.append(f.read())
        return found


def postfix(folder, lines=""):
    """smtpd, cleanup, qmgr and virtual: *@far.test into Maildirs box/<user>."""
    need("postfix")
    p = Peer(folder)
    p.make("conf")
    p.make("queue")
    for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
                 "private", "saved", "trace"):
        p.make(f"queue/{name}", "postfix", 0o700)
    p.make("queue/pid")
    for name, mode in (("public", 0o710), ("maildrop", 0o730)):
        p.make(f"queue/{name}", "postfix", mode)
        os.chown(p.path("queue", name), p.id("postfix"), FIRST_ID + 50)
    p.make("data", "postfix", 0o700)
    p.make("box", "receiver")
    daemons = program("usr/lib/postfix/sbin")
    p.write("conf/main.cf", f"""
compatibility_level = 3.6
queue_directory = {p.path('queue')}
data_directory = {p.path('data')}
command_directory = {program('usr/sbin')}
daemon_directory = {daemons}
meta_directory = {p.path('conf')}
shlib_directory = {program('usr/lib/postfix')}
mail_owner = postfix
setgid_group = postdrop
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = far.test
virtual_mailbox_maps = texthash:{p.path('conf/boxes')}
virtual_mailbox_base = {p.path('box')}
virtual_uid_maps = static:{p.id('receiver')}
virtual_gid_maps = static:{p.id('receiver')}
virtual_minimum_uid = 100
smtputf8_enable = no
import_environment = LD_LIBRARY_PATH MAIL_CONFIG
export_environment = PATH LD_LIBRARY_PATH
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
{lines}
""")
    p.write("conf/boxes", "anna@far.test anna/\nbert@far.test bert/\n")
    p.write("conf/master.cf", f"""
127.0.0.1:{p.port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
""")
    return p.start(os.path.join(daemons, "master"), "-c", p.path("conf"), "-d",
                   environment={"MAIL_CONFIG": p.path("conf")})


def exim(folder):
    """*@far.test into Maildirs box/<user>; unknown users are refused at RCPT."""
    need("exim4-daemon-light")
    p = Peer(folder)
    p.make("spool", "Debian-exim", 0o750)
    p.make("log", "Debian-exim", 0o750)
    p.make("box", "Debian-exim")
    config = p.write("exim.conf", f"""
exim_path = {program('usr/sbin/exim4')}
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {p.path('spool')}
log_file_path = {p.path('log')}/%slog
primary_hostname = exim.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {p.port}
keep_environment =
chunking_advertise_hosts = *
dsn_advertise_hosts = *
tls_advertise_hosts =
accept_8bitmime = true
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
never_users =
deliver_drop_privilege = true
begin acl
check_rcpt:
  accept domains = far.test
         verify = recipient
  deny message = unknown here
check_data:
  accept
begin routers
boxes:
  driver = accept
  domains = far.test
  local_parts = anna : bert
  transport = box
begin transports
box:
  driver = appendfile
  directory = {p.path('box')}/$local_part_data
  maildir_format
  create_directory
  delivery_date_add = false
  envelope_to_add = false
  return_path_add = false
""")
    return p.start(program("usr/sbin/exim4"), "-C", config, "-bdf", "-q1h")


def opensmtpd(folder):
    """*@far.test into Maildirs box/<user>; unknown users are refused at RCPT."""
    need("opensmtpd")
    p = Peer(folder)
    p.make("box", "receiver")
    for name in ("var/lib/opensmtpd/empty", "var/run", "var/spool"):
        p.make(name)
    p.make("var/spool/smtpd", mode=0o711)
    p.write("mailname", "opensmtpd.test\n")
    config = p.write("smtpd.conf", f"""
table boxes {{ "anna@far.test" = "receiver", "bert@far.test" = "receiver" }}
listen on 127.0.0.1 port {p.port} hostname opensmtpd.test
action "box" maildir "{p.path('box')}/%{{rcpt.user}}" virtual <boxes>
match from any for domain "far.test" action "box"
""")
    return p.start("/usr/sbin/smtpd", "-d", "-f", config, var="var")


def dovecot(folder):
    """LMTP: anna and bert have Maildirs box/<user>/Maildir."""
    need("dovecot-core", "dovecot-lmtpd")
    p = Peer(folder)
    p.make("run")
    p.make("state")
    for user in ("anna", "bert", "full"):
        p.make(f"box/{user}", "receiver", 0o700)
    own = p.id("receiver")
    p.write("users", "".join(f"{user}@far.test:{{PLAIN}}pen cil:{own}:{own}::"
                             f"{p.path('box', user)}::\n" for user in ("anna", "bert")))
    config = p.write("dovecot.conf", f"""
base_dir = {p.path('run')}
state_dir = {p.path('state')}
libexec_dir = {program('usr/lib/dovecot')}
mail_plugin_dir = {program('usr/lib/dovecot/modules')}
import_environment = LD_LIBRARY_PATH
log_path = {p.path('log')}
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_location = maildir:~/Maildir
lmtp_save_to_detail_mailbox = no
hostname = dovecot.test
postmaster_address = postmaster@far.test
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {p.port}
  }}
  unix_listener {p.path('run')}/lmtp-here {{
    mode = 0666
  }}
}}
service auth {{
  unix_listener {p.path('run')}/auth-here {{
    mode = 0666
  }}
}}
service stats {{
  chroot =
}}
passdb {{
  driver = passwd-file
  args = {p.path('users')}
}}
userdb {{
  driver = passwd-file
  args = {p.path('users')}
}}
""")
    return p.start(program("usr/sbin/dovecot"), "-F", "-c", config)


def smtp_sink(folder, *flags):
    """Postfix's smtp-sink, with its fault flags; keeps messages in box/."""
    need("postfix")
    p = Peer(folder)
    p.make("box", "receiver")
    return p.start(program("usr/sbin/smtp-sink"), "-u", "receiver", *flags,
                   "-D", p.path("box", "%M."), p.address, "100")


def available(name):
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name
