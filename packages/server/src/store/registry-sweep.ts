import type { Moment } from '../kit/clock.ts'
import { text } from './rows.ts'
import { firstWon, read, sql, write } from './sql.ts'
import type { Read, Statement, Write } from './store.ts'

/** Where a manifest is. */
export interface ManifestRow {
  readonly repository: string
  readonly digest: string
}

/**
 * Some of the manifests that no tag and no other manifest leads to, that say nothing about one that is there, and that
 * nobody has put or named since then. An environment may be made of them.
 */
export function unnamedManifests(before: Moment, after: ManifestRow, limit: number): Read<readonly ManifestRow[]> {
  return read(
    sql`select repository, digest
          from registry_manifest
         where used_at < ${before}
           and (repository > ${after.repository} or (repository = ${after.repository} and digest > ${after.digest}))
           and not exists (select 1 from registry_tag
                            where registry_tag.repository = registry_manifest.repository
                              and registry_tag.digest = registry_manifest.digest)
           and not exists (select 1 from registry_reference
                            where registry_reference.repository = registry_manifest.repository
                              and registry_reference.manifest_digest = registry_manifest.digest)
           and not exists (select 1 from registry_manifest as subject
                            where subject.repository = registry_manifest.repository
                              and subject.digest = registry_manifest.subject)
         order by repository, digest
         limit ${limit}`,
    (row) => ({ repository: text(row, 'repository'), digest: text(row, 'digest') }),
  )
}

/** Forgets a manifest, unless something leads to it now, or somebody has put or named it since then. */
export function forgetManifest({ repository, digest }: ManifestRow, before: Moment): Write<boolean> {
  return write(
    [
      sql`delete from registry_manifest
           where repository = ${repository} and digest = ${digest} and used_at < ${before}
             and not exists (select 1 from registry_tag where repository = ${repository} and digest = ${digest})
             and not exists (select 1 from registry_reference
                              where repository = ${repository} and manifest_digest = ${digest})`,
    ],
    firstWon,
  )
}

/** Takes some of the blobs out of their repositories that no manifest there names, and nobody has asked for since then. Answers how many. */
export function forgetImageBlobs(before: Moment, limit: number): Write<number> {
  const unnamed: Statement = sql`
    select repository, digest
      from registry_blob
     where used_at < ${before}
       and not exists (select 1 from registry_reference
                        where registry_reference.repository = registry_blob.repository
                          and registry_reference.blob_digest = registry_blob.digest)
     limit ${limit}`
  return write(
    [
      {
        text: `delete from registry_blob where (repository, digest) in (${unnamed.text}) and used_at < ?`,
        values: [...unnamed.values, before],
      },
    ],
    ([dropped]) => dropped?.changes ?? 0,
  )
}
