import { Meta, PlatformKey, PlatformKeyRequest, PlatformKeys } from '@carrick/protocol/platform'
import { z } from 'zod'
import { createKey, listKeys, revokeKey } from '../../account/keys.ts'
import { described } from './described.ts'
import { cursor, limitTo, paged } from './paging.ts'
import { iso, type Route } from './route.ts'

/** Keys, as the platform API makes and lists them, and what a server says to everybody. */
export const platformAccountRoutes: readonly Route[] = [
  described('GET', '/v1/keys', listKeys, {
    summary: "The account's keys, without their secrets",
    query: z.object({ limit: limitTo(1_000), cursor }),
    answer: PlatformKeys,
    read: () => ({}),
    show: (keys, { query }) => {
      // Oldest first, and so by id: a key that was revoked meanwhile still says where the page begins.
      const rest = keys.filter(({ id }) => id > (query.cursor ?? ''))
      const page = rest.slice(0, query.limit)
      return {
        keys: page.map(({ id, alias, permissions, createdAt }) => ({
          key_id: id,
          alias,
          permissions: [...permissions],
          created_at: iso(createdAt),
        })),
        ...paged(rest.length > page.length ? page.at(-1)?.id : undefined),
      }
    },
  }),

  described('POST', '/v1/keys', createKey, {
    summary: 'Makes a key: an API key unless a preset or permissions are named. Its secret is in the answer alone',
    body: PlatformKeyRequest,
    answer: PlatformKey,
    status: 201,
    read: ({ body: { alias, preset, permissions } }) => ({
      alias,
      permissions,
      preset: preset ?? (permissions === undefined ? 'API' : undefined),
    }),
    show: ({ keyId, secret }) => ({ key_id: keyId, key_secret: secret, key: `${keyId}:${secret}` }),
  }),

  described('DELETE', '/v1/keys/:id', revokeKey, {
    summary: 'Revokes a key; one that is revoked stays so',
    read: ({ params }) => ({ id: params['id'] ?? '' }),
  }),

  {
    method: 'GET',
    path: '/v1/meta',
    permission: 'anyone',
    audited: false,
    call: async ({ server }) => ({ version: server.version, webhook_ip_ranges: [] }) satisfies z.input<typeof Meta>,
    description: { summary: 'What this server is', answer: Meta, status: 200, media: 'application/json' },
  },
]
