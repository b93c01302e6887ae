-- What repositories hold of blobs: whoever may read the repository may have them, and nobody by knowing a digest alone.
-- A repository is its whole name, `owner/name`, and there as long as it holds something.
create table registry_blob (
  repository text not null,
  -- As clients know it: `sha256:…`.
  digest text not null,
  -- The key of the bytes.
  blob text not null,
  length bigint not null,
  -- When somebody last asked for it to name it: until a while later it stays, whether it is named or not.
  used_at bigint not null,
  primary key (repository, digest)
);
-- Serves bodiesUnder.
create index registry_blob_blob on registry_blob (blob);
-- Serves holderOf.
create index registry_blob_digest on registry_blob (digest);
-- Serves unnamedImageBlobs.
create index registry_blob_used on registry_blob (used_at);

create table registry_manifest (
  repository text not null,
  digest text not null,
  blob text not null,
  length bigint not null,
  media_type text not null,
  -- What it says something about, as a signature does of an image: a digest that need not be there.
  subject text,
  artifact_type text,
  -- JSON
  annotations text,
  used_at bigint not null,
  primary key (repository, digest)
);
-- Serves bodiesUnder.
create index registry_manifest_blob on registry_manifest (blob);
-- Serves referrersOf.
create index registry_manifest_subject on registry_manifest (repository, subject) where subject is not null;
-- Serves unnamedManifests.
create index registry_manifest_used on registry_manifest (used_at);

-- What a manifest names: a blob, or another manifest.
create table registry_reference (
  repository text not null,
  manifest text not null,
  blob_digest text,
  manifest_digest text,
  check ((blob_digest is null) <> (manifest_digest is null)),
  foreign key (repository, manifest) references registry_manifest (repository, digest) on delete cascade,
  foreign key (repository, blob_digest) references registry_blob (repository, digest),
  foreign key (repository, manifest_digest) references registry_manifest (repository, digest)
);
create unique index registry_reference_blob on registry_reference (repository, blob_digest, manifest) where blob_digest is not null;
create unique index registry_reference_manifest on registry_reference (repository, manifest_digest, manifest) where manifest_digest is not null;
create index registry_reference_of on registry_reference (repository, manifest);

create table registry_tag (
  repository text not null,
  name text not null,
  digest text not null,
  primary key (repository, name),
  foreign key (repository, digest) references registry_manifest (repository, digest)
);
create index registry_tag_digest on registry_tag (repository, digest);
