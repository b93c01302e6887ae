-- Of a request whose caller wants its payloads not to be kept: 1 while they are there, 0 when they are gone. Null: kept.
alter table request add column drop_io bigint;
-- Serves unkeptRequests: holds those alone whose payloads are still there.
create index request_unkept on request (finished_at) where drop_io = 1 and state = 'completed';
