import { startNginx, type Nginx } from './nginx.ts'
import { median, type Report } from './report.ts'
import { start, startServer, type Server } from './server.ts'
import { hasWrk, perSecond } from './wrk.ts'

const mebi = 1024 * 1024
const rounds = 3

/**
 * Question: what does a sync call cost beside nginx that only hands on? Expected: small ones more than twice as much, since each has its
 * key, its slot and its headers looked after in JavaScript; large ones nearly the same, since both only move bytes. wrk calls
 * both by turns, and ours over TLS as well. Behind both is one and the same app: for small answers the runner that does nothing, for large
 * ones an nginx that serves files.
 */
export async function proxy(report: Report): Promise<void> {
  if (!(await hasWrk())) return console.error('wrk is not here (apt-get install wrk): the sync proxy is not asked')
  await using runner = start('http-runner.ts')
  const { port } = await runner.hear<{ port: number }>()
  await using nginx = await startNginx([mebi, 100 * mebi], port)
  if (nginx === undefined) return console.error('nginx is not here: the sync proxy is not asked')
  {
    await using small = await startServer('durable', port)
    for (const callers of [1, 32, 256]) await against(report, small, { nginx, callers, path: '/small' }, 0.38)
    await secure(report, small, '/small')
  }
  await using large = await startServer('durable', nginx.files)
  for (const callers of [1, 32]) await against(report, large, { nginx, callers, path: `/bytes/${mebi}` }, 0.7)
  await against(report, large, { nginx, callers: 1, path: `/bytes/${100 * mebi}` }, 0.7)
  await secure(report, large, `/bytes/${mebi}`)
}

interface Question {
  readonly nginx: Nginx
  readonly callers: number
  readonly path: string
}

async function against(report: Report, server: Server, { nginx, callers, path }: Question, atLeast: number) {
  const plain = () => perSecond(ours(server, 'http', path), callers, server.key)
  const theirs = () => perSecond(`http://127.0.0.1:${nginx.proxy}${path}`, callers)
  await compare(report, `sync proxy ÷ nginx, ${path}, ${callers} callers`, [plain, theirs], atLeast)
}

async function secure(report: Report, server: Server, path: string) {
  const over = (scheme: string) => () => perSecond(ours(server, scheme, path), 32, server.key)
  await compare(report, `sync over TLS ÷ plaintext, ${path}, 32 callers`, [over('https'), over('http')], 0.8)
}

type Measure = () => Promise<number>

async function compare(report: Report, question: string, [one, other]: readonly [Measure, Measure], atLeast: number) {
  const [of, to]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round += 1) {
    of.push(await one())
    to.push(await other())
  }
  report.add(`${question} (${Math.round(median(of))}/s)`, median(of) / median(to), { atLeast })
}

const ours = ({ port, path: app }: Server, scheme: string, path: string) => `${scheme}://127.0.0.1:${port}${app}${path}`
