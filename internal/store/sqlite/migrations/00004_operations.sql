-- +goose Up

-- What the target has accepted and is not done with: at most one to an entry, which is in state 4 as long.
CREATE TABLE operation_rows (
    entry      INTEGER PRIMARY KEY,
    flow_id    INTEGER NOT NULL,
    receipt    TEXT NOT NULL,
    at         INTEGER NOT NULL, -- when it was accepted
    ask        INTEGER NOT NULL, -- when it is asked about next
    generation INTEGER NOT NULL, -- of the entry, that was accepted
    first      INTEGER,          -- when the oldest change since came
    coalesced  INTEGER NOT NULL, -- what the entry's count was when it was leased
    then_text  TEXT              -- what it comes to once it is done: the engine's own text
);
CREATE INDEX operation_rows_ask ON operation_rows (flow_id, ask);
CREATE INDEX operation_rows_at ON operation_rows (flow_id, at);

-- What nobody else is to write until an operation ends.
CREATE TABLE hold_rows (
    name  TEXT NOT NULL,
    entry INTEGER NOT NULL,
    PRIMARY KEY (name, entry)
) WITHOUT ROWID;
CREATE INDEX hold_rows_entry ON hold_rows (entry);

CREATE INDEX entry_rows_confirming ON entry_rows (flow_id, captured) WHERE state = 4;

CREATE VIEW operations AS
SELECT f.name AS flow, e.key, o.receipt, strftime('%Y-%m-%d %H:%M:%f', o.at / 1e6, 'unixepoch') AS accepted,
    strftime('%Y-%m-%d %H:%M:%f', o.ask / 1e6, 'unixepoch') AS asked_next, o.generation, e.generation > o.generation AS newer_waits, o.entry
FROM operation_rows o JOIN entry_rows e ON e.id = o.entry JOIN flow_rows f ON f.id = o.flow_id;

DROP VIEW queue;
CREATE VIEW queue AS
SELECT e.id, f.name AS flow, e.key, e.generation,
    CASE e.state WHEN 0 THEN 'ready' WHEN 1 THEN 'delayed' WHEN 2 THEN 'waiting' WHEN 3 THEN 'parked' ELSE 'confirming' END AS state,
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
