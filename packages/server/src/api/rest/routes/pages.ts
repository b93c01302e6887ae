import { logLevels } from '@carrick/protocol/words'
import { appCard } from '../../pages/app-card.ts'
import { followApp } from '../../logs/app-logs.ts'
import { appPage } from '../../pages/app-page.ts'
import { EventStream, mapped } from '../event-stream.ts'
import { pageFile } from '../../pages/page-files.ts'
import { iso, named, route, type Route } from './route.ts'

/** Pages for people, and what they load. */
export const pageRoutes: readonly Route[] = [
  open('/dashboard/apps/:owner/:name/*', async (_deps, _caller, { path, baseUrl }) => {
    const [, , , owner = '', name = '', ...more] = path.split('/')
    return appPage({ owner, name, path: more.join('/'), baseUrl })
  }),

  open('/dashboard/assets/:file', (_deps, _caller, { params }) => pageFile(params['file'] ?? '')),

  open('/dashboard/data/:owner/:name', async (deps, caller, { params }) => {
    const card = await appCard(deps, caller, named(params))
    return Response.json(card, { headers: { 'cache-control': 'no-store' } })
  }),

  route('GET', '/dashboard/data/:owner/:name/logs', followApp, {
    read: ({ params }) => named(params),
    show: (batches) =>
      new EventStream(
        mapped(batches, ({ at, message, level }) => ({ timestamp: iso(at), message, level: logLevels[level] })),
      ),
  }),
]

/** An address that answers everyone, each with what they may know. */
function open(path: string, call: Route['call']): Route {
  return { method: 'GET', path, permission: 'anyone', audited: false, call }
}
