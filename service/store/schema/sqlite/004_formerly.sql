-- Which log it was before it was declared restored: it says the same as `restored`, so that neither is changed unnoticed.
-- All zeros: declared by a release that did not write it down.
ALTER TABLE log_identity ADD COLUMN formerly TEXT;
UPDATE log_identity SET formerly = '00000000000000000000000000000000' WHERE restored;
