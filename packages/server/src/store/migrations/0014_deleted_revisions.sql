-- Runners stay on record and name their revision, so a deleted one stays too; nobody sees it any more.
alter table revision add column deleted_at bigint;
