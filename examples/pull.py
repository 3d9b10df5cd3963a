#!/usr/bin/env python3
"""Pulls records from a flow of lockstep into a SQLite table. Usage: LOCKSTEP_TOKEN=... pull.py URL FLOW DATABASE TABLE KEY"""
import json, os, sqlite3, sys, time, urllib.error, urllib.request
from datetime import datetime, timezone

url, flow, database, table, key = sys.argv[1:6]
name = lambda text: '"' + text.replace('"', '""') + '"'


def call(what, body):
    request = urllib.request.Request(f"{url}/v1/flows/{flow}/{what}", json.dumps(body).encode(), {
        "Authorization": "Bearer " + os.environ["LOCKSTEP_TOKEN"], "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.load(answer, parse_float=str)  # decimals stay exact


def write(db, record):
    """Writes by key, so that the same record twice leaves what it left once."""
    if record["op"] == "delete":
        db.execute(f"DELETE FROM {name(table)} WHERE {name(key)} = ?", [record["key"]])
        return {"id": record["id"], "status": "done"}
    fields = record["fields"]
    sets = ", ".join(f"{name(f)} = excluded.{name(f)}" for f in fields)
    try:
        db.execute(f"INSERT INTO {name(table)} ({', '.join(map(name, fields))}) VALUES ({', '.join('?' * len(fields))}) "
                   f"ON CONFLICT ({name(key)}) DO UPDATE SET {sets}", list(fields.values()))
    except sqlite3.IntegrityError as why:  # this record cannot be taken: a person must look
        return {"id": record["id"], "status": "failed", "error": str(why)}
    return {"id": record["id"], "status": "done"}


db = sqlite3.connect(database, timeout=30)
while True:
    try:
        lease = call("lease", {"max": 500, "ttl": os.environ.get("LOCKSTEP_TTL", "60s"), "wait": "20s"})
        if not lease["records"]:
            continue
        results = [write(db, record) for record in lease["records"]]
        if datetime.now(timezone.utc) < datetime.fromisoformat(lease["until"].replace("Z", "+00:00")):
            db.commit()  # first ours, then the settle: what is lost in between comes again
            call("settle", {"lease": lease["lease"], "results": results})
        else:
            db.rollback()  # too late: it may be another's by now
    except (OSError, urllib.error.HTTPError) as why:  # lockstep is away, or the lease is over: it all comes again
        print(why, file=sys.stderr)
        time.sleep(1)
