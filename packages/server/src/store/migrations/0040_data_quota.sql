-- Most bytes that an account may keep in /data: null is what the server has for all, 0 is no limit.
alter table account add column data_quota bigint;

-- Images for machines that cannot pull: what deploys call them, and where they are in the registry.
create table imported_image (
  name text primary key,
  repository text not null,
  digest text not null,
  imported_at bigint not null
);
