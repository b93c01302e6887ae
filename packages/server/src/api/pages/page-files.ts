import { readFile } from 'node:fs/promises'
import { CarrickError } from '../../domain/errors.ts'

const script = 'text/javascript; charset=utf-8'

/** All that pages load besides themselves. They are served as they stand in `page/`. */
const files: ReadonlyMap<string, string> = new Map([
  ['page.css', 'text/css; charset=utf-8'],
  ...['page', 'calls', 'dom', 'events', 'form', 'input', 'media', 'result', 'schema', 'trial'].map(
    (name) => [`${name}.js`, script] as const,
  ),
])

/** A file of the pages. Throws `route_not_found` for every other name. */
export async function pageFile(name: string): Promise<Response> {
  const type = files.get(name)
  if (type === undefined) throw new CarrickError('route_not_found', 'The pages have no such file')
  const text = await readFile(new URL(`./page/${name}`, import.meta.url))
  return new Response(text, {
    headers: { 'content-type': type, 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' },
  })
}
