/** What the machine says of a path, in words. */
const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'it is not yours to use',
  EPERM: 'it is not yours to use',
  EISDIR: 'it is a folder, not a file',
  ENOTDIR: 'a part of the way to it is a file, not a folder',
  ENOSPC: 'the disk is full',
  EROFS: 'its disk can only be read',
}

/** Why something could not be done with a path: half a sentence. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return words[code] ?? (error instanceof Error ? error.message : String(error))
}

/** What a person is told of an error: its own sentence, or the path and why where the machine refused that. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const isRefused = 'code' in error && 'path' in error && error.message.startsWith(`${String(error.code)}: `)
  return isRefused && String(error.code) in words ? `${String(error.path)}: ${reasonOf(error)}` : error.message
}
