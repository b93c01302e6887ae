-- An environment that was built as an image: what is kept names it without the host of a registry, which may change.
create table environment_image (
  id text primary key,
  image text not null,
  -- What of the registry it needs: `owner/name@sha256:…`.
  pushed text,
  -- What is installed in it, for its owners: a list in CycloneDX.
  sbom text not null,
  built_at bigint not null,
  -- When a deploy last asked for it: what nobody asks for and nothing names goes some day.
  used_at bigint not null
);
