"""Run scim2-tester against usherd, once in each profile, and end usherd.

Usage: run.py USHERD. Prints what each check of each profile came to; exits 1 if there is an error.
"""

import collections
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import MutabilityException
from scim2_tester import Status, check_server

PROFILES = ("strict", "generic")  # what the profile decides is what scim2-tester looks at

# An organization for each profile, so that they do not share user names. Any domain is allowed, and seats do not
# end: the tester invents people as it likes.
CONFIG = """\
store: sqlite:{dir}/usherd.db
listen: 127.0.0.1:0
scim: {{listen: "127.0.0.1:{port}", url: "http://127.0.0.1:{port}"}}
organizations:
"""
ORGANIZATION = """\
- id: {profile}
  partner_id: P-1
  packages: [{{id: standard, seats: unlimited}}]
  package: standard
  sources: [{{id: tester, scim: {{profile: {profile}, rate: 1000}}}}]
"""
BAD = (Status.ERROR, Status.CRITICAL)
STANDING = "urn:usherd:params:scim:schemas:extension:2.0:User"
TOLD = "urn:usherd:params:scim:schemas:extension:2.0:Group"


def only_display_is_new(r):
    """Whether members are as they were sent, but for the display that the service adds."""

    def bare(members):
        return [m.model_dump(exclude={"display"}) for m in members]

    return "modify_actual" in r.data and bare(r.data["expected"]) == bare(r.data["modify_actual"])


# Where scim2-tester 0.5.2 takes something for an error that is none. Each has to occur: one that does not is taken
# off the list. (check, path, whether it is that, why)
READ_ONLY = "all of this extension is read-only, so RFC 7644 section 3.5.2 wants it refused or left as it is; the tester does not look below the URN"
DISPLAY = "members.display is read-only and filled in, as in RFC 7643 section 8.4; the tester wants members back as it sent them"
NO_FAULTS = [
    ("check_add_attribute", STANDING, lambda r: "modify_actual" in r.data, READ_ONLY),
    ("check_replace_attribute", STANDING, lambda r: "modify_actual" in r.data, READ_ONLY),
    ("check_remove_attribute", STANDING, lambda r: isinstance(r.data["error"], MutabilityException), READ_ONLY),
    ("check_add_attribute", TOLD, lambda r: "modify_actual" in r.data, READ_ONLY),
    ("check_replace_attribute", TOLD, lambda r: "modify_actual" in r.data, READ_ONLY),
    ("check_add_attribute", "members", only_display_is_new, DISPLAY),
    ("check_replace_attribute", "members", only_display_is_new, DISPLAY),
]


def no_fault(r):
    """The entry of NO_FAULTS that a result is, or None."""
    if r.status not in BAD or not isinstance(r.data, dict):
        return None
    return next((e for e in NO_FAULTS if e[:2] == (r.title, r.data.get("urn")) and e[2](r)), None)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_it_listens(server, port, log):
    for _ in range(600):
        if server.poll() is not None:
            sys.exit(f"usherd ended at once:\n{log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"usherd does not listen:\n{log.read_text()}")


def token(usherd, config, profile):
    out = subprocess.run(
        [usherd, "-c", config, "token", "create", "--org", profile, "--expires", "1d"], check=True, capture_output=True, text=True
    ).stdout
    return re.search(r"usherd_scim_\w+", out)[0]


def check(profile, base, secret):
    """Run all checks in one profile; return whether there is no error."""
    with Client(base_url=base, headers={"Authorization": f"Bearer {secret}"}, timeout=30) as http:
        client = SyncSCIMClient(http)
        began = time.monotonic()
        results = check_server(client)
        seconds = time.monotonic() - began
        left = [f"{http.get(t).json()['totalResults']} of {t}" for t in ("/Users", "/Groups")]
    table, known, wrong = collections.defaultdict(collections.Counter), {}, []
    for r in results:
        column = r.status.name.lower()
        if entry := no_fault(r):
            column, known[entry] = "not a fault", True
        elif r.status in BAD:
            wrong.append(r)
        table[r.resource_type or "", r.title][column] += 1
    columns = [c for c in [s.name.lower() for s in Status] + ["not a fault"] if any(row[c] for row in table.values())]
    print(f"\nprofile {profile}: {len(results)} results in {seconds:.1f} s; left behind: {', '.join(left)}\n")
    print(f"{'':8}{'check':42}" + "".join(f"{c:>13}" for c in columns))
    for (kind, title), row in table.items():
        print(f"{kind:8}{title:42}" + "".join(f"{row[c] or '·':>13}" for c in columns))
    print(f"{'':8}{'all':42}" + "".join(f"{sum(row[c] for row in table.values()):>13}" for c in columns))
    for r in wrong:
        print(f"\n{r.status.name} {r.resource_type or ''} {r.title}\n{textwrap.indent(r.reason or '', '  ')}")
        if r.data is not None:
            print(textwrap.indent(textwrap.shorten(str(r.data), 1500), "  data: "))
    gone = [e for e in NO_FAULTS if e not in known]
    for title, path, _, _ in gone:
        print(f"\n{title} of {path} does not occur any more: take it off the list NO_FAULTS")
    return bool(results) and not wrong and not gone


def main():
    usherd = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="usherd-scim-") as name:
        folder = pathlib.Path(name)
        port, config, log = free_port(), folder / "usherd.yaml", folder / "log"
        config.write_text(CONFIG.format(dir=name, port=port) + "".join(ORGANIZATION.format(profile=p) for p in PROFILES))
        with log.open("w") as out:
            server = subprocess.Popen([usherd, "-c", str(config), "serve"], stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until_it_listens(server, port, log)
            good = [check(p, f"http://127.0.0.1:{port}/scim/{p}/v2", token(usherd, config, p)) for p in PROFILES]
        finally:
            server.terminate()  # this process, and no other
            server.wait(30)
        if not all(good):
            print(f"\nwhat usherd logged last:\n{log.read_text()[-3000:]}")
            return 1
    print("\nno fault, although the tester says so:")
    for why in dict.fromkeys(e[3] for e in NO_FAULTS):
        print(textwrap.fill(why, 110, initial_indent="  ", subsequent_indent="  "))
    print(f"\nno error in the profiles {' and '.join(PROFILES)}")
    return 0


sys.exit(main())
