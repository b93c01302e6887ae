import { expect, test } from 'vitest'
import { whyNotReached } from './late-start.ts'

const at = (host: string, port: number) => ({ host, port })

test.each([
  ['cannot be seen', undefined, /did not answer at port 8080 \(exposed_port\)/],
  [
    'listens nowhere',
    [],
    /^Nothing in this runner listened on port 8080 \(exposed_port\), where its calls go, within startup_timeout\.$/,
  ],
  [
    'listens on another port',
    [at('0.0.0.0', 5000)],
    /Nothing .* port 8080 .* It listened on 0\.0\.0\.0:5000: deploy it with the port that it binds, or let it bind 0\.0\.0\.0:8080\./,
  ],
  [
    'listens on loopback alone',
    [at('127.0.0.1', 8080), at('::1', 8080)],
    /listened on 127\.0\.0\.1:8080, \[::1\]:8080 only, .*: let it bind 0\.0\.0\.0/,
  ],
  ['listens on many', Array.from({ length: 8 }, (_, i) => at('::', 9000 + i)), /\[::\]:9004 and 3 more/],
])('a runner that %s is told so', (_, listening, said) => expect(whyNotReached(8080, listening)).toMatch(said))

test.each([[[at('0.0.0.0', 8080)]], [[at('127.0.0.1', 8080), at('::', 8080)]]])(
  'with a port that is open nothing is wrong',
  (listening) => expect(whyNotReached(8080, listening)).toBeUndefined(),
)
