import { dirname } from 'node:path'
import type { PreparedKey } from '../access/keyring.ts'
import type { Vault } from '../access/vault.ts'
import type { RunnerSpec } from '../backends/backend.ts'
import type { BlobStore } from '../blobs/blob-store.ts'
import type { RunResults } from '../blobs/run-results.ts'
import { runtimeAsked } from '../domain/annotations.ts'
import type { App } from '../domain/app.ts'
import type { EnvironmentId, RunnerId } from '../domain/ids.ts'
import { splitRevision } from '../domain/names.ts'
import type { BuiltEnvironment, Revision } from '../domain/revision.ts'
import type { Setup } from '../domain/runner.ts'
import { gpuVariables, limitsOf } from './hardware.ts'
import { placesOf, type PlaceParts } from './places.ts'
import { programOf } from './program.ts'

/** A runner that is about to start, and all that decides how. */
export interface RunnerStart {
  readonly runner: Setup
  readonly app: App
  readonly revision: Revision
  readonly key: PreparedKey
}

export interface LaunchParts extends PlaceParts {
  /** Knows where a finished environment is; one that is gone is built again for the runner, which waits. */
  readonly environments: { placeOf(id: EnvironmentId, start: RunnerStart): Promise<BuiltEnvironment> }
  readonly blobs: Pick<BlobStore, 'pathOf'>
  readonly results: Pick<RunResults, 'pathOf' | 'limit'>
  readonly vault: Pick<Vault, 'exposed'>
  /** The word by which a function host knows the platform. */
  readonly jobKeyOf: (id: RunnerId) => string
  /** The folder `carrick_runner`. */
  readonly bootstrap: string
  readonly surroundings: () => Surroundings
}

/** How the platform looks from inside a runner. Hosts are `host:port`, some with a path, never with a scheme. */
export interface Surroundings {
  /** As deployers know it: pickled apps carry it inside. */
  readonly grpcHost: string
  /** The next four lead to the runner ingress. */
  readonly restHost: string
  readonly runHost: string
  readonly queueRunHost: string
  readonly wsRunHost: string
  /** These are whole URLs, and lead there too. */
  readonly cdnUrl: string
  readonly kvUrl: string
  /** Certificates that a runner trusts: the public ones and ours. */
  readonly bundle: string
  readonly region: string
}

/** What a backend is told, and which of it nobody may read in logs. */
export interface Launched {
  readonly spec: RunnerSpec
  readonly hidden: readonly string[]
}

/** How a runner starts, from what a deploy fixed and what is true now. */
export type Launch = (start: RunnerStart) => Promise<Launched>

export function createLaunch(parts: LaunchParts): Launch {
  const { environments, blobs, results, vault, bootstrap, surroundings, jobKeyOf } = parts
  return async (start) => {
    const { app, runner, revision, key } = start
    const { environmentId, callable, exposedPort } = revision.spec
    const runtime = runtimeAsked(revision.spec.metadata)
    const [environment, places, secrets, code] = await Promise.all([
      environments.placeOf(environmentId, start),
      placesOf(parts, start),
      vault.exposed(app, revision.spec.secrets),
      codeVariables(callable, blobs),
    ])
    const program = programOf(revision, environment, bootstrap)
    const spec = {
      id: runner.id,
      appId: runner.appId,
      revisionId: runner.revisionId,
      accountId: app.accountId,
      command: program.command,
      ...(program.image === undefined ? {} : { image: program.image }),
      ...(exposedPort === undefined ? {} : { exposedPort }),
      variables: {
        ...secrets, // first: what the platform says comes before what a secret is called
        ...code,
        ...program.variables,
        ...runVariables(start, { results, jobKeyOf }),
        ...identityVariables(start),
        ...platformVariables(surroundings()),
        ...places.variables,
        ...gpuVariables(runner.placement),
      },
      mounts: places.mounts,
      sees: [
        ...program.sees,
        surroundings().bundle,
        ...('blob' in callable ? [await blobs.pathOf(callable.blob)] : []),
      ],
      leaves: revision.spec.run === 'app' ? [dirname(results.pathOf(runner.id))] : [],
      ...limitsOf(runner.placement),
      ...(runtime === undefined ? {} : { runtime }),
    }
    return { spec, hidden: [...Object.values(secrets), key.credentials.secret, jobKeyOf(runner.id)] }
  }
}

async function codeVariables(
  callable: Revision['spec']['callable'],
  blobs: LaunchParts['blobs'],
): Promise<Record<string, string>> {
  if ('serves' in callable) return {}
  // What an entry point returns goes back by the module that needs no requirement.
  if ('entrypoint' in callable) return { CARRICK_ENTRYPOINT: callable.entrypoint, CARRICK_METHOD: 'pickle' }
  return { CARRICK_CALLABLE: await blobs.pathOf(callable.blob), CARRICK_METHOD: callable.method }
}

/** What is for one caller goes into a file, or back to whoever knows the word. */
function runVariables(
  { runner, revision }: RunnerStart,
  { results, jobKeyOf }: Pick<LaunchParts, 'results' | 'jobKeyOf'>,
): Record<string, string> {
  if (revision.spec.run === 'host') return { CARRICK_JOB_KEY: jobKeyOf(runner.id) }
  if (revision.spec.run === undefined) return {}
  return { CARRICK_RESULT: results.pathOf(runner.id), CARRICK_RESULT_LIMIT: String(results.limit) }
}

function identityVariables({ runner, app, revision, key: { credentials } }: RunnerStart): Record<string, string> {
  const { keyId, secret } = credentials
  return {
    ...('serves' in revision.spec.callable ? {} : { IS_ISOLATE_AGENT: '1' }),
    FAL_KEY: `${keyId}:${secret}`,
    FAL_KEY_ID: keyId,
    FAL_KEY_SECRET: secret,
    FAL_APP_NAME: `${app.owner}/${splitRevision(app.name).name}`,
    FAL_APP_ID: runner.revisionId,
    FAL_USER_NICKNAME: app.owner,
    FAL_JOB_ID: runner.id,
  }
}

function platformVariables(around: Surroundings): Record<string, string> {
  return {
    FAL_HOST: around.grpcHost,
    // The SDK refuses a FAL_HOST that does not begin with `api`, unless this is set as well.
    FAL_GRPC_HOST: around.grpcHost,
    FAL_REST_HOST: around.restHost,
    FAL_RUN_HOST: around.runHost,
    FAL_QUEUE_RUN_HOST: around.queueRunHost,
    FAL_WS_RUN_HOST: around.wsRunHost,
    FAL_CDN_V3_HOST: around.cdnUrl,
    // The SDK and the client have these hosts in their code: the bootstrap puts ours in their place.
    CARRICK_CDN_URL: around.cdnUrl,
    CARRICK_KV_URL: around.kvUrl,
    FAL_REGION: around.region,
    SSL_CERT_FILE: around.bundle,
    REQUESTS_CA_BUNDLE: around.bundle,
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: around.bundle,
  }
}
