/** What the thread that computes digests is told. Each `id` is one digest. The memory of a piece is shared. */
export type ToDigester =
  | { readonly kind: 'bytes'; readonly id: number; readonly piece: Uint8Array }
  | { readonly kind: 'ask'; readonly id: number }
  | { readonly kind: 'forget'; readonly id: number }

/** What it answers: that it is done with a piece, in the order they came; or the digest of all so far. */
export type FromDigester =
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'digest'; readonly id: number; readonly sha256: string }
