import { CarrickError } from '../../domain/errors.ts'
import type { EnvironmentId } from '../../domain/ids.ts'
import type { Caller } from '../../domain/permissions.ts'
import type { EnvironmentDefinition, RevisionSpec } from '../../domain/revision.ts'
import type { SecretScope, SecretValues } from '../../domain/secret.ts'
import type { Deps } from '../deps.ts'
import type { Attention } from '../operation.ts'
import { checkedSecrets } from './allowed-secrets.ts'
import { mostEnvironmentBytes, requireSmall } from './bounds.ts'
import { storedFiles, type SentFile } from './app-files.ts'
import { definitionOf, isContainer, oneOf, type AskedEnvironment } from './definition.ts'
import { filledCredentials, noCredentials, storableCredentials } from './image-credentials.ts'
import { placesOf } from './places.ts'
import type { SentEnvironment } from './sent-environment.ts'

/** What an environment is made of, as deploys, builds and runs say it. */
export interface Wanted {
  readonly environment: string
  readonly environments: readonly SentEnvironment[]
  readonly secrets?: readonly string[] | undefined
  readonly files: readonly SentFile[]
}

/** The environment that is wanted, checked, and its build context on disk. Nothing is built. */
export async function askedEnvironment(
  deps: Pick<Deps, 'store' | 'clock'>,
  caller: Caller,
  { environments, files }: Wanted,
): Promise<AskedEnvironment> {
  requireSmall('An environment', environments, mostEnvironmentBytes)
  const sent = oneOf(environments)
  const context = isContainer(sent) ? await storedFiles(deps, caller, files) : []
  return definitionOf(sent, { accountId: caller.accountId, context })
}

/** A finished environment, and what a build was told that its runners may see too. */
export interface BuiltFor {
  readonly environmentId: EnvironmentId
  readonly secrets: readonly string[] | undefined
  readonly values: SecretValues
}

/** Builds what was asked for, or finds it, and passes on what the build says. Throws before it builds for secrets that are not there. */
export async function buildAsked(
  deps: Deps,
  caller: Caller,
  wanted: Wanted,
  { definition, credentials }: Pick<AskedEnvironment, 'definition' | 'credentials'>,
  attention: Attention,
): Promise<BuiltFor> {
  const scope = { accountId: caller.accountId, environment: wanted.environment }
  const secrets = await checkedSecrets(deps, caller, wanted)
  const values = await deps.vault.exposed(scope, secrets)
  const filled = await filledCredentials(deps, scope, credentials)
  const force = wanted.environments.some((sent) => sent.force)
  const environmentId = await build(deps, definition, {
    accountId: caller.accountId,
    force,
    secrets: values,
    ...filled,
    attention,
  })
  return { environmentId, secrets, values }
}

/** Builds a revision's environment once more. Throws `deploy_failed` where that needs what was sent in clear. */
export async function rebuilt(
  deps: Pick<Deps, 'builder' | 'clock' | 'vault'>,
  scope: SecretScope,
  { environment, imageCredentials = noCredentials, secrets }: RevisionSpec,
  attention: Attention,
): Promise<EnvironmentId> {
  const lost = buildSecretsOf(environment).filter((id) => !Object.hasOwn(imageCredentials.buildSecrets, id))
  if (lost.length > 0) {
    const message = `Its image is gone, and its build secret "${lost.join('", "')}" was sent in clear, which is kept nowhere: deploy it again`
    throw new CarrickError('deploy_failed', message)
  }
  const values = await deps.vault.exposed(scope, secrets)
  const filled = await filledCredentials(deps, scope, imageCredentials)
  const told = { accountId: scope.accountId, force: false, secrets: values, ...filled }
  return build(deps, environment, { ...told, attention })
}

function buildSecretsOf(environment: EnvironmentDefinition): readonly string[] {
  if (environment.kind !== 'container' || environment.source.from !== 'dockerfile') return []
  return environment.source.buildSecrets
}

type Told = Omit<Parameters<Deps['builder']['build']>[1], 'onLine' | 'signal'> & { readonly attention: Attention }

function build(
  { builder, clock }: Pick<Deps, 'builder' | 'clock'>,
  definition: EnvironmentDefinition,
  { attention, ...told }: Told,
): Promise<EnvironmentId> {
  const onLine = (message: string) => attention.say({ at: clock.now(), source: 'builder', level: 'info', message })
  return builder.build(definition, { ...told, onLine, signal: attention.signal })
}

/** What a revision keeps of where and in what it runs. */
export type PreparedSpec = Pick<
  RevisionSpec,
  'environment' | 'environmentId' | 'imageCredentials' | 'files' | 'dataMounts' | 'secrets'
>

/** Builds the environment of a revision, and stores the files that its runners find. Those of an image are in it. */
export async function prepared(
  deps: Deps,
  caller: Caller,
  wanted: Wanted & { readonly dataMounts: readonly string[] },
  asked: AskedEnvironment,
  attention: Attention,
): Promise<{ readonly spec: PreparedSpec; readonly values: SecretValues }> {
  const { definition, credentials } = asked
  const files = definition.kind === 'container' ? [] : wanted.files
  const places = await placesOf(deps, caller, { files, dataMounts: wanted.dataMounts })
  const { environmentId, secrets, values } = await buildAsked(deps, caller, wanted, asked, attention)
  const imageCredentials = storableCredentials(credentials)
  const spec = {
    environment: definition,
    environmentId,
    ...places,
    ...(imageCredentials === undefined ? {} : { imageCredentials }),
    ...(secrets === undefined ? {} : { secrets }),
  }
  return { spec, values }
}
