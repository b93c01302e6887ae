import { z } from 'zod'
import type { Revision } from '../../domain/revision.ts'
import { deploymentsOf } from '../../store/events.ts'
import { revisionsPage } from '../../store/revisions.ts'
import { operation } from '../operation.ts'
import { ownApp, Which } from '../apps/queues.ts'
import { cursorOf, pageOf, placeOf, type Page } from './input.ts'

export interface RevisionEntry {
  readonly revision: Revision
  readonly status: 'active' | 'rolling' | 'inactive'
  /** Absent when it was deployed before changes were recorded, or its record was forgotten. */
  readonly deployedBy?: { readonly nickname: string; readonly keyId: string }
}

const Place = z.tuple([z.number(), z.string()])

/** An app's revisions, newest first, with who deployed each. */
export const revisionPage = operation(
  { permission: 'apps:read', input: Which.extend({ limit: z.number(), cursor: z.string().optional() }) },
  async (deps, caller, { limit, cursor, ...which }): Promise<Page<RevisionEntry>> => {
    const app = ownApp(deps, caller, which)
    const [createdAt, id] = cursor === undefined ? [Number.MAX_SAFE_INTEGER, ''] : placeOf(Place, cursor)
    const found = await deps.store.read(revisionsPage(app.id, { createdAt, id }, limit + 1))
    const deployments = await deps.store.read(deploymentsOf(app.accountId, app.name, 1_000))
    const keys = new Map(deployments.map(({ detail, keyId }) => [detail['revision'], keyId]))
    const { items, next } = pageOf(found, limit, (last) => cursorOf([last.createdAt, last.id]))
    return {
      items: items.map((revision) => {
        const keyId = keys.get(revision.id)
        const status =
          revision.id === app.revisionId ? 'active' : revision.id === app.rollingRevisionId ? 'rolling' : 'inactive'
        return { revision, status, ...(keyId !== undefined && { deployedBy: { nickname: app.owner, keyId } }) }
      }),
      ...(next !== undefined && { next }),
    }
  },
)
