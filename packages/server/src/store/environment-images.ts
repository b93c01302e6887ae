import type { AccountId, EnvironmentId } from '../domain/ids.ts'
import type { Moment } from '../kit/clock.ts'
import { json, number, text } from './rows.ts'
import { done, firstWon, read, readOne, sql, write } from './sql.ts'
import type { Read, Row, Write } from './store.ts'

/** Which image an environment is. */
export interface EnvironmentImage {
  /** As the engine that built it knows it: the digest of its configuration. */
  readonly imageId: string
  /** What keeps it there: `repository:tag`. */
  readonly tag: string
  /** What virtualenv and conda were built on; the platform's base may be another one since. */
  readonly base?: string
  /** What it is in the registry, whichever host that has: `owner/name@sha256:…`. */
  readonly pushed?: string
  /** The path of its Python. */
  readonly python?: string
  /** Who may know of it. Absent: everybody who describes the same. */
  readonly accountId?: AccountId
}

export interface KeptImage {
  readonly id: EnvironmentId
  readonly image: EnvironmentImage
  readonly builtAt: Moment
  readonly usedAt: Moment
}

/** From now on this image is the environment. */
export function keepImage(
  id: EnvironmentId,
  { image, sbom, now }: { readonly image: EnvironmentImage; readonly sbom: string; readonly now: Moment },
): Write<void> {
  return write(
    [
      sql`insert into environment_image (id, image, pushed, sbom, built_at, used_at)
          values (${id}, ${image}, ${image.pushed}, ${sbom}, ${now}, ${now})
              on conflict (id) do update
                set image = excluded.image, pushed = excluded.pushed, sbom = excluded.sbom, built_at = excluded.built_at,
                    used_at = excluded.used_at`,
    ],
    done,
  )
}

export function imageOf(id: EnvironmentId): Read<EnvironmentImage | undefined> {
  return readOne(sql`select image from environment_image where id = ${id}`, (row) =>
    json<EnvironmentImage>(row, 'image'),
  )
}

/** What is installed in an environment's image, and whose that is. */
export function sbomOf(
  id: EnvironmentId,
): Read<{ readonly image: EnvironmentImage; readonly sbom: string } | undefined> {
  return readOne(sql`select image, sbom from environment_image where id = ${id}`, (row) => ({
    image: json<EnvironmentImage>(row, 'image'),
    sbom: text(row, 'sbom'),
  }))
}

/** All of them, without what is installed in them. */
export function keptImages(): Read<readonly KeptImage[]> {
  return read(sql`select id, image, built_at, used_at from environment_image order by id`, parseKept)
}

/** Notes that a deploy asked for it. */
export function useImage(id: EnvironmentId, now: Moment): Write<void> {
  return write([sql`update environment_image set used_at = ${now} where id = ${id}`], done)
}

/** Forgets it, unless it was asked for since then. `false` when it was, or is gone. */
export function forgetImage(id: EnvironmentId, before: Moment): Write<boolean> {
  return write([sql`delete from environment_image where id = ${id} and used_at < ${before}`], firstWon)
}

const parseKept = (row: Row): KeptImage => ({
  id: text(row, 'id'),
  image: json<EnvironmentImage>(row, 'image'),
  builtAt: number(row, 'built_at'),
  usedAt: number(row, 'used_at'),
})
