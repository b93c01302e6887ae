/** What the thread that computes digests is told. Each `id` is one digest. */
export type ToDigester =
  | { readonly kind: 'bytes'; readonly id: number; readonly chunks: readonly Uint8Array[] }
  | { readonly kind: 'ask'; readonly id: number }
  | { readonly kind: 'forget'; readonly id: number }

/** What it answers: that it is done with so many bytes, or the digest of all so far. */
export type FromDigester =
  | { readonly kind: 'done'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'digest'; readonly id: number; readonly sha256: string }
