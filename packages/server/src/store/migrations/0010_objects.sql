-- What was uploaded. The bytes are files that `object_part` names.
create table object (
  -- Chance, which stands in its address: who knows it may read the object unless `acl` says otherwise.
  id text primary key,
  account_id text not null references account (id),
  name text not null,
  content_type text not null,
  -- JSON
  acl text,
  lifetime_ms bigint,
  state text not null check (state in ('open', 'whole')),
  length bigint,
  etag text,
  version bigint not null default 0,
  created_at bigint not null,
  drop_at bigint,
  check ((state = 'whole') = (length is not null and etag is not null)),
  check (state = 'whole' or drop_at is not null)
);
-- Serves droppedObjects.
create index object_dropped on object (drop_at) where drop_at is not null;

create table object_part (
  object_id text not null references object (id),
  number bigint not null,
  -- Its index serves objectFilesUnder too.
  file text not null unique,
  length bigint not null,
  etag text not null,
  primary key (object_id, number)
);
