-- +goose Up

-- Of an entry of a pair that was overtaken while a try may have taken effect: what that try was to bring, as tagged JSON;
-- '' for a delete. Null where nothing was overtaken.
ALTER TABLE entry_rows ADD COLUMN prior TEXT;
