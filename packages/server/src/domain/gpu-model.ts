import type { Gpu, Machine } from './machine.ts'

/** The model that every GPU is one of. */
const any = 'GPU'

/** Words behind a model's name that make another model of it. Others tell the socket, the memory or the generation. */
const another: ReadonlySet<string> = new Set(['TI', 'SUPER', 'D', 'LAPTOP', 'MOBILE', 'ADA'])

/** GPUs of a machine that are of this model, by index. */
export function gpusOfModel({ gpus }: Pick<Machine, 'gpus'>, model: string): readonly Gpu[] {
  return gpus.filter((gpu) => isOfModel(gpu, model)).toSorted((one, other) => one.index - other.index)
}

/**
 * Whether a GPU is what people mean by a model: `H100` is any `NVIDIA H100 80GB HBM3`, and no `NVIDIA GH200`. A model may name
 * its memory (`A100-80GB`); without that every size of it will do.
 */
export function isOfModel({ name, memoryBytes }: Pick<Gpu, 'name' | 'memoryBytes'>, model: string): boolean {
  if (model === any) return true
  const has = wordsOf(name)
  const wanted = wordsOf(model)
  const size = wanted.find(isSize)
  const words = wanted.filter((word) => word !== size)
  return isNamed(has, words) && (size === undefined || has.includes(size) || isAbout(memoryBytes, size))
}

/** Whether the words stand in the name side by side, and what follows makes nothing else of them. */
function isNamed(has: readonly string[], words: readonly string[]): boolean {
  return has.some((_, at) => {
    const follower = has[at + words.length]
    const isThere = words.length > 0 && words.every((word, index) => has[at + index] === word)
    return isThere && (follower === undefined || !another.has(follower))
  })
}

const wordsOf = (name: string): readonly string[] =>
  name
    .toUpperCase()
    .split(/[^A-Z0-9]+/)
    .filter((word) => word !== '')

const isSize = (word: string): boolean => /^\d+GB$/.test(word)

/** Drivers keep a part of a card's memory for themselves. */
function isAbout(memoryBytes: number | undefined, size: string): boolean {
  const wanted = Number.parseInt(size, 10) * 1024 ** 3
  return memoryBytes !== undefined && Math.abs(memoryBytes - wanted) <= wanted / 20
}
