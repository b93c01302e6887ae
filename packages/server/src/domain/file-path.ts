import { CarrickError } from './errors.ts'

/** Where every runner of an account finds the account's files, and what clients begin absolute paths with. */
export const dataPath = '/data'

/** The way to a file below a folder, name by name. Empty is the folder itself. */
export type FilePath = readonly string[]

const longestName = 255
const longestPath = 4_096
const deepest = 100

/** Reads a path as clients send it: absolute below `/data`, or relative to it. Throws `bad_request` for one that leads anywhere else. */
export function filePathOf(sent: string): FilePath {
  const names = sent.split('/').filter((name) => name !== '' && name !== '.')
  if (!sent.startsWith('/')) return checkedPath(names, sent)
  const [first, ...below] = names
  if (`/${first ?? ''}` !== dataPath) throw new CarrickError('bad_request', `${shown(sent)} is not below ${dataPath}`)
  return checkedPath(below, sent)
}

/** Reads a path that must stay below a folder of its own, as in archives and lists of files. */
export function relativePathOf(sent: string): FilePath {
  const names = sent.split('/').filter((name) => name !== '.')
  if (sent === '' || names.includes('')) throw refusal(sent, 'it must be relative, without empty names')
  return checkedPath(names, sent)
}

/** As clients know it. */
export function shownPath(path: FilePath): string {
  return [dataPath, ...path].join('/')
}

/** Throws `bad_request` when two of these are one file, differ in upper and lower case alone, or one lies in the other. */
export function checkApart(paths: readonly FilePath[]): void {
  const files = new Set<string>()
  const folders = new Set<string>()
  for (const path of paths) {
    const whole = folded(path)
    const above = path.slice(0, -1).map((_, index) => folded(path.slice(0, index + 1)))
    if (files.has(whole)) throw refusal(path.join('/'), 'it comes twice, perhaps in upper and in lower case')
    if (folders.has(whole) || above.some((each) => files.has(each)))
      throw refusal(path.join('/'), 'it is a file and a folder')
    files.add(whole)
    for (const each of above) folders.add(each)
  }
}

const folded = (path: FilePath) => path.join('/').normalize('NFC').toLowerCase()

function checkedPath(names: FilePath, sent: string): FilePath {
  if (Buffer.byteLength(sent) > longestPath || names.length > deepest)
    throw refusal(sent, `it is longer than ${longestPath} bytes or ${deepest} names`)
  if (sent.includes('\0')) throw refusal(sent, 'it contains a zero byte')
  if (names.includes('..')) throw refusal(sent, '".." leads out of the folder')
  if (names.some((name) => Buffer.byteLength(name) > longestName))
    throw refusal(sent, `a name in it is longer than ${longestName} bytes`)
  return names
}

const refusal = (sent: string, why: string) =>
  new CarrickError('bad_request', `The path ${shown(sent)} is refused: ${why}`)

function shown(sent: string): string {
  return JSON.stringify(sent.length > 200 ? `${sent.slice(0, 200)}…` : sent)
}
