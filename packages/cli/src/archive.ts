import { readFile } from 'node:fs/promises'
import { canAsk, prompt } from './prompt.ts'

export interface ArchiveFlags {
  readonly passphraseFile?: string
  readonly json?: boolean
}

/** The passphrase that was given, in a variable or in a file; undefined when there is none. */
export async function givenPassphrase({ passphraseFile }: ArchiveFlags): Promise<string | undefined> {
  if (passphraseFile === undefined) return process.env['CARRICK_BACKUP_PASSPHRASE'] || undefined
  const [line = ''] = (await readFile(passphraseFile, 'utf8')).split(/\r?\n/)
  if (line === '') throw new Error(`${passphraseFile} holds no passphrase: its first line is empty`)
  return line
}

/** Asks for one, twice. */
export async function askedPassphrase(): Promise<string> {
  if (!canAsk())
    throw new Error('there is no passphrase: give it in CARRICK_BACKUP_PASSPHRASE, or with --passphrase-file')
  const first = await prompt('Passphrase: ', { hidden: true })
  if (first === '') throw new Error('an empty passphrase protects nothing')
  if ((await prompt('Once more: ', { hidden: true })) !== first) throw new Error('the two are not the same')
  return first
}

/** A signal that Ctrl-C and SIGTERM abort; what is under way then tidies up. */
export function untilInterrupted(): AbortSignal {
  const controller = new AbortController()
  const reason = Object.assign(new Error('interrupted: nothing was kept'), { name: 'Interruption' })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort(reason))
  return controller.signal
}

interface Done {
  readonly files: number
  readonly bytes: number
  readonly ofBytes: number
}

const showEveryMs = { terminal: 200, file: 10_000 }

/** Shows on stderr how far it is: in one line that changes at a terminal, now and then in a new one elsewhere. */
export function progressShown(what: string): { readonly onProgress: (done: Done) => void; readonly end: () => void } {
  const { isTTY } = process.stderr
  const everyMs = isTTY ? showEveryMs.terminal : showEveryMs.file
  let nextAt = performance.now() + everyMs
  return {
    onProgress({ files, bytes, ofBytes }) {
      if (performance.now() < nextAt) return
      nextAt = performance.now() + everyMs
      const percent = ofBytes === 0 ? 100 : Math.min(99, Math.floor((bytes / ofBytes) * 100))
      const line = `${what}: ${percent} %, ${files} files, ${size(bytes)}`
      process.stderr.write(isTTY ? `\r\u001B[K${line}` : `${line}\n`)
    },
    end: () => void (isTTY && process.stderr.write('\r\u001B[K')),
  }
}

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

/** Bytes as people read them. */
export function size(bytes: number): string {
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10))
  const amount = bytes / 1_024 ** power
  return `${power === 0 ? amount : amount.toFixed(1)} ${units[power] ?? ''}`
}
