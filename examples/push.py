#!/usr/bin/env python3
"""Pushes a CSV file, a record a line, to a flow of lockstep. Usage: LOCKSTEP_TOKEN=... push.py URL FLOW FILE"""
import csv, itertools, json, os, sys, time, urllib.error, urllib.request

url, flow, path = sys.argv[1:4]


def push(changes, complete):
    """Pushes until it is taken: a change carries the whole record, so that twice is once."""
    body = json.dumps({"changes": changes, "complete": complete}).encode()
    while True:
        request = urllib.request.Request(f"{url}/v1/flows/{flow}/changes", body, {
            "Authorization": "Bearer " + os.environ["LOCKSTEP_TOKEN"], "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as why:
            if why.code < 500 and why.code != 429:
                sys.exit(f"{why.code} {why.read().decode()}")
        except OSError:
            pass
        time.sleep(1)


with open(path, newline="", encoding="utf-8") as file:
    rows = csv.DictReader(file)
    while changes := [{"fields": {f: v or None for f, v in row.items()}} for row in itertools.islice(rows, 1000)]:
        for bad in push(changes, False).get("refused", []):
            print(f"{bad.get('key') or changes[bad['index']]}: {bad['code']} {bad.get('field', '')} {bad['detail']}", file=sys.stderr)
left = push([], True).get("missing")  # the source has pushed everything
sys.exit(f"these flows still miss something: {left}" if left else 0)
