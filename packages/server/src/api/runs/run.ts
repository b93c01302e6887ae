import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { App } from '../../domain/app.ts'
import { CarrickError } from '../../domain/errors.ts'
import { runAlias } from '../../domain/names.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { RevisionSpec } from '../../domain/revision.ts'
import type { RunValue } from '../../domain/run-value.ts'
import { scaleInCode, type ScaleSettings } from '../../domain/scale.ts'
import { requireHardware } from '../../domain/sought-hardware.ts'
import type { SecretValues } from '../../domain/secret.ts'
import { uuidv7 } from '../../kit/ids.ts'
import { deleteApp } from '../../store/apps.ts'
import { registerRevision } from '../../store/next-revisions.ts'
import { isCodeless, Pickled, Port, SentCode, sentCode, storedCode } from '../deploys/callable.ts'
import type { Deps } from '../deps.ts'
import { EnvironmentName, requireEnvironment, unknownEnvironment } from '../deploys/environments.ts'
import { hostSpec } from './host-spec.ts'
import { operation } from '../operation.ts'
import type { Attention } from '../operation.ts'
import { Places } from '../deploys/places.ts'
import { askedEnvironment, prepared as preparedFor } from '../deploys/prepared.ts'
import { Resilience, resilienceOf } from '../deploys/resilience.ts'
import { outcomeOf, valueOf } from './run-outcome.ts'
import { ScaleInput } from '../deploys/scale-input.ts'
import { SecretNames, SentEnvironment } from '../deploys/sent-environment.ts'
import { refuseUnserved, Unserved } from '../deploys/unserved.ts'

const Run = z.object({
  /** Names the run, and its lines in the logs. */
  id: z.string(),
  /** What the caller calls it. The alias of an app begins with that, and no other has the same. */
  name: z.string().default(''),
  environment: EnvironmentName,
  environments: z.array(SentEnvironment),
  ...SentCode.shape,
  setup: Pickled.optional(),
  exposedPort: Port,
  /** It is an app: nobody waits for it to return. */
  serves: z.boolean(),
  asked: ScaleInput,
  authMode: z.enum(['private', 'public', 'shared']).default('public'),
  ...Resilience.shape,
  /** The secrets that it sees. Absent: those exposed by default; empty: none. */
  secrets: SecretNames.optional(),
  ...Places.shape,
  ...Unserved.shape,
})
type Run = z.output<typeof Run>

/**
 * Runs code for as long as the caller stays: an app behind an address of its own, or a function in a runner that is
 * kept for the next call. Answers what it returned or raised. Rejects with a sentence when its runner failed.
 */
export const run = operation(
  { permission: 'apps:write', input: Run },
  async (deps, caller, input, attention): Promise<RunValue> => {
    refuseUnserved(input)
    const { machine_types, num_gpus, valid_regions } = input.asked
    requireHardware(scaleInCode({ machine_types, num_gpus, valid_regions }), deps.hardware)
    await requireEnvironment(deps, caller, input.environment)
    const prepared = await prepare(deps, caller, input, attention)
    using leaving = whenLeft(deps, attention)
    const how = { ...attention, signal: leaving.signal }
    const isApp = input.serves || (prepared.servesItself && isCodeless(input))
    const work = isApp ? runApp : callFunction
    return await work(deps, caller, input, prepared, how)
  },
  { action: 'run', about: ({ name, environment, serves }) => ({ subject: name, environment, serves }) },
)

/** An environment that is there, and what its runners will see of it. */
interface Prepared {
  readonly spec: Omit<RevisionSpec, 'callable' | 'run' | 'scale'>
  readonly values: SecretValues
  readonly servesItself: boolean
}

async function prepare(deps: Deps, caller: Caller, input: Run, attention: Attention): Promise<Prepared> {
  const asked = await askedEnvironment(deps, caller, input)
  const { servesItself } = asked
  const resilience = resilienceOf(input, servesItself && isCodeless(input) ? 'GET' : 'POST')
  const { spec, values } = await preparedFor(deps, caller, input, asked, attention)
  return { spec: { ...spec, ...resilience, privateLogs: false, metadata: {} }, values, servesItself }
}

async function callFunction(
  deps: Deps,
  { accountId }: Caller,
  input: Run,
  { spec, values }: Prepared,
  { say, signal }: Attention,
): Promise<RunValue> {
  const { id, name, environment, setup, asked } = input
  const code = sentCode(input)
  const built = await deps.builder.placeOf(spec.environmentId)
  const facts = {
    accountId,
    name,
    environment,
    spec: { ...spec, ...hostSpec(asked) },
    place: built.kind === 'folder' ? built.path : built.reference,
    secrets: values,
  }
  return valueOf(await deps.functions.call(facts, { id, code, setup, say, signal }))
}

/** Nothing of the app is left when this ends, however it ends. */
async function runApp(
  deps: Deps,
  caller: Caller,
  input: Run,
  { spec: prepared, servesItself }: Prepared,
  { say, signal, reached }: Attention,
): Promise<RunValue> {
  if (input.setup !== undefined) throw setupOfServer()
  const scale = appScale(input.asked)
  const callable = await storedCode(deps, input, { servesItself })
  const port = input.exposedPort === undefined ? {} : { exposedPort: input.exposedPort }
  const spec: RevisionSpec = { ...prepared, callable, ...port, run: 'app', scale }
  const app = newApp(deps, caller, input)
  const ended = deps.runners.followRun(app.id, say)
  try {
    const next = { revisionId: uuidv7(deps.clock), strategy: 'recreate', scale, basedOn: scale } as const
    const whose = { authMode: input.authMode, now: deps.clock.now() } as const
    if (!(await deps.store.commit(registerRevision(app, spec, { ...next, ...whose }))))
      throw unknownEnvironment(input.environment)
    await deps.apps.refresh()
    reached?.({ owner: caller.nickname, name: app.name })
    return await outcomeOf(deps, await Promise.race([ended, rejection(signal)]), scale)
  } finally {
    await tearDown(deps, app)
  }
}

/** One runner at once, and no other unless the app asks for more. */
function appScale(asked: Run['asked']): ScaleSettings {
  const floor = Math.max(1, asked.min_concurrency ?? 1)
  return scaleInCode({ ...asked, min_concurrency: floor, max_concurrency: asked.max_concurrency ?? floor })
}

type NewApp = Pick<App, 'id' | 'accountId' | 'name' | 'environment'>

function newApp({ clock }: Deps, { accountId }: Caller, { name, environment }: Run): NewApp {
  return { id: uuidv7(clock), accountId, name: runAlias(name, randomBytes(6).toString('hex')), environment }
}

const setupOfServer = () =>
  new CarrickError(
    'unimplemented',
    'A function that serves is called by its server, so a setup_function has no place to put its result: leave it out',
  )

const lookEveryMs = 250

/** A signal that is aborted when the caller has gone, or the server is asked to stop, with the reason. */
function whenLeft(
  deps: Pick<Deps, 'isDraining'>,
  { signal }: Attention,
): { readonly signal: AbortSignal } & Disposable {
  const left = new AbortController()
  const leave = () => left.abort(new CarrickError('client_cancelled', 'The caller of this run has gone'))
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave)
  const timer = setInterval(() => {
    if (deps.isDraining())
      left.abort(new CarrickError('draining', 'This server is shutting down, and this run with it'))
  }, lookEveryMs)
  const stop = () => (clearInterval(timer), signal.removeEventListener('abort', leave))
  return { signal: left.signal, [Symbol.dispose]: stop }
}

function rejection(signal: AbortSignal): Promise<never> {
  if (signal.aborted) return Promise.reject(signal.reason)
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
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
