import { z } from 'zod'

/** How long a page may be; 50 unless something else was said. */
export const limitTo = (most: number) => z.coerce.number().int().min(1).max(most).default(50)

/** `next_cursor` of the page before. */
export const cursor = z.string().max(1_000).optional()

/** The end of every page. */
export function paged(next: string | undefined) {
  return { next_cursor: next ?? null, has_more: next !== undefined }
}
