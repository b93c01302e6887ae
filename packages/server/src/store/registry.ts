import type { BlobKey } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, optionalText, present, text } from './rows.ts'
import { done, firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Statement, Write } from './store.ts'

/** Bytes of a repository, by the digest that its clients know. */
export interface ImageBlob {
  readonly digest: string
  readonly blob: BlobKey
  readonly length: number
}

export interface HeldBlob extends ImageBlob {
  readonly usedAt: Moment
}

export interface Manifest extends ImageBlob {
  readonly mediaType: string
  readonly subject?: string
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** What a manifest names, by digest, without those that its registry need not hold. */
export interface Named {
  readonly blobs: readonly string[]
  readonly manifests: readonly string[]
}

/** The blob, if this repository holds it. */
export function heldBlob(repository: string, digest: string): Read<HeldBlob | undefined> {
  return readOne(
    sql`select digest, blob, length, used_at from registry_blob where repository = ${repository} and digest = ${digest}`,
    (row) => ({ ...imageBlob(row), usedAt: number(row, 'used_at') }),
  )
}

/** A repository holds a blob from now on. */
export function holdBlob(repository: string, { digest, blob, length }: ImageBlob, now: Moment): Write<void> {
  return write(
    [
      sql`insert into registry_blob (repository, digest, blob, length, used_at)
          values (${repository}, ${digest}, ${blob}, ${length}, ${now})
              on conflict (repository, digest) do update set used_at = excluded.used_at`,
    ],
    done,
  )
}

/** Keeps a blob for a while, because somebody is about to name it. `false` when the repository does not hold it. */
export function useBlob(repository: string, digest: string, now: Moment): Write<boolean> {
  return write(
    [sql`update registry_blob set used_at = ${now} where repository = ${repository} and digest = ${digest}`],
    firstWon,
  )
}

/** A repository holds what another one does. `false` when that one does not. */
export function mountBlob(from: string, repository: string, digest: string, now: Moment): Write<boolean> {
  return write(
    [
      sql`insert into registry_blob (repository, digest, blob, length, used_at)
          select ${repository}, digest, blob, length, ${now}
            from registry_blob
           where repository = ${from} and digest = ${digest}
              on conflict (repository, digest) do update set used_at = excluded.used_at`,
    ],
    firstWon,
  )
}

/** One of an owner's repositories that holds a blob. */
export function holderOf(owner: string, digest: string): Read<string | undefined> {
  return readOne(
    sql`select repository from registry_blob
         where digest = ${digest} and repository like ${`${owner}/%`}
         limit 1`,
    (row) => text(row, 'repository'),
  )
}

/** Takes a blob out of a repository, unless a manifest there names it. Answers whether it was there, and is gone. */
export function dropBlob(repository: string, digest: string): Write<boolean> {
  return write(
    [
      sql`delete from registry_blob
           where repository = ${repository} and digest = ${digest}
             and not exists (select 1 from registry_reference
                              where repository = ${repository} and blob_digest = ${digest})`,
    ],
    firstWon,
  )
}

/** Which of these blobs or manifests a repository does not hold. */
export function missingOf(repository: string, { blobs, manifests }: Named): Read<readonly string[]> {
  const held = [
    `select digest from registry_blob where repository = ? and digest in (${holes(blobs.length)})`,
    `select digest from registry_manifest where repository = ? and digest in (${holes(manifests.length)})`,
  ].join(' union all ')
  return {
    statement: { text: held, values: [repository, ...blobs, repository, ...manifests] },
    result: (rows) => {
      const there = new Set(rows.map((row) => text(row, 'digest')))
      return [...blobs, ...manifests].filter((digest) => !there.has(digest))
    },
  }
}

/**
 * Puts a manifest, and tags that lead to it from now on. The database refuses it when it names what the repository does
 * not hold: then nothing happened.
 */
export function putManifest(
  repository: string,
  manifest: Manifest,
  { named, tags, now }: { readonly named: Named; readonly tags: readonly string[]; readonly now: Moment },
): Write<void> {
  const { digest } = manifest
  const place = (blob: string | null, child: string | null) => [repository, digest, blob, child]
  const rows = [...named.blobs.map((each) => place(each, null)), ...named.manifests.map((each) => place(null, each))]
  return write(
    [
      insertManifest(repository, manifest, now),
      ...usedNow('registry_blob', repository, named.blobs, now),
      ...usedNow('registry_manifest', repository, named.manifests, now),
      ...(rows.length === 0 ? [] : [insertReferences(rows)]),
      ...tags.flatMap((tag) => putTag(repository, tag, digest, now)),
    ],
    done,
  )
}

/** A manifest by its digest, or by a tag. */
export function manifestAt(repository: string, reference: string): Read<Manifest | undefined> {
  const statement = reference.includes(':')
    ? sql`select * from registry_manifest where repository = ${repository} and digest = ${reference}`
    : sql`select registry_manifest.*
            from registry_tag join registry_manifest
              on registry_manifest.repository = registry_tag.repository and registry_manifest.digest = registry_tag.digest
           where registry_tag.repository = ${repository} and registry_tag.name = ${reference}`
  return readOne(statement, parseManifest)
}

/** Whether there is such a repository: one that holds anything. */
export function repositoryExists(repository: string): Read<boolean> {
  const { statement } = readOne(
    sql`select 1 as found from registry_manifest where repository = ${repository}
         union all
        select 1 from registry_blob where repository = ${repository}
         limit 1`,
    done,
  )
  return { statement, result: (rows) => rows.length > 0 }
}

/** A page of a repository's tags, in order. */
export function tagsOf(repository: string, after: string, limit: number): Read<readonly string[]> {
  return read(
    sql`select name from registry_tag where repository = ${repository} and name > ${after} order by name limit ${limit}`,
    (row) => text(row, 'name'),
  )
}

/** A page of the repositories that hold an image, in order: an owner's, or all. */
export function repositoriesOf(owner: string | undefined, after: string, limit: number): Read<readonly string[]> {
  const whose = owner === undefined ? '%' : `${owner}/%` // nothing in the name of an owner means something to "like"
  return read(
    sql`select distinct repository from registry_manifest
         where repository > ${after} and repository like ${whose}
         order by repository
         limit ${limit}`,
    (row) => text(row, 'repository'),
  )
}

/** The manifests that say something about this one, at most so many. */
export function referrersOf(repository: string, subject: string, limit: number): Read<readonly Manifest[]> {
  return read(
    sql`select * from registry_manifest
         where repository = ${repository} and subject = ${subject}
         order by digest
         limit ${limit}`,
    parseManifest,
  )
}

export function deleteTag(repository: string, name: string, now: Moment): Write<boolean> {
  return write(
    [
      ...usedByTag(repository, name, now),
      sql`delete from registry_tag where repository = ${repository} and name = ${name}`,
    ],
    ([, deleted]) => deleted?.changes === 1,
  )
}

/** Deletes a manifest with its tags, unless another one names it. */
export function deleteManifest(repository: string, digest: string): Write<boolean> {
  const named = sql`select 1 from registry_reference where repository = ${repository} and manifest_digest = ${digest}`
  return write(
    [
      sql`delete from registry_tag
           where repository = ${repository} and digest = ${digest}
             and not exists (select 1 from registry_reference
                              where repository = ${repository} and manifest_digest = ${digest})`,
      {
        text: `delete from registry_manifest where repository = ? and digest = ? and not exists (${named.text})`,
        values: [repository, digest, ...named.values],
      },
    ],
    ([, deleted]) => deleted?.changes === 1,
  )
}

function insertManifest(repository: string, manifest: Manifest, now: Moment): Statement {
  const { digest, blob, length, mediaType, subject, artifactType, annotations } = manifest
  return sql`
    insert into registry_manifest
           (repository, digest, blob, length, media_type, subject, artifact_type, annotations, used_at)
    values (${repository}, ${digest}, ${blob}, ${length}, ${mediaType}, ${subject}, ${artifactType}, ${annotations}, ${now})
        on conflict (repository, digest) do update set used_at = excluded.used_at, media_type = excluded.media_type`
}

function insertReferences(rows: readonly (readonly (string | null)[])[]): Statement {
  return {
    text: `insert into registry_reference (repository, manifest, blob_digest, manifest_digest)
           values ${rows.map(() => '(?, ?, ?, ?)').join(', ')}
               on conflict do nothing`,
    values: rows.flat(),
  }
}

function usedNow(table: string, repository: string, digests: readonly string[], now: Moment): Statement[] {
  if (digests.length === 0) return []
  const update = `update ${table} set used_at = ? where repository = ? and digest in (${holes(digests.length)})`
  return [{ text: update, values: [now, repository, ...digests] }]
}

/** What the tag led to before is kept for a while. */
function putTag(repository: string, tag: string, digest: string, now: Moment): Statement[] {
  return [
    ...usedByTag(repository, tag, now),
    sql`insert into registry_tag (repository, name, digest)
        values (${repository}, ${tag}, ${digest})
            on conflict (repository, name) do update set digest = excluded.digest`,
  ]
}

function usedByTag(repository: string, tag: string, now: Moment): Statement[] {
  return [
    sql`update registry_manifest set used_at = ${now}
         where repository = ${repository}
           and digest = (select digest from registry_tag where repository = ${repository} and name = ${tag})`,
  ]
}

/** None is a list that nothing is in. */
const holes = (count: number): string => (count === 0 ? 'null' : Array.from({ length: count }, () => '?').join(', '))

const imageBlob = (row: Row): ImageBlob => ({
  digest: text(row, 'digest'),
  blob: text(row, 'blob'),
  length: number(row, 'length'),
})

function parseManifest(row: Row): Manifest {
  const annotations = optionalText(row, 'annotations')
  return {
    ...imageBlob(row),
    mediaType: text(row, 'media_type'),
    ...present('subject', optionalText(row, 'subject')),
    ...present('artifactType', optionalText(row, 'artifact_type')),
    ...present('annotations', annotations === undefined ? undefined : json<Record<string, string>>(row, 'annotations')),
  }
}
