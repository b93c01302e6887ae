import { z } from 'zod'
import type { App, DeploymentStrategy } from '../../domain/app.ts'
import { CarrickError } from '../../domain/errors.ts'
import type { RevisionId } from '../../domain/ids.ts'
import { revisionAlias } from '../../domain/names.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { RevisionSpec } from '../../domain/revision.ts'
import { scaleForDeploy, scaleInCode } from '../../domain/scale.ts'
import { requireHardware } from '../../domain/sought-hardware.ts'
import { uuidv7 } from '../../kit/ids.ts'
import { appByName } from '../../store/apps.ts'
import { begunTurn, lastTurn, takeTurn } from '../../store/deploy-turns.ts'
import { registerRevision } from '../../store/next-revisions.ts'
import { Port, SentCode, storedCode } from './callable.ts'
import type { Deps } from '../deps.ts'
import { isKeptSource, mostMetadataBytes, requireSmall } from './bounds.ts'
import { checkAlias, EnvironmentName, requireEnvironment } from './environments.ts'
import { operation } from '../operation.ts'
import type { Attention } from '../operation.ts'
import { requireRuntime } from './asked-runtime.ts'
import { isKeptBack, keepBack } from './keep-back.ts'
import { Places } from './places.ts'
import { askedEnvironment, prepared } from './prepared.ts'
import { Resilience, resilienceOf } from './resilience.ts'
import { rolledOut, superseded } from './rollout.ts'
import { ScaleInput } from './scale-input.ts'
import { SecretNames, SentEnvironment } from './sent-environment.ts'
import { refuseUnserved, Unserved } from './unserved.ts'

/** What a deploy says, whatever it came through. */
const Deploy = z.object({
  name: z.string('An app needs a name'),
  environment: EnvironmentName,
  environments: z.array(SentEnvironment),
  ...SentCode.shape,
  exposedPort: Port,
  asked: ScaleInput,
  resetScale: z.boolean().default(false),
  authMode: z.enum(['private', 'public', 'shared']).default('private'),
  strategy: z.enum(['recreate', 'rolling']).default('rolling'),
  /** Whether the answer waits for the rollout, which only a rolling deploy has. Absent: it waits. */
  attach: z.boolean().optional(),
  /** Whether it was asked before to build the environment, for this: that is when the deploy began. */
  builtBefore: z.boolean().default(false),
  metadata: z.record(z.string(), z.unknown()).default({}),
  sourceCode: z.string().optional(),
  privateLogs: z.boolean().default(false),
  /** The secrets that it sees. Absent: those exposed by default; empty: none. */
  secrets: SecretNames.optional(),
  ...Resilience.shape,
  ...Places.shape,
  ...Unserved.shape,
})
type Deploy = z.output<typeof Deploy>

export interface Deployed {
  readonly owner: string
  readonly name: string
  /** What it is called at: the app's name, or the revision's where it was not promoted. */
  readonly calledAs: string
  readonly revisionId: RevisionId
  readonly environmentId: string
}

/**
 * Stores a revision and brings it to traffic. What fails before leaves nothing behind; a rolling deploy that fails
 * afterwards leaves the old revision serving. Of two at once the one that began last wins, also where the other's
 * environment takes longer to build.
 */
