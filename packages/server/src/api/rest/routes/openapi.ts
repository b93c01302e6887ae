import { openApi } from '../openapi.ts'
import type { Route } from './route.ts'

/** The document that describes the platform API, itself included. */
export function openApiRoutes(routes: () => readonly Route[]): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/openapi.json',
      permission: 'anyone',
      audited: false,
      call: async (_deps, _caller, { baseUrl }) => openApi(routes(), baseUrl),
      description: { summary: 'This document', status: 200, media: 'application/json' },
    },
  ]
}
