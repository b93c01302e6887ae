import type { Moment } from '../kit/clock.ts'
import { number, text } from './rows.ts'
import { done, firstWon, read, sql, write } from './sql.ts'
import type { Read, Write } from './store.ts'

/** An image of the registry that deploys find by a name of another one. */
export interface ImportedImage {
  /** With registry and tag: `docker.io/library/python:3.11-slim`. */
  readonly name: string
  readonly repository: string
  readonly digest: string
}

export interface KeptImport extends ImportedImage {
  readonly importedAt: Moment
}

/** From now on the name means this image. */
export function keepImported({ name, repository, digest }: ImportedImage, now: Moment): Write<void> {
  return write(
    [
      sql`insert into imported_image (name, repository, digest, imported_at)
          values (${name}, ${repository}, ${digest}, ${now})
              on conflict (name) do update
                set repository = excluded.repository, digest = excluded.digest, imported_at = excluded.imported_at`,
    ],
    done,
  )
}

export function importedImages(): Read<readonly KeptImport[]> {
  return read(sql`select name, repository, digest, imported_at from imported_image order by name`, (row) => ({
    name: text(row, 'name'),
    repository: text(row, 'repository'),
    digest: text(row, 'digest'),
    importedAt: number(row, 'imported_at'),
  }))
}

/** From now on the name means what other registries say. `false` when it means another image by now, or none: then nothing happened. */
export function forgetImported({ name, digest }: Pick<ImportedImage, 'name' | 'digest'>): Write<boolean> {
  return write([sql`delete from imported_image where name = ${name} and digest = ${digest}`], firstWon)
}
