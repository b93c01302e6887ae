-- Files that deploys may name, by what the stock client calls their hash. Each account has its own: to know a hash is not
-- to have the file. Which blob holds the bytes is nobody's business outside.
create table app_file (
  account_id text not null references account (id),
  hash text not null,
  blob text not null,
  mode bigint not null,
  used_at bigint not null,
  primary key (account_id, hash)
);

-- Serves namedBlobs: which blobs of a prefix are named here.
create index app_file_blob on app_file (blob);
