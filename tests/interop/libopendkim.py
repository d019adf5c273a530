"""libopendkim over files, its look-ups answered from a file of "name record" lines.

  libopendkim.py LIBRARY ZONE verify FILE...
  libopendkim.py LIBRARY ZONE sign KEY DOMAIN SELECTOR ALGORITHM FORMS FILE...

A program of its own, so that the library finds what it stands on by LD_LIBRARY_PATH.
Prints a status (0: good), or a field with its line ends as \\n, for each file. The library
is driven itself because the filter around it is handed fields without the white space
before their values.
"""
import ctypes
import re
import sys

OK, SETOPT, QUERYMETHOD, QUERYINFO, QUERY_FILE = 0, 1, 6, 7, 1
FORMS = {"simple": 0, "relaxed": 1}
ALGORITHMS = {"rsa-sha256": 1, "ed25519-sha256": 2}


def load(path):
    library = ctypes.CDLL(path)
    p, s = ctypes.c_void_p, ctypes.c_size_t
    for name, result, arguments in (
            ("dkim_init", p, (p, p)),
            ("dkim_options", ctypes.c_int, (p, ctypes.c_int, ctypes.c_int, p, s)),
            ("dkim_verify", p, (p, ctypes.c_char_p, p, p)),
            ("dkim_sign", p, (p, ctypes.c_char_p, p, ctypes.c_char_p, ctypes.c_char_p,
                              ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                              ctypes.c_ssize_t, p)),
            ("dkim_header", ctypes.c_int, (p, ctypes.c_char_p, s)),
            ("dkim_eoh", ctypes.c_int, (p,)),
            ("dkim_body", ctypes.c_int, (p, ctypes.c_char_p, s)),
            ("dkim_eom", ctypes.c_int, (p, p)),
            ("dkim_getsighdr_d", ctypes.c_int, (p, s, p, p)),
            ("dkim_free", ctypes.c_int, (p,))):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def feed(library, handle, message):
    header, _, body = message.partition(b"\r\n\r\n")
    for field in re.split(rb"\r\n(?![ \t])", header):
        library.dkim_header(handle, field, len(field))
    status = library.dkim_eoh(handle)
    if status == OK and body:
        status = library.dkim_body(handle, body, len(body))
    return status or library.dkim_eom(handle, None)


def main(path, zone, what, *rest):
    library = load(path)
    base = library.dkim_init(None, None)
    method = ctypes.c_int(QUERY_FILE)
    name = zone.encode() + b"\0"
    library.dkim_options(base, SETOPT, QUERYMETHOD, ctypes.byref(method), 4)
    library.dkim_options(base, SETOPT, QUERYINFO, ctypes.c_char_p(name), len(name) - 1)
    status = ctypes.c_int()
    if what == "sign":
        key, domain, selector, algorithm, forms, *rest = rest
        with open(key, "rb") as f:
            secret = f.read()
        header, body = (FORMS[word] for word in forms.split("/"))
    for file in rest:
        with open(file, "rb") as f:
            message = f.read()
        if what == "verify":
            handle = library.dkim_verify(base, b"x", None, ctypes.byref(status))
            print(feed(library, handle, message))
        else:
            handle = library.dkim_sign(base, b"x", None, secret, selector.encode(),
                                       domain.encode(), header, body, ALGORITHMS[algorithm], -1,
                                       ctypes.byref(status))
            assert feed(library, handle, message) == OK, file
            text, length = ctypes.c_char_p(), ctypes.c_size_t()
            assert library.dkim_getsighdr_d(handle, 16, ctypes.byref(text),
                                            ctypes.byref(length)) == OK
            field = b"DKIM-Signature: " + text.value
            print(re.sub(r"\r?\n", r"\\n", field.decode()))
        library.dkim_free(handle)


main(*sys.argv[1:])
