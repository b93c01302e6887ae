import { z } from 'zod'
import { issueCallToken } from '../../account/call-tokens.ts'
import { route, type Request, type Route } from './route.ts'

/** What the older of the two addresses is sent, and what the newer one is: both take either. */
const Asked = z.object({
  allowed_apps: z.array(z.string()),
  token_expiration: z.number().nullish(),
  duration: z.number().nullish(),
})

const read = async ({ json }: Request) => {
  const { allowed_apps: apps, token_expiration: seconds, duration } = await json(Asked)
  return { apps, seconds: seconds ?? duration ?? undefined }
}

/** Clients take the whole body for the token, which is JSON. */
const bare = (path: string) => route('POST', path, issueCallToken, { read, show: (token) => Response.json(token) })

const tokens: readonly Route[] = [
  bare('/tokens/'),
  bare('/tokens'),
  route('POST', '/tokens/realtime', issueCallToken, { read, show: (token) => ({ token }) }),
]

/** What a browser connects to apps with. */
export const tokenRoutes: readonly Route[] = tokens.map((each) => ({ ...each, forBrowsers: true }))
