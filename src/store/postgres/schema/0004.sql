-- Bytes of a few KB stay in their row: they are written once, read soon after, and sealed, so that
-- nothing is gained by a table of their own for each.
ALTER TABLE wire SET (toast_tuple_target = 8160);
ALTER TABLE snapshots SET (toast_tuple_target = 8160);
