import { z } from 'zod'
import type { App, DeploymentStrategy } from '../../domain/app.ts'
import type { RevisionId } from '../../domain/ids.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { RevisionSpec } from '../../domain/revision.ts'
import { scaleForDeploy, scaleInCode } from '../../domain/scale.ts'
import { requireHardware } from '../../domain/sought-hardware.ts'
import { uuidv7 } from '../../kit/ids.ts'
import { appByName, registerRevision } from '../../store/apps.ts'
import { checkedSecrets } from './allowed-secrets.ts'
import { SentCode, storedCode } from './callable.ts'
import { definitionOf } from './definition.ts'
import type { Deps } from '../deps.ts'
import { build, checkAlias, EnvironmentName, requireEnvironment } from './environments.ts'
import { operation } from '../operation.ts'
import type { Attention } from '../operation.ts'
import { Places, placesOf } from './places.ts'
import { Resilience, resilienceOf } from './resilience.ts'
import { rolledOut } from './rollout.ts'
import { ScaleInput } from './scale-input.ts'
import { SentEnvironment } from './sent-environment.ts'
import { refuseUnserved, Unserved } from './unserved.ts'

/** What a deploy says, whatever it came through. */
const Deploy = z.object({
  name: z.string('An app needs a name'),
  environment: EnvironmentName,
  environments: z.array(SentEnvironment),
  ...SentCode.shape,
  asked: ScaleInput,
  resetScale: z.boolean().default(false),
  authMode: z.enum(['private', 'public', 'shared']).default('private'),
  strategy: z.enum(['recreate', 'rolling']).default('rolling'),
  /** Whether the answer waits for the rollout. */
  attach: z.boolean().default(true),
  metadata: z.record(z.string(), z.unknown()).default({}),
  sourceCode: z.string().optional(),
  privateLogs: z.boolean().default(false),
  /** The secrets that it sees. Absent: those exposed by default; empty: none. */
  secrets: z.array(z.string()).optional(),
  ...Resilience.shape,
  ...Places.shape,
  ...Unserved.shape,
})
type Deploy = z.output<typeof Deploy>

export interface Deployed {
  readonly owner: string
  readonly name: string
  readonly revisionId: RevisionId
  readonly environmentId: string
}

/**
 * Stores a revision and brings it to traffic. What fails before leaves nothing behind; a rolling deploy that fails
 * afterwards leaves the old revision serving.
 */
export const deploy = operation(
  { permission: 'apps:write', input: Deploy },
  async (deps, caller, input, attention): Promise<Deployed> => {
    await requireEnvironment(deps, caller, input.environment)
    checkAlias(input)
    refuseUnserved(input)
    const spec = await specOf(deps, caller, input, attention)
    attention.signal.throwIfAborted() // from here on it is done, whether somebody waits or not

    const { app, revisionId, rolling } = await register(deps, caller, input, spec)
    await deps.apps.refresh()
    if (rolling) await rolledOut(deps, { app, revisionId }, attention)
    return { owner: caller.nickname, name: input.name, revisionId, environmentId: spec.environmentId }
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
  const places = await placesOf(deps, caller, input)
  const callable = await storedCode(deps, input)
  const environment = definitionOf(input.environments)
  const resilience = resilienceOf(input)
  const force = input.environments.some((sent) => sent.force)
  const secrets = await checkedSecrets(deps, caller, input)
  const values = await deps.vault.exposed({ accountId: caller.accountId, environment: input.environment }, secrets)
  const environmentId = await build(deps, environment, { force, secrets: values, attention })
  return {
    environment,
    environmentId,
    callable,
    scale,
    ...resilience,
    privateLogs,
    metadata,
    ...places,
    ...(secrets === undefined ? {} : { secrets }),
    ...(sourceCode === undefined ? {} : { sourceCode }),
  }
}

interface Registered {
  readonly app: Pick<App, 'id' | 'accountId' | 'name' | 'revisionId'>
  readonly revisionId: RevisionId
  /** Whether it waits for its first runner before calls go to it. */
  readonly rolling: boolean
}

/** Stores the revision and makes it the app's next one. Repeats when somebody changes the app in the same moment. */
async function register(deps: Deps, caller: Caller, input: Deploy, spec: RevisionSpec): Promise<Registered> {
  const { name, environment, authMode, resetScale } = input
  const { accountId } = caller
  const revisionId = uuidv7(deps.clock)
  for (;;) {
    const live = await deps.store.read(appByName(accountId, name))
    const strategy = strategyOf(input, live)
    const app = live ?? { id: uuidv7(deps.clock), accountId, name, environment }
    const tuned = live?.revisionId === undefined ? undefined : live.scale
    const scale = scaleForDeploy(tuned, spec.scale, resetScale)
    const basedOn = live?.scale ?? scale
    const next = { revisionId, strategy, scale, basedOn, authMode, now: deps.clock.now() }
    if (await deps.store.commit(registerRevision(app, spec, next))) {
      return { app, revisionId, rolling: strategy === 'rolling' }
    }
    await requireEnvironment(deps, caller, environment) // it may have been deleted meanwhile
  }
}

/** Nobody waits for a detached deploy, so its alias moves first. A first one has nowhere to move from. */
function strategyOf({ strategy, attach }: Deploy, live: App | undefined): DeploymentStrategy {
  return !attach && live?.revisionId !== undefined ? 'recreate' : strategy
}
