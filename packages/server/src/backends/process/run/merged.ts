import type { Readable } from 'node:stream'

type Tagged<Name> = { readonly stream: Name; readonly data: Uint8Array }

/** The chunks of several pipes, each pipe's in its order, taken from them no faster than they are asked for. */
export async function* merged<Name extends string>(
  pipes: Readonly<Record<Name, Readable>>,
): AsyncGenerator<Tagged<Name>, void> {
  const names = Object.keys(pipes) as Name[]
  const next = new Map(names.map((name) => [name, chunkOf(name, pipes[name].iterator({ destroyOnReturn: true }))]))
  while (next.size > 0) {
    const { name, data, again } = await Promise.race(next.values())
    next.delete(name) // and to the end of the queue: one that always has something must not keep the others waiting
    if (data === undefined) continue
    next.set(name, again())
    yield { stream: name, data }
  }
}

interface Chunk<Name> {
  readonly name: Name
  readonly data: Uint8Array | undefined
  readonly again: () => Promise<Chunk<Name>>
}

/** A pipe that breaks has ended. */
async function chunkOf<Name>(name: Name, chunks: AsyncIterator<Uint8Array>): Promise<Chunk<Name>> {
  const again = () => chunkOf(name, chunks)
  try {
    const { done, value } = await chunks.next()
    return { name, data: done === true ? undefined : value, again }
  } catch {
    return { name, data: undefined, again }
  }
}
