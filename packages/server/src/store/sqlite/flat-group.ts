import type { SqlValue, Statement } from '../store.ts'
import { Places } from './places.ts'

/**
 * A group on its way to the writer's thread. To clone one array of plain values takes a fraction of what nested ones
 * take. For each write it holds how many statements; for each of these its text's place, how many values, and the values.
 */
export interface FlatGroup {
  readonly texts: readonly string[]
  readonly cells: readonly Cell[]
  /** Of all values that are bytes, one after another: a buffer of its own, which can be handed over. */
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** `true` stands for bytes; how many follows. */
type Cell = Exclude<SqlValue, Uint8Array> | true

export function flattenGroup(group: readonly (readonly Statement[])[]): FlatGroup {
  const [texts, cells, chunks] = [new Places<string>(), [] as Cell[], [] as Uint8Array[]]
  for (const write of group) {
    cells.push(write.length)
    for (const { text, values } of write) {
      cells.push(texts.of(text), values.length)
      for (const value of values) flattenValue(value, cells, chunks)
    }
  }
  return { texts: texts.all(), cells, bytes: joined(chunks) }
}

function flattenValue(value: SqlValue, cells: Cell[], chunks: Uint8Array[]): void {
  if (typeof value !== 'object' || value === null) return void cells.push(value)
  cells.push(true, value.byteLength)
  chunks.push(value)
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

/** The group as it was. Its bytes are windows on the message's. */
export function unflattenGroup({ texts, cells, bytes }: FlatGroup): readonly (readonly Statement[])[] {
  let [at, from] = [0, 0]
  const count = () => Number(cells[at++])
  const value = (): SqlValue => {
    const cell = cells[at++]!
    if (cell !== true) return cell
    const size = count()
    return bytes.subarray(from, (from += size))
  }
  const statement = (): Statement => ({ text: texts[count()]!, values: times(count(), value) })
  const group: (readonly Statement[])[] = []
  while (at < cells.length) group.push(times(count(), statement))
  return group
}

/** Not `Array.from`: a dense array is cloned faster than one that was made with holes. */
export function times<T>(count: number, make: () => T): T[] {
  const made: T[] = []
  for (let done = 0; done < count; done += 1) made.push(make())
  return made
}
