import { z } from 'zod'
import { mainEnvironment } from '../../domain/names.ts'
import { isApp } from '../../domain/revision.ts'
import type { KnownApp } from '../../home/apps.ts'
import { operation } from '../operation.ts'
import { cursorOf, pageOf, placeOf, type Page } from './input.ts'

/** The caller's apps in one environment that have an endpoint, by name; of `search` those whose name holds it. */
export const searchApps = operation(
  {
    permission: 'apps:read',
    input: z.object({
      environment: z.string().default(mainEnvironment),
      search: z.string().optional(),
      limit: z.number(),
      cursor: z.string().optional(),
    }),
  },
  async (deps, caller, { environment, search = '', limit, cursor }): Promise<Page<KnownApp>> => {
    const after = cursor === undefined ? '' : placeOf(z.tuple([z.string()]), cursor)[0]
    const found = [...deps.apps.all()]
      .filter(({ app }) => app.accountId === caller.accountId && app.environment === environment)
      .filter(({ app, active }) => app.revisionOf === undefined && active !== undefined && isApp(active.spec))
      .filter(({ app }) => app.name.includes(search.toLowerCase()) && app.name > after)
      .toSorted((one, other) => (one.app.name < other.app.name ? -1 : 1))
    return pageOf(found, limit, ({ app }) => cursorOf([app.name]))
  },
)

/** The endpoints that the active revision's OpenAPI document describes. */
export function endpointsOf({ app, active }: KnownApp): readonly string[] {
  const document = z.object({ paths: z.record(z.string(), z.unknown()) }).safeParse(active?.spec.metadata['openapi'])
  const paths = document.success ? Object.keys(document.data.paths) : []
  return paths.map((path) => `${app.owner}/${app.name}${path === '/' ? '' : path}`)
}
