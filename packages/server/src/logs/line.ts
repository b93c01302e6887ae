import type { LogLine } from './log-store.ts'

/** How much a line weighs where memory is counted: its text, and about what the rest of it takes. */
export function weightOf(line: LogLine): number {
  return line.message.length + 256
}

/** Whose bound a line counts against: its app's, or its account's when it comes from no app. */
export function ownerOf({ appId, accountId }: LogLine): string {
  return appId ?? accountId
}

/** A line whose message has at most `bytes` bytes of text; what is longer ends in a mark that says so. */
export function cutTo(bytes: number, line: LogLine): LogLine {
  if (line.message.length * 3 <= bytes) return line
  const whole = Buffer.from(line.message)
  if (whole.length <= bytes) return line
  const head = whole.subarray(0, endOfCharacter(whole, bytes)).toString()
  return { ...line, message: `${head}… (cut here: the line has ${whole.length} bytes)` }
}

/** The last place at or before `at` where no character is split. */
function endOfCharacter(text: Buffer, at: number): number {
  let end = at
  while (end > 0 && (text[end]! & 0xc0) === 0x80) end -= 1
  return end
}
