import { CarrickError } from '../domain/errors.ts'

/** What a page's address says, and how this server is reached. */
export interface Page {
  readonly owner: string
  readonly name: string
  /** What follows in the address: the path of one of the app's endpoints, without its first slash. */
  readonly path: string
  readonly baseUrl: string
}

/** Nothing else appears in what people copy into a terminal, so that no address can put a command there. */
const plainPath = /^[\w./~-]*$/
const plainName = /^[a-z0-9-]+$/

/**
 * What stands at the address that a deploy prints as an app's page: how to call the app, and what shows its logs. It is
 * for anyone, because it tells nothing that its address does not say; whether there is such an app, it does not know.
 */
export function appPage({ owner, name, path, baseUrl }: Page): string {
  if (![owner, name].every((word) => plainName.test(word)) || !plainPath.test(path))
    throw new CarrickError('route_not_found', 'No app can have this address')
  const app = `${owner}/${name}`
  const endpoint = path === '' ? app : `${app}/${path}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(endpoint)}</title>
<style>body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 sans-serif }
pre { overflow: auto; padding: 1rem; background: #8882 }</style>
</head>
<body>
<h1>${escaped(endpoint)}</h1>
<p>There is no dashboard here yet. A terminal does it, after <code>${escaped('eval "$(npx carrick env)"')}</code>:</p>
<h2>Call it with curl</h2>
${code(`curl --cacert "$SSL_CERT_FILE" -H "Authorization: Key $FAL_KEY" -H 'Content-Type: application/json' -d '{}' ${baseUrl}/${endpoint}`)}
<h2>Call it from Python</h2>
${code(`import fal_client\nprint(fal_client.subscribe("${endpoint}", arguments={}))`)}
<h2>Call it from JavaScript</h2>
${code(`import { fal } from '@fal-ai/client'
fal.config({ credentials: process.env.FAL_KEY, proxyUrl: { url: process.env.CARRICK_URL, when: 'always' } })
console.log(await fal.subscribe('${endpoint}', { input: {} }))`)}
<h2 id="logs">See its logs</h2>
${code(`fal apps runners ${name} --since 1h\nfal runners logs RUNNER`)}
</body>
</html>
`
}

const code = (text: string): string => `<pre>${escaped(text)}</pre>`

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
