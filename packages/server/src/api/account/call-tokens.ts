import { z } from 'zod'
import { operation } from '../operation.ts'

/** Tokens travel in addresses, where proxies may write them down. */
const mostSeconds = 3_600
const usualSeconds = 120

const NewToken = z.object({
  apps: z.array(z.string().min(1).max(300)).min(1).max(50),
  seconds: z.number().int().min(1).max(mostSeconds).default(usualSeconds),
})

/** A short-lived token that may call these apps and do nothing else, for a browser that holds no key. Nothing is stored. */
export const issueCallToken = operation(
  { permission: 'apps:call', input: NewToken },
  ({ callTokens, clock }, caller, { apps, seconds }) => callTokens.issue(caller, apps, clock.now() + seconds * 1_000),
)
