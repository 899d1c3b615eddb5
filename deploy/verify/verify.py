#!/usr/bin/env python3
"""Verifies an Enamel audit package offline: verify.py [--json] --key BASE64 [--key BASE64 ...] PACKAGE

Exit code 0: the package is whole; 1: it is not, and the first bad place is printed; 2: nothing could be verified.
Python 3 alone, nothing else. Written from README.md, apart from the server's own verifier, which must agree.
"""
import argparse, base64, hashlib, json, re, sys, zlib

LINE_MAX, INT_MAX, HOUR, unhex = 65536, 2**53 - 1, ":00:00.000000Z", bytes.fromhex
EVENT = ("id tenant_id user_id actor_type api_client_id plane event_type resource_type resource_id patient_id action "
         "outcome purpose_of_use occurred_at request_id session_id ip_address user_agent break_glass_id").split()


class Bad(Exception):
    """The code of what is not right; README.md says each in words."""


def demand(right, reason):
    if not right:
        raise Bad(reason)


# --- Ed25519 (RFC 8032 §5.1): verification only, so nothing here is secret and speed is no matter.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, ROOT = -121665 * pow(121666, P - 2, P) % P, pow(2, (P - 1) // 4, P)


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q


def point(raw):
    """The point, or none for bytes that are no point, not its one encoding, or a point of small order."""
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * ROOT % P
    p = (x, y, 1, x * y % P) if x & 1 == sign else (P - x, y, 1, -x * y % P)
    good = len(raw) == 32 and y < P and x * x % P == square and times(8, p)[0] % P
    return p if good else None


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    x, y, z, t = times(k, point(key))
    a, b = point(r), add(times(s, BASE), (P - x, y, z, P - t))
    return s < L and a is not None and not ((a[0] * b[2] - b[0]) % P or (a[1] * b[2] - b[1]) % P)


# --- Hashes and trees (RFC 6962, RFC 9162 §2.1.3.2).
def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def fields(prefix, *values):
    out = f"enamel audit {prefix} v1\n".encode()
    for value in values:
        raw = value if value is None or isinstance(value, bytes) else str(value).encode()
        out += b"\xff" * 4 if raw is None else len(raw).to_bytes(4, "big") + raw
    return out


def leads_to(root, leaf, index, count, path):
    at, last = index, count - 1
    for sibling in map(unhex, path):
        if last <= 0:
            return False
        right = at & 1 or at == last
        leaf = sha(b"\1", sibling, leaf) if right else sha(b"\1", leaf, sibling)
        while right and at and not at & 1:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    return index < count and last == 0 and leaf.hex() == root


class Tree:
    def __init__(self):
        self.parts, self.count = [], 0

    def push(self, leaf):
        n, self.count = self.count, self.count + 1
        while n & 1:
            leaf, n = sha(b"\1", self.parts.pop(), leaf), n >> 1
        self.parts.append(leaf)

    def root(self):
        value = self.parts[-1] if self.parts else sha()
        for part in self.parts[-2::-1]:
            value = sha(b"\1", part, value)
        return value.hex()


# --- Lines: canonical JSON of exactly these members.
def integer(low, high=INT_MAX):
    return lambda value: type(value) is int and low <= value <= high


def text(pattern):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def shape(members, **own):
    pairs = [member.split(":") for member in members.split()]
    return lambda value: (isinstance(value, dict) and value.keys() == {name for name, _ in pairs}
                          and all({**KINDS, **own}[kind](value[name]) for name, kind in pairs))


DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
KINDS = {"nat": integer(0), "int": integer(-INT_MAX), "i32": integer(-2**31, 2**31 - 1),
         "text": lambda value: isinstance(value, str),
         "hash": text("[0-9a-f]{64}"), "sig": text("[0-9a-f]{128}"), "date": text(DATE),
         "time": text(DATE + r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z"),
         "uuid": text("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "bool": lambda value: isinstance(value, bool),
         "xid": lambda value: text(r"0|[1-9]\d{0,19}")(value) and int(value) < 2**64,
         "path": lambda value: isinstance(value, list) and len(value) <= 64 and all(map(KINDS["hash"], value)),
         "salt": lambda value: value is None or text("[0-9a-f]{32}")(value),
         "text?": lambda value: value is None or isinstance(value, str), "map": lambda value: isinstance(value, dict)}
HEAD = shape("digest_no:int running_count:nat digest_hash:hash")
SHAPES = {
    "header": shape("type:text format:text version:nat tenant_id:uuid from:time to:time exported_at:time key_id:text "
                    "start:head", head=HEAD),
    "digest": shape("type:text digest_no:int hour_start:time event_count:nat running_count:nat root_hash:hash "
                    "previous_hash:hash open:bool"),
    "seal": shape("type:text epoch:i32 batch_no:int from_transaction:xid to_transaction:xid event_count:nat "
                  "root_hash:hash previous_hash:hash sealed_at:time key_id:text signature:sig"),
    "event": shape("type:text index:nat path:path salt:salt event:event", event=shape(
        " ".join(name + (":uuid" if name in ("id", "tenant_id") else ":text?") for name in EVENT) + " metadata:map")),
    "anchor": shape("type:text anchor_date:date digest_root:hash heads_root:hash key_id:text signature:sig index:nat "
                    "count:nat path:path"),
    "end": shape("type:text digests:nat seals:nat events:nat anchors:nat head:head content_hash:hash signature:sig",
                 head=HEAD),
}


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def whole_number(digits):
    demand(abs(int(digits)) <= INT_MAX, "line")
    return int(digits)


def refuse(_):
    raise Bad("line")


def parse(raw):
    try:
        line = json.loads(raw.decode(), parse_int=whole_number, parse_float=refuse, parse_constant=refuse)
        fits = len(raw) <= LINE_MAX and SHAPES[line["type"]](line) and canonical(line) + b"\n" == raw
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Bad("line")
    demand(fits, "line")
    return line


def raw_lines(file):
    """Each line with its end; then None, once the one gzip stream and the file have ended together."""
    gzip, rest = zlib.decompressobj(31), b""
    while not gzip.eof:
        chunk = gzip.unconsumed_tail or file.read(LINE_MAX)
        demand(chunk, "gzip")
        try:
            rest += gzip.decompress(chunk, LINE_MAX)
        except zlib.error:
            raise Bad("gzip")
        *lines, rest = rest.split(b"\n")
        for raw in lines:
            yield raw + b"\n"
        demand(len(rest) < LINE_MAX, "line")
    demand(not gzip.unused_data and not file.read(1), "gzip")
    yield None


# --- The walk: one pass, each line held against what came before it.
class Walk:
    def __init__(self, keys):
        self.keys, self.line, self.digest, self.last_digest, self.digest_no = keys, 0, None, None, None
        self.seal, self.last_seal, self.index, self.batch, self.event_id = None, None, None, None, None

    def run(self, file):
        lines, content, kind = raw_lines(file), hashlib.sha256(), None
        while kind != "end":
            self.line += 1
            raw = next(lines)
            demand(raw is not None, "end.missing")
            line, self.content = parse(raw), content.hexdigest()
            kind = line["type"]
            demand((kind == "header") == (self.line == 1), "order")
            getattr(self, "on_" + kind)(line)
            content.update(raw)
        self.line += 1
        try:
            demand(next(lines) is None, "end.trailing")
        except Bad as bad:
            raise Bad("end.trailing" if bad.args[0] == "line" else bad.args[0])
        return {**self.good, "head": self.head, "key_ids": sorted(self.good["key_ids"])}

    def check(self, what, line, *values):
        demand(line["key_id"] in self.keys, what + ".key")
        right = signed(self.keys[line["key_id"]], fields(what, *values), unhex(line["signature"]))
        demand(right, what + ".signature")
        self.good["key_ids"].add(line["key_id"])

    def on_header(self, line):
        self.header, self.head, no_start = line, line["start"], self.is_start(line["start"])
        hours = line["from"].endswith(HOUR) and line["to"].endswith(HOUR) and line["from"] < line["to"]
        known = line["format"] == "enamel-audit-package" and line["version"] == 1
        demand(known and hours and (self.head["digest_no"] > 0 or no_start), "header")
        demand(line["key_id"] in self.keys, "header.key")
        self.good = {name: line[name] for name in ("tenant_id", "from", "to", "exported_at")}
        self.good.update(digests=0, seals=0, events=0, erased_events=0, anchored_events=0, anchors=0,
                         anchored_through=None, key_ids={line["key_id"]})

    @staticmethod
    def is_start(head):
        return head == {"digest_no": 0, "running_count": 0, "digest_hash": "0" * 64}

    def close_seal(self):
        demand(self.seal is None or self.index is not None, "order")
        self.last_seal, self.seal = self.seal or self.last_seal, None

    def close_digest(self):
        self.close_seal()
        self.batch = self.event_id = None
        if self.digest:
            demand(self.tree.count == self.digest["event_count"], "digest.count")
            demand(self.tree.root() == self.digest["root_hash"], "digest.root")
        self.digest = self.digest_no = None

    def on_digest(self, line):
        self.close_digest()
        self.digest_no, last, hour, before = line["digest_no"], self.last_digest, line["hour_start"], self.head
        follows = self.digest_no == before["digest_no"] + 1 and line["previous_hash"] == before["digest_hash"]
        demand(follows, "digest.chain")
        in_order = (not last or last["hour_start"] < hour) and (self.good["anchored_through"] or "") < hour[:10]
        demand(hour.endswith(HOUR) and self.header["from"] <= hour < self.header["to"] and in_order, "digest.hour")
        demand(line["open"] or not last or not last["open"], "digest.open")
        demand(line["running_count"] == before["running_count"] + line["event_count"], "digest.count")
        digest_hash = sha(fields("digest", self.header["tenant_id"], self.digest_no, hour, line["event_count"],
                                 line["running_count"], unhex(line["root_hash"]), unhex(line["previous_hash"]))).hex()
        self.head = {"digest_no": self.digest_no, "running_count": line["running_count"], "digest_hash": digest_hash}
        self.digest, self.last_digest, self.tree = line, line, Tree()
        self.good["digests"] += 1

    def on_seal(self, line):
        self.close_seal()
        self.batch, self.event_id, last = (line["epoch"], line["batch_no"]), None, self.last_seal
        demand(self.digest, "order")
        begin, end = int(line["from_transaction"]), int(line["to_transaction"])
        if last:
            last_batch, last_end = (last["epoch"], last["batch_no"]), int(last["to_transaction"])
            overlaps = self.batch[0] == last_batch[0] and begin < last_end
            demand(self.batch > last_batch and line["sealed_at"] >= last["sealed_at"] and not overlaps, "seal.order")
            if self.batch == (last_batch[0], last_batch[1] + 1):
                demand(line["previous_hash"] == self.seal_hash and begin == last_end, "seal.chain")
        demand(begin <= end, "seal.order")
        demand(line["sealed_at"][:13] == self.digest["hour_start"][:13], "seal.hour")
        message = (*self.batch, begin, end, line["event_count"], unhex(line["root_hash"]), unhex(line["previous_hash"]),
                   line["sealed_at"], line["key_id"])
        self.check("seal", line, *message)
        self.seal, self.seal_hash, self.index = line, sha(fields("seal", *message)).hex(), None
        self.good["seals"] += 1

    def on_event(self, line):
        event, salt = line["event"], line["salt"]
        self.event_id = event["id"]
        demand(self.digest and self.seal, "order")
        demand(event["tenant_id"] == self.header["tenant_id"], "event.tenant")
        count, in_order = self.seal["event_count"], self.index is None or self.index < line["index"]
        demand(in_order and line["index"] < count, "event.index")
        demand(self.tree.count < self.digest["event_count"], "digest.count")
        erased = event["metadata"].get("erased") if len(event["metadata"]) == 1 else None
        demand(salt is not None or KINDS["hash"](erased), "event.detail")
        detail = unhex(erased) if salt is None else sha(unhex(salt), canonical(event["metadata"]))
        leaf = sha(b"\0", fields("event", *(event[name] for name in EVENT)), detail)
        demand(leads_to(self.seal["root_hash"], leaf, line["index"], count, line["path"]), "event.leaf")
        self.tree.push(leaf)
        self.index = line["index"]
        self.good["events"] += 1
        self.good["erased_events"] += salt is None

    def on_anchor(self, line):
        self.close_digest()
        date, last = line["anchor_date"], self.last_digest
        fits = not last or (not last["open"] and last["hour_start"][:10] <= date)
        demand((self.good["anchored_through"] or "") < date and not self.is_start(self.head) and fits, "anchor.order")
        self.check("anchor", line, date, unhex(line["digest_root"]), unhex(line["heads_root"]), line["key_id"])
        leaf = sha(b"\0", fields("head", self.header["tenant_id"], *self.head_values()))
        demand(leads_to(line["heads_root"], leaf, line["index"], line["count"], line["path"]), "anchor.head")
        self.good.update(anchored_through=date, anchored_events=self.good["events"], anchors=self.good["anchors"] + 1)

    def head_values(self):
        return self.head["digest_no"], self.head["running_count"], unhex(self.head["digest_hash"])

    def on_end(self, line):
        self.close_digest()
        counts = [line[name] for name in ("digests", "seals", "events", "anchors")]
        demand(counts == [self.good[name] for name in ("digests", "seals", "events", "anchors")], "end.count")
        demand(line["head"] == self.head, "end.head")
        demand(line["content_hash"] == self.content, "end.content")
        line = {**line, "key_id": self.header["key_id"]}
        right = signed(self.keys[line["key_id"]], fields("package", *counts, *self.head_values(), unhex(self.content)),
                       unhex(line["signature"]))
        demand(right, "end.signature")


def verify(file, keys):
    walk = Walk(keys)
    try:
        return {"ok": True, "proven": walk.run(file)}
    except Bad as bad:
        epoch, batch_no = walk.batch or (None, None)
        return {"ok": False, "first_bad": {"reason": bad.args[0], "line": walk.line, "digest_no": walk.digest_no,
                                           "epoch": epoch, "batch_no": batch_no, "event_id": walk.event_id}}


def pin(keys):
    raw_keys = [base64.b64decode(key.strip(), validate=True) for key in keys]
    if not all(map(point, raw_keys)):
        raise ValueError("--key must be an Ed25519 public key in base64")
    return {sha(raw).hex()[:16]: raw for raw in raw_keys}


def describe(verdict):
    if verdict["ok"]:
        return ("OK: {events} events ({erased_events} erased) in {seals} seals and {digests} digests\n"
                "tenant {tenant_id}, {from} to {to}, exported {exported_at}\n"
                "anchored: {anchored_events} events, last anchored day {anchored_through}\n"
                "head: digest {head[digest_no]}, count {head[running_count]}, {head[digest_hash]}"
                ).format(**{**verdict["proven"], "anchored_through": verdict["proven"]["anchored_through"] or "none"})
    places = {"digest_no": "digest", "epoch": "epoch", "batch_no": "batch", "event_id": "event"}
    bad = verdict["first_bad"]
    known = [f", {word} {bad[name]}" for name, word in places.items() if bad[name] is not None]
    return f"BAD: {bad['reason']} at line {bad['line']}" + "".join(known)


def main():
    arguments = argparse.ArgumentParser(description="Verifies an Enamel audit package offline.")
    arguments.add_argument("--key", action="append", required=True, help="a pinned Ed25519 public key in base64")
    arguments.add_argument("--json", action="store_true", help="print the verdict as JSON")
    arguments.add_argument("package")
    given = arguments.parse_args()
    try:
        keys = pin(given.key)
        with open(given.package, "rb") as file:
            verdict = verify(file, keys)
    except (OSError, ValueError) as error:
        print(f"cannot verify: {error}", file=sys.stderr)
        return 2
    print(json.dumps(verdict) if given.json else describe(verdict))
    return 0 if verdict["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
