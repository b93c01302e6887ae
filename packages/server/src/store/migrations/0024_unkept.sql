-- Requests whose payloads are forgotten soon after their end, because their caller wants so. Gone with what they name.
create table unkept (request_id text primary key);
