// What a tour goes through: a slapd filled by LDIF, and the daemon on it with a store of its own, in a temporary folder.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const base = "dc=example,dc=test";
const people = `ou=People,${base}`;
const secret = "a password for tests only";

/** Who signs in, and with what. */
export const administrator = { name: "root", password: secret };

/** How many people the directory has that nothing is wrong with, and of whom it loses some. */
export const staff = Array.from({ length: 18 }, (_, i) => `staff${String(i + 1).padStart(2, "0")}`);

/** Where somebody stands. A spreadsheet would take some of the names for formulas, and a DN parts of its own. */
const dn = (uid) => `uid=${uid.replace(/[=+]/g, (c) => `\\${c.charCodeAt(0).toString(16)}`)},${people}`;

/** An entry of the directory. */
function entry(uid, { given = "Given", sn = uid, mail = `${uid}@acme.test`, department = "Support" } = {}) {
  const lines = [
    `dn: ${dn(uid)}`, "objectClass: inetOrgPerson", `uid: ${uid}`, `cn: ${given} ${sn}`, `givenName: ${given}`, `sn: ${sn}`, `departmentNumber: ${department}`,
  ];
  return [...lines, ...(mail ? [`mail: ${mail}`] : []), "", ""].join("\n");
}

const ldif = [
  `dn: ${base}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n`,
  `dn: ${people}\nobjectClass: organizationalUnit\nou: People\n\n`,
  `dn: cn=sync,${base}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: sync\nuserPassword: ${secret}\n\n`,
  ...staff.map((uid) => entry(uid)),
  entry("ann", { given: "Ann", sn: "Berg" }),
  entry("carl", { given: "Carl", sn: "Dahl" }),
  entry("dora", { given: "Dora", sn: "Ek" }),
  entry("sal", { given: "Sal", sn: "Falk", department: "Sales" }),
  entry("eva", { given: "Eva", sn: "Lind", mail: "" }),
  entry("=cmd", { given: "=cmd|' /C calc'!A0", sn: "Formula", mail: "cmd@acme.test" }),
  entry("long", { given: "Wolfeschlegelsteinhausenbergerdorff-Unverzagt", sn: "<b>bold</b>" }),
].join("");

/** Whom an upstream system announces: there is one seat for two of them, and no address of the others. */
const announced = `subscriber_id,email,userName,givenName,familyName
4711,lena@home.test,lena,Lena,Holm
4712,,milo,Milo,Nord
4713,nils@home.test,nils,Nils,Olin
=4714,,,,
`;

/** Runs a program to its end and gives what it printed; with input, that is what it reads. */
function run(program, args, input = "") {
  return new Promise((done, fail) => {
    const p = execFile(program, args, { maxBuffer: 1 << 24 }, (err, out, errs) => (err ? fail(new Error(`${program} ${args.join(" ")}: ${err.message}\n${out}${errs}`)) : done(out)));
    p.stdin.end(input);
  });
}

/** Ports that nobody listens on now. */
async function freePorts(n) {
  const servers = Array.from({ length: n }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((s) => once(s, "listening")));
  const ports = servers.map((s) => s.address().port);
  await Promise.all(servers.map((s) => new Promise((done) => s.close(done))));
  return ports;
}

/** Asks until the answer is there; a program that has ended meanwhile gives none any more. */
async function until(what, program, ask) {
  for (let end = Date.now() + 60_000; Date.now() < end; await wait(50)) {
    if (program.exitCode !== null) break;
    if (await ask().catch(() => false)) return;
  }
  throw new Error(`${what} did not come`);
}

async function end(program) {
  if (program.exitCode !== null || program.signalCode !== null) return;
  const ended = once(program, "exit");
  program.kill("SIGTERM"); // this process, and no other
  await ended;
}

/** World is one daemon with one directory. */
export class World {
  /** Starts both; the first run has ended when it returns. */
  static async start(usherd) {
    const w = new World();
    w.usherd = usherd;
    w.dir = await mkdtemp(join(tmpdir(), "usherd-tour-"));
    try {
      await w.startDirectory();
      await w.startDaemon();
    } catch (err) {
      await w.end();
      throw err;
    }
    return w;
  }

