create table installation (
  name text primary key,
  value text not null
);

create table account (
  id text primary key,
  nickname text not null unique,
  full_name text not null,
  created_at bigint not null
);

create table api_key (
  id text primary key,
  account_id text not null references account (id),
  -- SHA-256 of the secret. The secret itself is stored nowhere.
  secret_hash bytea not null,
  -- JSON list of permission names.
  permissions text not null,
  alias text not null default '',
  created_at bigint not null,
  revoked_at bigint
);
-- Serves liveKeys, which the keyring reads at start and after each change.
create index api_key_live on api_key (account_id) where revoked_at is null;
