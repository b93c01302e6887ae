import type { Moment } from '../../../kit/clock.ts'
import { iso } from './route.ts'

/** Of a definition, schemas included. */
export const mostWorkflowBytes = 1024 * 1024

interface Page {
  readonly items: readonly { readonly name: string; readonly title: string; readonly createdAt: Moment }[]
  readonly owner: { readonly id: string; readonly nickname: string }
  readonly total: number
  readonly page: number
  readonly size: number
}

/** A page of workflows of either kind, as the stock SDK's generated client reads it. */
export function workflowPage({ items, total, page, size, owner }: Page) {
  return {
    items: items.map(({ name, title, createdAt }) => ({
      name,
      title,
      user_id: owner.id,
      user_nickname: owner.nickname,
      created_at: iso(createdAt),
    })),
    total,
    page,
    size,
    pages: Math.ceil(total / size),
  }
}