  async startDirectory() {
    const conf = join(this.dir, "slapd.conf"), schema = "/etc/ldap/schema";
    await mkdir(join(this.dir, "db"));
    await writeFile(conf, `include ${schema}/core.schema
include ${schema}/cosine.schema
include ${schema}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload syncprov
database mdb
suffix "${base}"
rootdn "cn=admin,${base}"
rootpw "${secret}"
directory ${this.dir}/db
maxsize 1073741824
dbnosync
index objectClass,entryCSN,entryUUID eq
limits dn.exact="cn=sync,${base}" size=unlimited time=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=sync,${base}" read by anonymous auth
overlay syncprov
syncprov-sessionlog 1000
`);
    await run("slapd", ["-T", "add", "-q", "-w", "-f", conf], ldif);
    const [port] = await freePorts(1);
    this.directory = `ldap://127.0.0.1:${port}`;
    this.slapd = spawn("slapd", ["-d", "0", "-f", conf, "-h", this.directory], { stdio: "ignore" });
    await until("slapd", this.slapd, () => run("ldapwhoami", this.asAdmin()));
  }

  asAdmin() {
    return ["-x", "-H", this.directory, "-D", `cn=admin,${base}`, "-w", secret];
  }

  async startDaemon() {
    const [port] = await freePorts(1);
    const hash = (await run(this.usherd, ["console", "password"], `${secret}\n`)).trim();
    this.url = `http://127.0.0.1:${port}`;
    this.config = join(this.dir, "usherd.yaml");
    await writeFile(this.config, `store: sqlite:${this.dir}/usherd.db
listen: 127.0.0.1:0
log: { format: json }
dns: { resolver: "127.0.0.1:1" }
console:
  listen: 127.0.0.1:${port}
  url: ${this.url}
  admins: [{ name: ${administrator.name}, password_hash: "${hash}", role: owner }]
organizations:
- id: acme
  name: Acme Ltd
  partner_id: "10293"
  contact: { name: IT help desk, email: help@acme.test }
  packages: [{ id: standard, name: Standard, seats: 40 }, { id: premium, name: Premium, seats: 2 }, { id: line, name: Line, seats: 1 }]
  package: standard
  templates: [{ id: lines, name: Lines, package: line }]
  sources:
  - id: office
    directory:
      type: openldap
      servers: ["${this.directory}"]
      tls: { insecure_cleartext_for_tests: true }
      bind: { user: "cn=sync,${base}", password: { file: ${this.dir}/password } }
      bases: ["${people}"]
    mapping: { attributes: { package: 'departmentNumber == "Sales" ? "premium" : "standard"' } }
    schedule: { cron: "0 3 1 1 *" }
    guard: { min: 3, percent: 1 }
    first_run: apply
  - { id: idp, scim: {} }
`);
    await writeFile(join(this.dir, "password"), secret, { mode: 0o600 });
    await run(this.usherd, ["-c", this.config, "check"]);
    await run(this.usherd, ["-c", this.config, "sync", "-q", "--org", "acme"]).catch((err) => {
      if (!/Eva|eva/.test(err.message)) throw err; // that somebody fails is what the tour is about
    });
    await run(this.usherd, ["-c", this.config, "domain", "add", "acme.test"]);
    const lines = join(this.dir, "lines.csv");
    await writeFile(lines, announced);
    await run(this.usherd, ["-c", this.config, "subscribers", "announce", lines, "--org", "acme", "--template", "lines"]).catch((err) => {
      if (!/no_seat/.test(err.message)) throw err; // there is one seat of the package
    });
    this.log = join(this.dir, "log");
    this.daemon = spawn(this.usherd, ["-c", this.config, "serve"], { stdio: ["ignore", "pipe", "pipe"] });
    const log = createWriteStream(this.log);
    for (const out of [this.daemon.stdout, this.daemon.stderr]) out.pipe(log, { end: false });
    await until("the console", this.daemon, async () => (await fetch(`${this.url}/login`)).ok);
  }

  /** Says to the directory what LDIF says. */
  modify(changes) {
    return run("ldapmodify", this.asAdmin(), changes);
  }

  /** Gives somebody of the directory an address. */
  giveMail(uid, mail) {
    return this.modify(`dn: ${dn(uid)}\nchangetype: modify\nadd: mail\nmail: ${mail}\n`);
  }

  /** Removes people from the directory. */
  remove(uids) {
    return run("ldapdelete", [...this.asAdmin(), ...uids.map(dn)]);
  }

  /** Adds somebody to the directory. */
  add(uid, what) {
    return run("ldapadd", this.asAdmin(), entry(uid, what));
  }

  /** What the daemon logged last. */
  async logged() {
    return this.log ? (await readFile(this.log, "utf8")).split("\n").slice(-15).join("\n") : "";
  }

  /** Ends both, and takes their files away. */
  async end() {
    for (const program of [this.daemon, this.slapd]) if (program) await end(program);
    await rm(this.dir, { recursive: true, force: true });
  }
}
