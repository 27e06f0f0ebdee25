#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Judges Configs/fwmarkd.schema.json: it is a schema, the shipped files satisfy it, and of the bad files it refuses all those
whose error a schema can express. Ends with "N passed, N failed, N skipped"."""

import json
import pathlib
import re
import sys

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"SKIPPED: {error}; install python3-jsonschema and python3-yaml")
    sys.exit(0)

top = pathlib.Path(__file__).resolve().parents[2]

# What a schema cannot say: what is no YAML, or is YAML's own affair (duplicate keys, anchors, tags), what depends on
# two values.
BEYOND = {
    "settings alone, which is what is left of a file that was cut off",
    "an anchor and its alias",
    "a key twice",
    "a section twice",
    "a mark outside its mask",
    "the end of a line as old Macs wrote it",
    "a mark with a leading zero",
    "a translation to the other family",
    "destinations of the other family",
    "destinations of one family, sources of both",
    "names alike: among what marks, and among what translates",
    "two marks for some packets",
    "two marks, by an FTP service further down",
    "three marks: each later service is named",
    "masks that touch",
    "interfaces that overlap",
    "an exclusion without quotes, with a space",
    "entries that never match",
    "services that are none",
    "a translation of services that have no address of its family",
    "FTP over the same real servers, to different addresses",
    "a translation that two others take together",
    "translations that never decide, and what helps",
    "two marks by a protocol, and by every packet",
    "two marks, one in prerouting and one in input",
}

# What it must take, beside the shipped files.
GOOD = [
    "daemon: {}\nservices: []\n",
    'services:\n  - {name: 21, mark: 0x15, addresses: ["::1", 10.0.0.0/8], tcp: [80, "443", 8000-8099], in-interface: eth+}\n',
    "services:\n  - {name: a, mark: 0x100/0xff00, addresses: [0.0.0.0/0], sctp: [9]}\n",
    'services:\n  - {name: a, mark: 1, addresses: ["!10.0.0.1"], udp: any, protocols: [esp, 47], sources: ["! fd00::/8"]}\n',
    'services:\n  - {name: a, mark: 1, addresses: [10.0.0.1], protocols: any, source-macs: ["!02:00:5e:10:00:02"], hooks: [input]}\n',
    'services:\n  - {name: a, mark: 1, addresses: [10.0.0.1], tcp: [1], in-interface: [eth0, "!eth+", ppp+], hooks: [prerouting, input]}\n',
    'masquerade:\n  - {name: a, sources: ["fd00::/8"], destinations: ["!fd00::/9", "! fd00::1"], to: "2001:db8::1"}\n',
    "masquerade:\n  - {name: a, services: [web], destination-tcp: [25], out-interface: '!eth0', to: 10.0.0.1-10.0.0.9, random: true}\n",
    "masquerade:\n  - {name: a, destinations: [10.0.0.0/8], to: unchanged}\n",
    "ftp:\n  - {name: a, mark: 1, addresses: [10.0.0.1], passive-ports: 1024-65535, control-port: [21, 990], active: "
    "{real-servers: [10.1.0.0/16], data-port: [20, 989], to: virtual-address}}\n",
    "ftp:\n  - {name: a, mark: 1, addresses: [10.0.0.1], passive-ports: 1024-65535, forwarding: direct, active: {}}\n",
    'daemon: {http-listen: "[::1]:9780", check-interval: 100ms}\n',
]


def bad_files():
    """The cases of bad-files.txt: title and text."""
    title, text, ended = None, "", True
    for line in (top / "Tests/ConfigurationFileTests/bad-files.txt").read_text(encoding="utf-8").split("\n"):
        if line.startswith("== "):
            title, text, ended = line[3:], "", False
        elif line.startswith("=> ") and not ended:
            ended = True
            yield title, text
        elif not ended:
            text += re.sub(r"\\(u\{(\w+)\}|.)", plain, line) + "\n"


def plain(escape):
    """The character that an escape of bad-files.txt means."""
    if escape[2]:
        return chr(int(escape[2], 16))
    return {"t": "\t", "r": "\r"}.get(escape[1], escape[1])


def main():
    schema = json.loads((top / "Configs/fwmarkd.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    failures, count = [], 0

    shipped = [*top.glob("Configs/*.yaml"), *top.glob("Configs/examples/*.yaml")]
    good = [(path.name, path.read_text(encoding="utf-8")) for path in shipped]
    if len(good) < 15:
        failures.append("the shipped files are not there")
    # The examples in the comments of the file as installed.
    installed = (top / "Configs/fwmarkd.yaml").read_text(encoding="utf-8")
    installed = re.sub(r"^(daemon: \{\}|(ftp|services|masquerade): \[\])\n", "", installed, flags=re.MULTILINE)
    good.append(("fwmarkd.yaml, uncommented", re.sub(r"^#([a-z]|  )", r"\1", installed, flags=re.MULTILINE)))
    for name, text in good + [(repr(text), text) for text in GOOD]:
        count += 1
        for error in validator.iter_errors(yaml.safe_load(text)):
            failures.append(f"{name}: refused at {list(error.absolute_path)}: {error.message}")

    for title, text in bad_files():
        count += 1
        try:
            is_refused = not validator.is_valid(yaml.safe_load(text))
        except (yaml.YAMLError, TypeError):
            is_refused = True  # by YAML itself, and so by every editor
        if is_refused == (title in BEYOND):
            failures.append(f"{title}: {'refused, and said to be beyond a schema' if is_refused else 'taken'}")

    for failure in failures:
        print(f"FAILED: {failure}")
    print(f"{max(count - len(failures), 0)} passed, {len(failures)} failed, 0 skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
