import { appPage } from '../app-page.ts'
import type { Route } from './route.ts'

/** Pages for people. */
export const pageRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/dashboard/apps/:owner/:name/*',
    permission: 'anyone',
    audited: false,
    call: async (_deps, _caller, { path, baseUrl }) => {
      const [, , , owner = '', name = '', ...more] = path.split('/')
      return appPage({ owner, name, path: more.join('/'), baseUrl })
    },
  },
]
