import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { RunValue } from '../blobs/run-results.ts'
import type { App } from '../domain/app.ts'
import { CarrickError } from '../domain/errors.ts'
import { runAlias } from '../domain/names.ts'
import type { Caller } from '../domain/permissions.ts'
import type { RevisionSpec } from '../domain/revision.ts'
import { scaleInCode, type ScaleChanges, type ScaleSettings } from '../domain/scale.ts'
import { uuidv7 } from '../kit/ids.ts'
import { deleteApp, registerRevision } from '../store/apps.ts'
import { checkedSecrets } from './allowed-secrets.ts'
import { Pickled, SentCode, stored, storedCode } from './callable.ts'
import { definitionOf } from './definition.ts'
import type { Deps } from './deps.ts'
import { build, EnvironmentName, requireEnvironment } from './environments.ts'
import { operation } from './operation.ts'
import type { Attention } from './operation.ts'
import { Resilience, resilienceOf } from './resilience.ts'
import { outcomeOf } from './run-outcome.ts'
import { ScaleInput } from './scale-input.ts'
import { SentEnvironment } from './sent-environment.ts'
import { refuseUnserved, Unserved } from './unserved.ts'

const Run = z.object({
  /** What the caller calls it. Its alias begins with that, and no other has the same. */
  name: z.string().default(''),
  environment: EnvironmentName,
  environments: z.array(SentEnvironment),
  ...SentCode.shape,
  setup: Pickled.optional(),
  /** It names a port: it is an app, and nobody waits for it to return. */
  serves: z.boolean(),
  asked: ScaleInput,
  authMode: z.enum(['private', 'public', 'shared']).default('public'),
  ...Resilience.shape,
  /** The secrets that it sees. Absent: those exposed by default; empty: none. */
  secrets: z.array(z.string()).optional(),
  ...Unserved.shape,
})
type Run = z.output<typeof Run>

/**
 * Runs a callable for as long as the caller stays: an app behind an address of its own, or a function. Answers what it
 * returned or raised. Nothing of it is left when this ends, however it ends.
 */
export const run = operation(
  { permission: 'apps:write', input: Run },
  async (deps, caller, input, attention): Promise<RunValue> => {
    refuseUnserved(input)
    await requireEnvironment(deps, caller, input.environment)
    const spec = await specOf(deps, caller, input, attention)
    const app = newApp(deps, caller, input)
    const ended = deps.runners.followRun(app.id, attention.say)
    const leaving = whenLeft(deps, attention)
    try {
      await register(deps, app, input, spec)
      if (input.serves) attention.reached?.({ owner: caller.nickname, name: app.name })
      return await outcomeOf(deps, await Promise.race([ended, leaving.left]), spec)
    } finally {
      leaving.stop()
      await tearDown(deps, app)
    }
  },
  { action: 'run', about: ({ name, environment, serves }) => ({ subject: name, environment, serves }) },
)

async function specOf(deps: Deps, caller: Caller, input: Run, attention: Attention): Promise<RevisionSpec> {
  const { setup, environments, serves } = input
  const callable = await storedCode(deps, input)
  const environment = definitionOf(environments)
  const scale = scaleOf(input)
  const resilience = resilienceOf(input)
  const force = environments.some((sent) => sent.force)
  const secrets = await checkedSecrets(deps, caller, input)
  const values = await deps.vault.exposed({ accountId: caller.accountId, environment: input.environment }, secrets)
  const environmentId = await build(deps, environment, { force, secrets: values, attention })
  return {
    environment,
    environmentId,
    callable,
    run: serves ? 'app' : 'function',
    ...(setup === undefined ? {} : { setup: await stored(deps, setup) }),
    scale,
    ...resilience,
    ...(secrets === undefined ? {} : { secrets }),
    privateLogs: false,
    metadata: {},
  }
}

/** One runner at once, and no other unless the app asks for more. A function opens no port: all of its time is start-up. */
function scaleOf({ asked, serves }: Run): ScaleSettings {
  const floor = Math.max(1, (serves ? asked.min_concurrency : undefined) ?? 1)
  const cap = (serves ? asked.max_concurrency : undefined) ?? floor
  const said: ScaleChanges = { ...asked, min_concurrency: floor, max_concurrency: cap }
  const scale = scaleInCode(said)
  return serves
    ? scale
    : { ...scale, concurrency_buffer: 0, concurrency_buffer_perc: 0, startup_timeout: scale.request_timeout }
}

type NewApp = Pick<App, 'id' | 'accountId' | 'name' | 'environment'>

function newApp({ clock }: Deps, { accountId }: Caller, { name, environment }: Run): NewApp {
  return { id: uuidv7(clock), accountId, name: runAlias(name, randomBytes(6).toString('hex')), environment }
}

async function register(deps: Deps, app: NewApp, { serves, authMode }: Run, spec: RevisionSpec): Promise<void> {
  const { scale } = spec
  const next = { revisionId: uuidv7(deps.clock), strategy: 'recreate', scale, basedOn: scale } as const
  // Nobody has a reason to call a function's runner.
  const whose = { authMode: serves ? authMode : 'private', now: deps.clock.now() } as const
  await deps.store.commit(registerRevision(app, spec, { ...next, ...whose }))
  await deps.apps.refresh()
}

const lookEveryMs = 250

/** Rejects when the caller has gone, or the server is asked to stop. */
function whenLeft(deps: Pick<Deps, 'isDraining'>, { signal }: Attention): { left: Promise<never>; stop: () => void } {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {}) // the run may fail before
  const leave = () => reject(new CarrickError('client_cancelled', 'The caller of this run has gone'))
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave)
  const timer = setInterval(() => {
    if (deps.isDraining()) reject(new CarrickError('draining', 'This server is shutting down, and this run with it'))
  }, lookEveryMs)
  return { left: promise, stop: () => (clearInterval(timer), signal.removeEventListener('abort', leave)) }
}

async function tearDown(deps: Deps, { id }: NewApp): Promise<void> {
  try {
    await deps.store.commit(deleteApp(id, deps.clock.now()))
    await deps.apps.refresh()
  } catch (error) {
    deps.log.error({ err: error, app: id }, 'a run that is over could not be deleted; the next start will do it')
  } finally {
    deps.runners.endRun(id)
  }
}
