-- Most bytes that an account may keep in /data: null is what the server has for all, 0 is no limit.
alter table account add column data_quota bigint;
