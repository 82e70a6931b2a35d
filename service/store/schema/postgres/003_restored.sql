-- Whether an operator declared that this log was restored from a backup. Its streams have names of their own then.
ALTER TABLE log_identity ADD COLUMN restored boolean NOT NULL DEFAULT false;
