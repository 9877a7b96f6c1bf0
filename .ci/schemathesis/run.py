"""Run schemathesis against the API of usherd, and end usherd.

Usage: run.py USHERD [OPTIONS OF SCHEMATHESIS]. Prints what schemathesis says; exits 1 if it finds an error.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

CONFIG = """\
store: sqlite:{dir}/usherd.db
listen: 127.0.0.1:0
scim: {{listen: "127.0.0.1:{scim}", url: "http://127.0.0.1:{scim}"}}
api: {{listen: "127.0.0.1:{api}", url: "http://127.0.0.1:{api}"}}
organizations:
- id: acme
  partner_id: P-1
  approval: true
  packages: [{{id: standard, seats: 30}}]
  package: standard
  sources: [{{id: idp, scim: {{rate: 1000}}}}, {{id: moved, import: {{}}}}, {{id: site, site_link: {{}}}}]
dns: {{resolver: "127.0.0.1:1"}}
"""
PEOPLE = 40  # ten of them find no seat: there are failures too
# Whatever it is sent, the program must not fail, and its answers must be what its document says. Not asked for is that
# everything that fits the document is accepted, since of who there is and in which state a document knows nothing; nor
# that null and an empty parameter are refused: both count as left out. Nor is a method that an address does not have, since
# GET /claims/preview is GET /claims/{claim} for a claim that there is not; a test of ours asks for 405.
CHECKS = ",".join([
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "ignored_auth",
])


def free_ports():
    with socket.socket() as a, socket.socket() as b:
        a.bind(("127.0.0.1", 0))
        b.bind(("127.0.0.1", 0))
        return a.getsockname()[1], b.getsockname()[1]


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


def token(usherd, config, *flags):
    out = subprocess.run([usherd, "-c", config, "token", "create", "--expires", "1d", *flags], check=True, capture_output=True, text=True).stdout
    return re.search(r"usherd_(?:scim|api)_\w+", out)[0]


def push(port, secret):
    """Bring people by SCIM, so that there is somebody to ask for."""
    for i in range(PEOPLE):
        name = f"user{i}"
        body = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
            "name": {"givenName": "Ann", "familyName": name}, "emails": [{"value": f"{name}@acme.test", "primary": True}],
        }
        r = urllib.request.Request(
            f"http://127.0.0.1:{port}/scim/acme/v2/Users", json.dumps(body).encode(),
            {"Authorization": f"Bearer {secret}", "Content-Type": "application/scim+json"},
        )
        try:
            urllib.request.urlopen(r).close()
        except urllib.error.HTTPError as e:
            if e.code >= 500:
                raise


def main():
    usherd = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="usherd-api-") as name:
        folder = pathlib.Path(name)
        (scim, api), config, log = free_ports(), folder / "usherd.yaml", folder / "log"
        config.write_text(CONFIG.format(dir=name, scim=scim, api=api))
        with log.open("w") as out:
            server = subprocess.Popen([usherd, "-c", str(config), "serve"], stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_until_it_listens(server, api, log)
            push(scim, token(usherd, str(config), "--source", "idp"))
            scopes = ["read", "users", "sign-in", "subscribers", "claims", "domains", "import", "runs", "tokens", "diagnostics"]
            secret = token(usherd, str(config), "--api", *[x for s in scopes for x in ("--scope", s)])
            code = subprocess.run([
                os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", f"http://127.0.0.1:{api}/api/v1/openapi.json",
                "--header", f"Authorization: Bearer {secret}", "--checks", CHECKS, "--seed", "1", "--generation-database", "none",
                "--continue-on-failure", "--warnings", "off", *(sys.argv[2:] or ["--max-examples", "20", "--max-time", "120"]),
            ], cwd=name).returncode
        finally:
            server.terminate()  # this process, and no other
            server.wait(30)
        if code:
            print(f"\nwhat usherd logged last:\n{log.read_text()[-3000:]}")
        return code


sys.exit(main())
