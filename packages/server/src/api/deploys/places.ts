import { z } from 'zod'
import { CarrickError } from '../../domain/errors.ts'
import { filePathOf, shownPath } from '../../domain/file-path.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { RevisionSpec } from '../../domain/revision.ts'
import { SentFile, storedFiles } from './app-files.ts'
import type { Deps } from '../deps.ts'

/** What runners find at paths of their own. */
export const Places = z.object({
  files: z.array(SentFile).max(20_000).default([]),
  /** What of `/data` they see. Empty: all of it. */
  dataMounts: z.array(z.string()).max(100).default([]),
})

/** Throws `unimplemented` when the backend's runners cannot have what this asks for, and `bad_request` for what nobody can. */
export async function placesOf(
  deps: Pick<Deps, 'store' | 'clock' | 'withoutMounts'>,
  caller: Caller,
  { files, dataMounts }: Readonly<{ files: readonly SentFile[]; dataMounts: readonly string[] }>,
): Promise<Pick<RevisionSpec, 'files' | 'dataMounts'>> {
  const asked = files.length > 0 ? 'app_files' : dataMounts.length > 0 ? 'data_mounts' : undefined
  if (asked !== undefined && deps.withoutMounts !== undefined) {
    throw new CarrickError(
      'unimplemented',
      `This server cannot serve ${asked}: its runners cannot have folders of their own, because ${deps.withoutMounts}`,
    )
  }
  const mounts = dataMounts.map((path) => shownPath(filePathOf(path)))
  const outermost = mounts.filter((path) => !mounts.some((other) => path.startsWith(`${other}/`)))
  return {
    ...(files.length === 0 ? {} : { files: await storedFiles(deps, caller, files) }),
    ...(mounts.length === 0 ? {} : { dataMounts: [...new Set(outermost)] }),
  }
}
