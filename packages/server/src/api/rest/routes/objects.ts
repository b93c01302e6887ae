import { SentAcl } from '../../storage/lifecycle.ts'
import { objectResponse } from '../object-response.ts'
import { changeAcl, objectFor, readAcl } from '../../storage/objects.ts'
import { route, type Route } from './route.ts'

/** Reading takes no key: who has the address may, unless the owner said otherwise. */
const readObject: Route = {
  method: 'GET',
  path: '/storage/files/:id/:name',
  permission: 'anyone',
  audited: false,
  forBrowsers: true,
  call: async (deps, caller, { params, header }) => {
    const found = await objectFor(deps, caller, { id: params['id'] ?? '', name: params['name'] ?? '' })
    return objectResponse(found, deps.objects, { header, now: deps.clock.now() })
  },
}

/** What was uploaded, and who may read it. */
export const objectRoutes: readonly Route[] = [
  readObject,

  route('GET', '/storage/files/acl', readAcl, {
    read: ({ query }) => ({ url: query['url'] ?? '' }),
    show: (acl) => acl,
  }),

  route('PUT', '/storage/files/acl', changeAcl, {
    read: async ({ query, json }) => ({ url: query['url'] ?? '', acl: await json(SentAcl) }),
    show: (acl) => acl,
  }),
]
