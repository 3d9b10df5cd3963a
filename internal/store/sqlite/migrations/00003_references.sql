-- +goose Up

-- What records were made with, where their mapping declares it.
CREATE TABLE reference_rows (
    flow_id INTEGER NOT NULL,
    key     TEXT NOT NULL,
    to_id   INTEGER NOT NULL, -- the flow of the other record
    to_key  TEXT NOT NULL,
    use     INTEGER NOT NULL, -- 1 made from what it holds, 2 holds its key on the target, 4 was sent without that key; added up
    asked   INTEGER NOT NULL, -- the entry whose news had it looked at last, 0 for none
    PRIMARY KEY (flow_id, key, to_id, to_key)
) WITHOUT ROWID;
CREATE INDEX reference_rows_to ON reference_rows (to_id, to_key, flow_id, key, use);
CREATE INDEX reference_rows_pending ON reference_rows (to_id, to_key) WHERE use & 4;

-- News of a record that have not reached all that refer to it: they go on behind a place.
CREATE TABLE news_rows (
    to_id      INTEGER NOT NULL,
    to_key     TEXT NOT NULL,
    use        INTEGER NOT NULL, -- of those that are to look
    asker      INTEGER NOT NULL, -- the entry that asks, 0 for none
    after_flow INTEGER NOT NULL,
    after_key  TEXT NOT NULL,
    PRIMARY KEY (to_id, to_key)
) WITHOUT ROWID;

CREATE VIEW refers AS
SELECT f.name AS flow, r.key, o.name AS to_flow, r.to_key, (r.use & 1) != 0 AS built, (r.use & 2) != 0 AS linked, (r.use & 4) != 0 AS pending, r.asked
FROM reference_rows r JOIN flow_rows f ON f.id = r.flow_id JOIN flow_rows o ON o.id = r.to_id;

CREATE VIEW news AS
SELECT o.name AS flow, n.to_key AS key, n.use, n.asker, n.after_key FROM news_rows n JOIN flow_rows o ON o.id = n.to_id;
