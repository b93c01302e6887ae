create table secret (
  account_id text not null references account (id),
  environment text not null,
  name text not null,
  -- Encrypted with the installation's key; account, environment and name are bound to it.
  value bytea not null,
  default_exposed bigint not null check (default_exposed in (0, 1)),
  created_at bigint not null,
  primary key (account_id, environment, name)
);
