-- +goose Up

-- Times are whole microseconds since 1970-01-01 UTC in the tables; the views below show them as text. People read the
-- views: queue, parked, waits, links, checkpoints, runs, timeline.

CREATE TABLE counters (
    name TEXT PRIMARY KEY, -- entry, link: the first ID of the next block; epoch: how often the store was opened
    next INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counters VALUES ('entry', 1), ('link', 1), ('epoch', 0);

CREATE TABLE set_rows (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL UNIQUE,
    links INTEGER NOT NULL DEFAULT 0 -- how many it has
);

CREATE TABLE flow_rows (
    id              INTEGER PRIMARY KEY,
    name            TEXT NOT NULL UNIQUE,
    feed            TEXT NOT NULL,
    set_id          INTEGER NOT NULL REFERENCES set_rows,
    side            INTEGER NOT NULL, -- that it reads: 0 A, 1 B
    create_priority INTEGER NOT NULL,
    update_priority INTEGER NOT NULL,
    delete_priority INTEGER NOT NULL,
    attached        INTEGER NOT NULL, -- its feed fills it
    missed          INTEGER NOT NULL DEFAULT 0, -- its feed took changes while it was not attached
    settled         INTEGER           -- when it last settled something
);

CREATE TABLE feed_rows (
    name     TEXT PRIMARY KEY,
    position TEXT,
    up_to    INTEGER
) WITHOUT ROWID;

-- A link. Keys come first: a page of keys is looked up in one range or a few neighbouring leaves.
CREATE TABLE link_rows (
    set_id    INTEGER NOT NULL,
    a_key     TEXT NOT NULL,
    id        INTEGER NOT NULL,
    b_key     TEXT, -- null where it equals a_key
    a_digest  BLOB,
    a_version TEXT,
    b_digest  BLOB,
    b_version TEXT,
    run       INTEGER,
    at        INTEGER NOT NULL,
    PRIMARY KEY (set_id, a_key)
) WITHOUT ROWID;
CREATE INDEX link_rows_b ON link_rows (set_id, b_key) WHERE b_key IS NOT NULL;

-- An open queue entry. Leases are not here: they live in the process that owns the store.
CREATE TABLE entry_rows (
    id         INTEGER PRIMARY KEY,
    flow_id    INTEGER NOT NULL REFERENCES flow_rows,
    key        TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state      INTEGER NOT NULL, -- 0 ready, 1 delayed, 2 waiting, 3 parked
    priority   INTEGER NOT NULL, -- -1 high, 0 normal, 1 low
    captured   INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    coalesced  INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    epoch      INTEGER NOT NULL, -- in a later epoch the entry counts as tried
    tried_at   INTEGER,
    not_before INTEGER,
    for_flow   TEXT,
    for_key    TEXT,
    op         INTEGER NOT NULL, -- 0 upsert, 1 delete
    hint       INTEGER NOT NULL,
    unread     INTEGER NOT NULL, -- the record could not be read: fault says why
    origin     INTEGER NOT NULL, -- 0 captured, 1 hinted, 2 page
    version    TEXT,
    at         TEXT,             -- when the source changed it, RFC 3339
    fault      TEXT,             -- JSON
    steps      TEXT,             -- JSON: what was tried so far
    image      TEXT              -- tagged JSON
);
CREATE UNIQUE INDEX entry_rows_key ON entry_rows (flow_id, key); -- law 2
CREATE INDEX entry_rows_ready ON entry_rows (flow_id, priority, captured) WHERE state = 0;
CREATE INDEX entry_rows_held ON entry_rows (flow_id, captured) WHERE state IN (1, 2);
CREATE INDEX entry_rows_due ON entry_rows (flow_id, not_before) WHERE not_before IS NOT NULL;
CREATE INDEX entry_rows_for ON entry_rows (for_flow, for_key) WHERE for_flow IS NOT NULL;
CREATE INDEX entry_rows_parked ON entry_rows (flow_id) WHERE state = 3;

CREATE TABLE run_rows (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    flow    TEXT NOT NULL,
    kind    TEXT NOT NULL,
    state   TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended   INTEGER,
    counts  TEXT NOT NULL, -- JSON
    place   TEXT,
    fault   TEXT,          -- JSON
    note    TEXT NOT NULL
);
CREATE INDEX run_rows_flow ON run_rows (flow);

-- What an unfinished full run needs: the records that it began to write, and which links its scan has seen.
CREATE TABLE flight_rows (
    run     INTEGER NOT NULL,
    records TEXT NOT NULL -- tagged JSON: source key, target key, and the image where the target key is not known
);
CREATE INDEX flight_rows_run ON flight_rows (run);
CREATE TABLE chunk_rows (
    run  INTEGER NOT NULL,
    no   INTEGER NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (run, no)
) WITHOUT ROWID;

CREATE VIEW queue AS
SELECT e.id, f.name AS flow, e.key, e.generation,
    CASE e.state WHEN 0 THEN 'ready' WHEN 1 THEN 'delayed' WHEN 2 THEN 'waiting' ELSE 'parked' END AS state,
    CASE e.priority WHEN -1 THEN 'high' WHEN 0 THEN 'normal' ELSE 'low' END AS priority,
    strftime('%Y-%m-%d %H:%M:%f', e.captured / 1e6, 'unixepoch') AS captured,
    strftime('%Y-%m-%d %H:%M:%f', e.changed / 1e6, 'unixepoch') AS changed,
    e.coalesced, e.attempts,
    strftime('%Y-%m-%d %H:%M:%f', e.tried_at / 1e6, 'unixepoch') AS tried_at,
    strftime('%Y-%m-%d %H:%M:%f', e.not_before / 1e6, 'unixepoch') AS not_before,
    e.for_flow, e.for_key,
    CASE WHEN e.unread THEN 'unread' WHEN e.hint THEN 'hint' WHEN e.op THEN 'delete' ELSE 'upsert' END AS change,
    e.version, e.at, e.fault, e.steps, e.image
FROM entry_rows e JOIN flow_rows f ON f.id = e.flow_id;

CREATE VIEW parked AS
SELECT id, flow, key, captured, attempts, change, json_extract(fault, '$.code') AS code, json_extract(fault, '$.text') AS why
FROM queue WHERE state = 'parked';

CREATE VIEW waits AS
SELECT id, flow, key, for_flow, for_key, not_before FROM queue WHERE state = 'waiting';

CREATE VIEW links AS
SELECT l.id, s.name AS "set", l.a_key, coalesce(l.b_key, l.a_key) AS b_key, hex(l.a_digest) AS a_digest, l.a_version,
    hex(l.b_digest) AS b_digest, l.b_version, l.run, strftime('%Y-%m-%d %H:%M:%f', l.at / 1e6, 'unixepoch') AS at
FROM link_rows l JOIN set_rows s ON s.id = l.set_id;

CREATE VIEW checkpoints AS
SELECT name AS feed, position, strftime('%Y-%m-%d %H:%M:%f', up_to / 1e6, 'unixepoch') AS captured_up_to FROM feed_rows;

CREATE VIEW runs AS
SELECT id, flow, kind, state, strftime('%Y-%m-%d %H:%M:%f', started / 1e6, 'unixepoch') AS started,
    strftime('%Y-%m-%d %H:%M:%f', ended / 1e6, 'unixepoch') AS ended, counts, place, fault, note
FROM run_rows;
