-- What proves the log to others: the public keys that checkpoints are signed with, and the checkpoints. Never deleted.
CREATE TABLE audit_keys (
    key text COLLATE "C" PRIMARY KEY,              -- name+id+key, as C2SP's signed notes have it
    number integer NOT NULL                        -- in the order in which they came
);
CREATE TABLE audit_checkpoints (
    size bigint NOT NULL,                          -- events that it covers
    origin text COLLATE "C" NOT NULL,              -- the log's name; another one after a restore
    note text NOT NULL,                            -- the signed text
    PRIMARY KEY (size, origin)
);
