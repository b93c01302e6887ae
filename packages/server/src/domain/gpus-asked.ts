/** Which GPUs runners may have: what `nvidia-smi` knows, all of it or some indices, or what the operator says there is. */
export type GpusAsked =
  | { readonly kind: 'discovered'; readonly indices?: ReadonlySet<number> }
  | { readonly kind: 'named'; readonly names: readonly string[] }

/** What the words of CARRICK_GPUS say. Throws a sentence for what cannot be. */
export function gpusAsked(parts: readonly string[]): GpusAsked {
  if (parts.length === 0 || (parts.length === 1 && parts[0] === 'auto')) return { kind: 'discovered' }
  if (parts.length === 1 && parts[0] === 'none') return { kind: 'named', names: [] }
  const word = parts.find((part) => part === 'auto' || part === 'none')
  if (word !== undefined) throw new Error(`${word} stands alone: give it, or indices, or a model for each GPU`)
  const numbers = parts.filter((part) => /^\d{1,3}$/.test(part)).map(Number)
  if (numbers.length === parts.length) return { kind: 'discovered', indices: new Set(numbers) }
  if (numbers.length > 0) throw new Error('give indices, or a model for each GPU, and not both')
  return { kind: 'named', names: parts }
}
