import type { Piece } from './blocks.ts'

/** What the thread that computes digests is told. Each `id` is one digest. The memory of pieces goes along. */
export type ToDigester =
  | { readonly kind: 'bytes'; readonly id: number; readonly pieces: readonly Piece[] }
  | { readonly kind: 'ask'; readonly id: number }
  | { readonly kind: 'forget'; readonly id: number }

/** What it answers: that it is done with so many bytes, whose memory comes back; or the digest of all so far. */
export type FromDigester =
  | { readonly kind: 'done'; readonly id: number; readonly bytes: number; readonly blocks: readonly ArrayBuffer[] }
  | { readonly kind: 'digest'; readonly id: number; readonly sha256: string }
