import type { Route } from './route.ts'

/** What a client needs before it can trust this server: it compares the fingerprint by another way. */
export const trustRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/.well-known/carrick/ca.pem',
    permission: 'anyone',
    audited: false,
    call: async ({ server }) =>
      new Response(server.caPem, {
        headers: { 'content-type': 'application/x-pem-file', 'cache-control': 'no-store' },
      }),
  },
]
