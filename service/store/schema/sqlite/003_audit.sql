-- What proves the log to others: the public keys that checkpoints are signed with, and the checkpoints. Never deleted.
CREATE TABLE audit_keys (
    key TEXT PRIMARY KEY,                          -- name+id+key, as C2SP's signed notes have it
    number INTEGER NOT NULL                        -- in the order in which they came
);
CREATE TABLE audit_checkpoints (
    size INTEGER NOT NULL,                         -- events that it covers
    origin TEXT NOT NULL,                          -- the log's name; another one after a restore
    note TEXT NOT NULL,                            -- the signed text
    PRIMARY KEY (size, origin)
);
