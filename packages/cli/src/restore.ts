import { restore as restoreBackup } from '@carrick/server/restore'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { givenPassphrase, progressShown, size, untilInterrupted, type ArchiveFlags } from './archive.ts'
import { print } from './output.ts'

interface Flags extends ArchiveFlags {
  readonly data: string
  readonly replacesOriginal?: boolean
}

/** `carrick restore FILE --data NEW`: a data folder from a backup. */
export async function restore(file: string, flags: Flags): Promise<void> {
  const folder = resolve(flags.data)
  const { onProgress, end } = progressShown('Restore')
  const from = file === '-' ? process.stdin : (await open(file, 'r')).createReadStream()
  const { head, files, bytes } = await restoreBackup({
    from,
    folder,
    passphrase: await givenPassphrase(flags),
    replacesOriginal: flags.replacesOriginal === true,
    onProgress,
    signal: untilInterrupted(),
  }).finally(end)
  if (head.kept_at !== '')
    console.error(
      `Large bodies, results, uploads and the code of apps were not in it: they are kept at ${head.kept_at}, and the server needs that bucket` +
        (flags.replacesOriginal === true ? '.' : ', which belongs to the original installation (--replaces-original).'),
    )
  const text =
    `${folder} holds ${head.owner}'s installation as it was at ${head.created_at} (${files} files, ${size(bytes)}). ` +
    `Start it with \`npx carrick up --data ${folder}\`; environments are built again when they are needed`
  const json = { folder, files, bytes, owner: head.owner, created_at: head.created_at, kept_at: head.kept_at }
  print({ text, json }, flags)
}
