-- The key-value store of apps. `store` is what clients call the database.
create table kv (
  account_id text not null references account (id),
  store text not null,
  name text not null,
  value text not null,
  expires_at bigint not null,
  primary key (account_id, store, name)
);
-- Serves dropExpiredValues.
create index kv_expired on kv (expires_at);
