import { z } from 'zod'
import { mainEnvironment } from '../../domain/names.ts'
import { isApp } from '../../domain/revision.ts'
import type { KnownApp } from '../../home/apps.ts'
import { openapisOf } from '../apps/openapi.ts'
import type { Deps } from '../deps.ts'
import { operation } from '../operation.ts'
import { cursorOf, pageOf, placeOf, type Page } from './input.ts'

/** An app, and the endpoints that its active revision describes where they were asked for. */
interface FoundApp extends KnownApp {
  readonly endpoints?: readonly string[]
}

/** The caller's apps in one environment that have an endpoint, by name; of `search` those whose name holds it. */
export const searchApps = operation(
  {
    permission: 'apps:read',
    input: z.object({
      environment: z.string().default(mainEnvironment),
      search: z.string().optional(),
      withEndpoints: z.boolean().default(false),
      limit: z.number(),
      cursor: z.string().optional(),
    }),
  },
  async (deps, caller, { environment, search = '', withEndpoints, limit, cursor }): Promise<Page<FoundApp>> => {
    const after = cursor === undefined ? '' : placeOf(z.tuple([z.string()]), cursor)[0]
    const found = [...deps.apps.all()]
      .filter(({ app }) => app.accountId === caller.accountId && app.environment === environment)
      .filter(({ app, active }) => app.revisionOf === undefined && active !== undefined && isApp(active.spec))
      .filter(({ app }) => app.name.includes(search.toLowerCase()) && app.name > after)
      .toSorted((one, other) => (one.app.name < other.app.name ? -1 : 1))
    const page = pageOf(found, limit, ({ app }) => cursorOf([app.name]))
    return withEndpoints ? { ...page, items: await describedOf(deps, page.items) } : page
  },
)

async function describedOf(deps: Pick<Deps, 'store'>, items: readonly KnownApp[]): Promise<readonly FoundApp[]> {
  const documents = await openapisOf(
    deps,
    items.flatMap(({ active }) => active ?? []),
  )
  return items.map((known) => ({ ...known, endpoints: endpointsOf(known, documents.get(known.active?.id ?? '')) }))
}

/** The endpoints that an app's OpenAPI document describes. */
function endpointsOf({ app }: KnownApp, openapi: unknown): readonly string[] {
  const document = z.object({ paths: z.record(z.string(), z.unknown()) }).safeParse(openapi)
  const paths = document.success ? Object.keys(document.data.paths) : []
  return paths.map((path) => `${app.owner}/${app.name}${path === '/' ? '' : path}`)
}