export const deploy = operation(
  { permission: 'apps:write', input: Deploy },
  async (deps, caller, input, attention): Promise<Deployed> => {
    await requireEnvironment(deps, caller, input.environment)
    checkAlias(input)
    checkAttach(input)
    refuseUnserved(input)
    requireSmall(
      'What an app says of itself (OpenAPI document, message, annotations)',
      input.metadata,
      mostMetadataBytes,
    )
    requireRuntime(deps, input.metadata)
    const cameAt = await deps.store.commit(takeTurn(caller.accountId))
    const spec = await specOf(deps, caller, input, attention)
    const begun = { ...caller, name: input.name, environmentId: spec.environmentId }
    const turn = (input.builtBefore ? await deps.store.read(begunTurn(begun)) : undefined) ?? cameAt
    attention.signal.throwIfAborted() // from here on it is done, whether somebody waits or not

    const { nickname: owner } = caller
    const { environmentId } = spec
    if (isKeptBack(input.metadata)) {
      const revisionId = await keepBack(deps, caller, input, spec, attention)
      return { owner, name: input.name, calledAs: revisionAlias(input.name, revisionId), revisionId, environmentId }
    }
    const { app, revisionId, how } = await register(deps, caller, input, { spec, turn })
    await deps.apps.refresh()
    if (how === 'rolling') await rolledOut(deps, { app, revisionId }, attention)
    if (how === 'detached') deps.runners.warm(app.id, revisionId)
    return { owner, name: input.name, calledAs: input.name, revisionId, environmentId }
  },
  {
    action: 'deploy',
    about: ({ name, strategy, authMode, resetScale }, deployed) => ({
      subject: name,
      revision: deployed?.revisionId,
      strategy,
      authMode,
      resetScale,
    }),
  },
)

/** All that the revision will be. The environment is built, or found, and the callable is on disk when this returns. */
async function specOf(deps: Deps, caller: Caller, input: Deploy, attention: Attention): Promise<RevisionSpec> {
  const { asked, metadata, sourceCode, privateLogs } = input
  const scale = scaleInCode(asked)
  requireHardware(scale, deps.hardware)
  const wanted = await askedEnvironment(deps, caller, input)
  const callable = await storedCode(deps, input, wanted)
  const resilience = resilienceOf(input, 'serves' in callable ? 'GET' : 'POST')
  const { spec } = await prepared(deps, caller, input, wanted, attention)
  return {
    ...spec,
    callable,
    ...(input.exposedPort === undefined ? {} : { exposedPort: input.exposedPort }),
    scale,
    ...resilience,
    privateLogs,
    metadata,
    ...(sourceCode !== undefined && isKeptSource(sourceCode) ? { sourceCode } : {}),
  }
}

/** How the app comes by the revision. Detached: its alias moves first, and a runner starts after it. */
type Way = DeploymentStrategy | 'detached'

interface Registered {
  readonly app: Pick<App, 'id' | 'accountId' | 'name' | 'revisionId'>
  readonly revisionId: RevisionId
  readonly how: Way
}

/** Stores the revision and makes it the app's next one. Repeats when somebody changes the app in the same moment. */
async function register(
  deps: Deps,
  caller: Caller,
  input: Deploy,
  { spec, turn }: { readonly spec: RevisionSpec; readonly turn: number },
): Promise<Registered> {
  const { name, environment, authMode, resetScale } = input
  const { accountId } = caller
  const revisionId = uuidv7(deps.clock)
  for (;;) {
    const live = await deps.store.read(appByName(accountId, name))
    const how = wayOf(input, live)
    const app = live ?? { id: uuidv7(deps.clock), accountId, name, environment }
    const tuned = live?.revisionId === undefined ? undefined : live.scale
    const scale = scaleForDeploy(tuned, spec.scale, resetScale)
    const basedOn = live?.scale ?? scale
    const strategy = how === 'rolling' ? how : 'recreate'
    const next = { revisionId, strategy, scale, basedOn, authMode, turn, now: deps.clock.now() } as const
    if (await deps.store.commit(registerRevision(app, spec, next))) return { app, revisionId, how }
    const last = await deps.store.read(lastTurn(accountId, name))
    if (last !== undefined && last > turn) throw superseded(name, 'too_late')
    await requireEnvironment(deps, caller, environment) // it may have been deleted meanwhile
  }
}

/** Nobody waits for a detached deploy, so its alias moves first. A first one has nowhere to move from. */
function wayOf({ strategy, attach }: Deploy, live: App | undefined): Way {
  return attach === false && live?.revisionId !== undefined ? 'detached' : strategy
}

/** Throws `bad_request` where somebody says whether to wait for what is over at once. */
function checkAttach({ strategy, attach }: Deploy): void {
  if (attach === undefined || strategy === 'rolling') return
  const message = '--attach and --detach are for rolling deployments: leave them out, or use --strategy rolling'
  throw new CarrickError('bad_request', message)
}
