-- Null for what was recorded before, and for what a crash left as begun.
alter table event add column ended_at bigint;
-- Serves changesOf: what happened to one app.
create index event_of_subject on event (account_id, subject, id);
