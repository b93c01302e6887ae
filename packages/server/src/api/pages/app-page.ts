import { html } from 'hono/html'
import { CarrickError } from '../../domain/errors.ts'

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
 * What stands at the addresses that a deploy and a run print. It is the same for everyone, because it tells nothing that
 * its address does not say; whether there is such an app, it does not know. Its script asks, with the key that the
 * reader types.
 */
export async function appPage({ owner, name, path, baseUrl }: Page): Promise<string> {
  if (![owner, name].every((word) => plainName.test(word)) || !plainPath.test(path))
    throw new CarrickError('route_not_found', 'No app can have this address')
  const app = `${owner}/${name}`
  return String(
    await html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <title>${app} – Carrick</title>
          <link rel="stylesheet" href="/dashboard/assets/page.css" />
          <script type="module" src="/dashboard/assets/page.js"></script>
        </head>
        <body>
          <header>
            <h1 id="app" data-app="${app}" data-path="/${path}">${app}</h1>
            <form id="key-form" autocomplete="off">
              <label for="key">Key</label>
              <input id="key" type="password" placeholder="FAL_KEY" autocomplete="off" spellcheck="false" required />
              <button>Use it</button>
              <button type="button" id="forget" hidden>Forget it</button>
              <p id="key-state" role="status"></p>
            </form>
          </header>
          <noscript><section>The form and the log need JavaScript. The commands below work without.</section></noscript>
          <section id="about" hidden>
            <p id="description"></p>
            <dl id="facts"></dl>
          </section>
          <section id="call" hidden>
            <ul id="endpoints" aria-label="Endpoints"></ul>
            <h2 id="endpoint"></h2>
            <p id="summary"></p>
            <form id="form">
              <div id="fields"></div>
              <p id="complaint" role="alert"></p>
              <div class="actions">
                <button class="main" id="run">Call it</button>
                <select id="way" aria-label="How it is called">
                  <option value="queue">through the queue</option>
                  <option value="direct">directly</option>
                </select>
                <button type="button" id="cancel" hidden>Cancel</button>
              </div>
            </form>
            <div id="outcome" hidden>
              <p id="state" role="status"></p>
              <div id="call-log" class="log"></div>
              <div id="result"></div>
            </div>
          </section>
          <section>
            <h2>Call it from a program</h2>
            <p class="hint">In a terminal, after <code>eval "$(npx carrick env)"</code>:</p>
            ${examples(app, path, baseUrl).map(
              ([language, text], place) =>
                html`<details ${place === 0 ? 'open' : ''}>
                  <summary>${language}</summary>
                  <div class="code">
                    <pre>${text}</pre>
                    <button type="button" class="copy">Copy</button>
                  </div>
                </details>`,
            )}
          </section>
          <section id="logs">
            <h2>Log <span class="hint" id="log-state"></span></h2>
            <div id="log" class="log"></div>
            <p class="hint">
              In a terminal: <code>fal apps runners ${name} --since 1h</code>, then
              <code>fal runners logs RUNNER --follow</code>
            </p>
          </section>
        </body>
      </html> `,
  )
}

/** Programs, whose line breaks mean something: a formatter of HTML must not know them for such. */
const code = html

/** Programs that run as they are. The page's script writes the endpoint and the input into them. */
function examples(app: string, path: string, baseUrl: string) {
  const endpoint = code`<span data-endpoint>${path === '' ? '' : `/${path}`}</span>`
  const input = (language: 'shell' | 'python' | 'json') => code`<span data-input="${language}">{}</span>`
  return [
    [
      'curl',
      code`curl --cacert "$SSL_CERT_FILE" -H "Authorization: Key $FAL_KEY" \\
  -H 'Content-Type: application/json' -d '${input('shell')}' \\
  ${baseUrl}/${app}${endpoint}`,
    ],
    [
      'Python',
      code`import fal_client

print(fal_client.subscribe("${app}${endpoint}", arguments=${input('python')}))`,
    ],
    [
      'TypeScript',
      code`import { fal } from '@fal-ai/client'

fal.config({
  credentials: process.env.FAL_KEY,
  proxyUrl: { url: process.env.CARRICK_URL!, when: 'always' },
})
const { data } = await fal.subscribe('${app}${endpoint}', { input: ${input('json')} })
console.log(data)`,
    ],
  ] as const
}
