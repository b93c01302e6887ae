-- The OpenAPI document that a runner of a revision served itself, where its deploy sent none: kept apart from what was
-- sent, for a deploy's metadata is given back as it came.
create table served_openapi (
  revision_id text primary key references revision (id),
  -- JSON, as it was served.
  document text not null,
  read_at bigint not null
);
