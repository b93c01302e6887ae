import type { CommitTook } from '../arrivals.ts'
import type { FlatEnds } from './flat-ends.ts'
import type { PackedError, PackedRows } from './packed.ts'

/** From the writer: how each write ended, and how long all took, or why none happened. */
export type GroupAnswer = { readonly ends: FlatEnds; readonly took: CommitTook } | Failure
export type ReadAnswer = { readonly found: PackedRows } | Failure
export type Failure = { readonly failed: PackedError; readonly fatal?: boolean }
